"""chat.asgi.bursts: a thousand requests at once do not begin in the same turn of the event loop."""

import asyncio
import json
from collections import Counter

from chat.address_limits import note_answer
from chat.asgi import bursts
from chat.asgi.bursts import MAX_STARTS, MAX_UNANSWERED, spread_bursts
from chat.models import Assistant
from chatsite.asgi import application
from tests.clients import asgi_request, asgi_response
from tests.timeouts import HANG_TIMEOUT
from tests.waiting import count_turns, wait_until

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
    scope = {"type": "http", "client": (address, 1), "headers": cookie(session)}
    return [asyncio.create_task(site(dict(scope), None, None)) for _ in range(count)]


def cookie(session):
    return [(b"cookie", f"theme=dark; sessionid={session}; a=b".encode())] if session else []


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


class Endless:
    """Gives no answer until `gate` opens; counts what it was passed."""

    def __init__(self):
        self.gate, self.passed = asyncio.Event(), Counter()

    async def __call__(self, scope, receive, send):
        self.passed[scope["client"][0]] += 1
        await self.gate.wait()


async def test_session_with_many_requests_in_progress_is_refused_more():
    app = Endless()
    site = spread_bursts(app)
    burst = send(site, BURST, MAX_UNANSWERED, "mallory")
    others = [*send(site, BURST, 1, "alice"), *send(site, BURST)]
    await wait_until(lambda: app.passed[BURST] == MAX_UNANSWERED + 2)
    for address in BURST, OTHER:  # the session counts, wherever it comes from
        status, headers, body = await answer_to(site, address, "mallory")
        assert (status, headers[b"retry-after"]) == (429, b"2")
        assert json.loads(body)["error"]["code"] == "too_many_requests"
    accepted, closed = await refused_socket(site, "mallory")
    assert (accepted["type"], closed) == ("websocket.accept", {"type": "websocket.close", "code": 4429})
    assert app.passed[OTHER] == 0
    app.gate.set()
    await asyncio.gather(*burst, *others)
    await asyncio.gather(*send(site, OTHER, 1, "mallory"))
    assert app.passed[OTHER] == 1


async def test_answered_request_does_not_count_though_it_continues():
    app = Endless()

    async def answer(scope, receive, send):
        note_answer(scope)
        await app(scope, receive, send)

    streams = send(spread_bursts(answer), BURST, 2 * MAX_UNANSWERED, "alice")
    await wait_until(lambda: app.passed[BURST] == 2 * MAX_UNANSWERED)
    app.gate.set()
    await asyncio.gather(*streams)


async def test_requests_without_a_session_are_not_counted():
    app = Endless()
    burst = send(spread_bursts(app), BURST, 2 * MAX_UNANSWERED)
    await wait_until(lambda: app.passed[BURST] == 2 * MAX_UNANSWERED)
    app.gate.set()
    await asyncio.gather(*burst)


async def test_open_stream_and_socket_have_their_answers(socket_of, alice, slow, ask):
    counts = bursts.starts.get().unanswered
    async with slow() as gate:
        run = await ask(await Assistant.objects.aget(slug="slow"))
        async with socket_of(alice, run.conversation_id) as socket:
            session = next(header for header in socket.scope["headers"] if header[0] == b"cookie")
            path = f"/api/runs/{run.pk}/events"
            stream = asgi_request(
                application, session, (b"host", b"testserver"), method="GET", path=path, client=(OTHER, 1)
            )
            await stream.send_input({"type": "http.request", "body": b""})
            assert (await stream.receive_output(HANG_TIMEOUT))["status"] == 200
            await wait_until(lambda: not counts)
            gate.set()
            await stream.wait(HANG_TIMEOUT)


async def answer_to(site, address, session):
    """Returns (status, headers, body)."""
    sent = []

    async def collect(message):
        sent.append(message)

    scope = {"type": "http", "client": (address, 1), "path": "/api/me", "headers": cookie(session)}
    await site(scope, None, collect)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def refused_socket(site, session):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def collect(message):
        sent.append(message)

    await site({"type": "websocket", "client": (BURST, 1), "headers": cookie(session)}, receive, collect)
    return sent


async def test_health_is_answered_before_a_burst_of_the_same_address():
    sites = [asgi_request(application, method="GET", path="/health", client=(BURST, 1)) for _ in range(3 * MAX_STARTS)]
    for site in sites:
        await site.send_input({"type": "http.request", "body": b""})
    await asyncio.sleep(0)
    assert not any(site.output_queue.empty() for site in sites)
    assert {(await asgi_response(site))[0] for site in sites} == {200}
