"""Large JSON of one user is read beside the event loop, one at a time, and refused where it would stop everybody."""

import asyncio
import json
import time

import pytest

from chat import json_bodies
from chat.errors import Refused
from chat.json_bodies import LARGE_LENGTH, read_json
from tests.assertions import assert_error
from tests.clients import messages_url

SIZE = 2_400_000  # bytes, below MAX_BODY_BYTES
DOCUMENTS = [{"name": f"{number}.txt", "text": '字, [\\"{' * 10_000} for number in range(4)]
BOMBS = {
    "arrays": "[" + "[]," * (SIZE // 3) + "[]]",
    "numbers": "[" + "1," * (SIZE // 2) + "1]",
    "objects": "[" + '{"a":1},' * (SIZE // 8) + "1]",
    "texts": "[" + '"a",' * (SIZE // 4) + "1]",
    "names": "{" + '"a":1,' * (SIZE // 6) + '"a":1}',
    "a message": '{"text": "Hi", "documents": [' + "[]," * (SIZE // 3) + "[]]}",
    "depth": "[" * SIZE,
}


@pytest.fixture(params=BOMBS.values(), ids=BOMBS)
def bomb(request):
    return request.param


async def longest_pause(work):
    """Returns for how long nothing else ran in the event loop, at most, during this work.

    What other processes do meanwhile is not counted, what this one does in other threads is.
    """
    pauses, task = [], asyncio.ensure_future(work)
    while not task.done():
        start = time.process_time()
        await asyncio.sleep(0)
        pauses.append(time.process_time() - start)
    await asyncio.gather(task, return_exceptions=True)
    return max(pauses)


async def test_bomb_is_refused(bomb):
    for content in (bomb, bomb.encode()):
        with pytest.raises(Refused) as refused:
            await read_json(content, 1)
        assert (refused.value.code, refused.value.status) == ("invalid", 400)


async def test_bomb_does_not_block_others():
    """Python's parser lets nothing else run, in whatever thread: here 400 ms, of which counting takes 10."""
    start = time.process_time()
    json.loads(BOMBS["arrays"])
    parsing = time.process_time() - start
    pauses = [await longest_pause(read_json(BOMBS["arrays"], 1)) for _ in range(5)]
    assert min(pauses) < parsing / 3


@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-16"])
async def test_large_message_is_read(encoding):
    message = {"text": "Hello\\", "documents": DOCUMENTS}
    text = json.dumps(message, ensure_ascii=False)
    assert len(text) > LARGE_LENGTH
    assert await read_json(text.encode(encoding) if encoding else text, 1) == message


@pytest.mark.parametrize("text", ["x" * SIZE, '"' * SIZE, '"' + "x" * SIZE, "\\" * SIZE, b"\xff" * SIZE, "1" * SIZE])
async def test_invalid_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        await read_json(text, 1)


async def test_one_user_has_one_large_body_read_at_a_time(monkeypatch):
    under_way, counts = [], []
    run = json_bodies._run

    async def counting(function, *args):
        under_way.append(1)
        counts.append(len(under_way))
        try:
            return await run(function, *args)
        finally:
            under_way.pop()

    monkeypatch.setattr(json_bodies, "_run", counting)
    large = json.dumps("x" * (LARGE_LENGTH + 1))
    await asyncio.gather(*(read_json(large, 1) for _ in range(10)))
    assert max(counts) == 1
    results = await asyncio.gather(*(read_json(large, 1) for _ in range(40)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Refused)]
    assert {(error.status, error.retry_after) for error in refused} == {(429, 2)}
    assert len(refused) < 40


async def test_api_refuses_a_bomb_with_a_sentence(client_of, alice, conversation, bomb):
    response = await client_of(alice).generic("POST", messages_url(conversation), bomb, content_type="application/json")
    assert assert_error(response, 400) == "invalid"
    assert not await conversation.messages.aexists()


async def test_api_takes_a_large_message(client_of, alice, conversation):
    response = await client_of(alice).send("POST", messages_url(conversation), {"text": "Hi", "documents": DOCUMENTS})
    assert response.status_code == 202
    message = await conversation.messages.aget(role="user")
    assert [part["text"] for part in message.parts if part["type"] == "document"] == [d["text"] for d in DOCUMENTS]


@pytest.mark.parametrize("body", ["x" * SIZE, "{"], ids=["large", "small"])
async def test_api_reports_that_a_body_is_not_json(client_of, alice, conversation, body):
    response = await client_of(alice).generic("POST", messages_url(conversation), body, content_type="application/json")
    assert assert_error(response, 400) == "invalid"
    assert response.json()["error"]["message"] == "This is not valid JSON."


async def test_socket_refuses_a_bomb_and_stays_open(socket_of, alice, conversation, bomb):
    async with socket_of(alice, conversation) as socket:
        await socket.send_command(bomb)
        assert (await socket.receive_event("error"))["error"]["code"] == "invalid"
        await socket.ask("Hi")
