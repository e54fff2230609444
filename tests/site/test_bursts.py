"""chat.asgi.bursts: a thousand requests at once do not begin in the same turn of the event loop."""

import asyncio
from collections import Counter

from chat.asgi.bursts import MAX_STARTS, spread_bursts
from chatsite.asgi import application
from tests.clients import asgi_request, asgi_response
from tests.waiting import count_turns

BURST, OTHER = "127.0.0.9", "127.0.0.8"  # addresses


class App:
    """Notes in which turn of the loop each request begins."""

    def __init__(self, turns):
        self.turns, self.starts = turns, []

    async def __call__(self, scope, receive, send):
        self.starts.append((scope["client"][0], len(self.turns)))

    def most_in_a_turn(self, address):
        return max(Counter(turn for client, turn in self.starts if client == address).values())


def send(site, address, count=1, session=""):
    headers = [(b"cookie", f"theme=dark; sessionid={session}; a=b".encode())] if session else []
    scope = {"type": "http", "client": (address, 1), "headers": headers}
    return [asyncio.create_task(site(scope, None, None)) for _ in range(count)]


async def test_burst_of_an_address_begins_a_few_in_each_turn():
    async with count_turns() as turns:
        app = App(turns)
        await asyncio.gather(*send(spread_bursts(app), BURST, 200))
    assert len(app.starts) == 200
    assert app.most_in_a_turn(BURST) <= MAX_STARTS


async def test_burst_of_an_address_delays_no_other():
    async with count_turns() as turns:
        app = App(turns)
        site = spread_bursts(app)
        await asyncio.gather(*send(site, BURST, 200), *send(site, OTHER, MAX_STARTS))
        others = [turn for client, turn in app.starts if client == OTHER]
        assert others == [app.starts[0][1]] * MAX_STARTS


async def test_burst_of_a_user_delays_no_other_at_the_same_address():
    async with count_turns() as turns:
        site = spread_bursts(App(turns))
        burst = send(site, BURST, 200, "mallory")
        await asyncio.sleep(0)
        await asyncio.gather(*send(site, BURST, 2, "alice"), *send(site, BURST, 2))
        assert sum(task.done() for task in burst) <= 5 * MAX_STARTS


async def test_request_behind_a_burst_keeps_its_place():
    async with count_turns() as turns:
        app = App(turns)
        site = spread_bursts(app)
        burst = send(site, BURST, 3 * MAX_STARTS)
        await asyncio.sleep(0)
        last = send(site, BURST)
        await asyncio.gather(*last)
        assert all(task.done() for task in burst)


async def test_burst_continues_after_some_of_its_clients_have_left():
    async with count_turns() as turns:
        app = App(turns)
        burst = send(spread_bursts(app), BURST, 10 * MAX_STARTS)
        await asyncio.sleep(0)
        for task in burst[MAX_STARTS : 5 * MAX_STARTS]:
            task.cancel()
        await asyncio.gather(*burst, return_exceptions=True)
    assert len(app.starts) == 6 * MAX_STARTS
    assert app.most_in_a_turn(BURST) <= MAX_STARTS


async def test_burst_whose_clients_have_all_left_is_forgotten():
    async with count_turns() as turns:
        app = App(turns)
        site = spread_bursts(app)
        burst = send(site, BURST, 10 * MAX_STARTS)
        await asyncio.sleep(0)
        for task in burst[MAX_STARTS:]:
            task.cancel()
        await asyncio.gather(*burst, return_exceptions=True)
        await asyncio.gather(*send(site, BURST))
    assert len(app.starts) == MAX_STARTS + 1


async def test_health_is_answered_before_a_burst_of_the_same_address():
    sites = [asgi_request(application, method="GET", path="/health", client=(BURST, 1)) for _ in range(3 * MAX_STARTS)]
    for site in sites:
        await site.send_input({"type": "http.request", "body": b""})
    await asyncio.sleep(0)
    assert not any(site.output_queue.empty() for site in sites)
    assert {(await asgi_response(site))[0] for site in sites} == {200}
