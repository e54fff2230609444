"""Reading a run's server-sent events. Whatever the format does not promise fails."""

import json
import re
from contextlib import aclosing

from tests.waiting import hang_timeout


async def read_body(response):
    async with hang_timeout(), aclosing(response.streaming_content) as chunks:
        return b"".join([chunk async for chunk in chunks])


def parse_events(body):
    """Returns (id, JSON object) of each event."""
    assert body.isascii()
    text = body.decode()
    assert text.startswith("retry: 1000\n")
    assert text.endswith("\n\n")
    events = []
    for block in text.removeprefix("retry: 1000\n").removesuffix("\n\n").split("\n\n"):
        if block.startswith(":"):
            assert block == ": still here"
            continue
        first, second = block.split("\n")
        assert re.fullmatch(r"id: [1-9]\d*", first)
        assert second.startswith("data: {")
        events.append((int(first[4:]), json.loads(second[6:])))
    return events


async def read_events(client, run, query="", **headers):
    """Returns the (id, JSON object) of all events that this client receives."""
    response = await client.send("GET", run.events_url + query, **headers)
    assert response.status_code == 200
    return parse_events(await read_body(response))
