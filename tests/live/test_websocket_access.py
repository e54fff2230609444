"""Who may open a WebSocket, and how long it stays."""

import uuid

from chat import engine
from chat.engine import runner
from chat.live import consumers, session_check
from chat.models import Message, Run
from tests.waiting import wait_for_run

# Who may open it ------------------------------------------------------------------------------------------------------


async def test_socket_without_a_login_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation) as socket:
        assert await socket.close_code() == 4401
        await socket.send_command({"type": "message.create", "text": "Hi"})
    assert not await Message.objects.aexists()


async def test_socket_with_an_unknown_session_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation, cookie="sessionid=abcdefghijklmnopqrstuvwxyz012345") as socket:
        assert await socket.close_code() == 4401


async def test_socket_with_an_unreadable_session_key_is_closed_with_4401(socket_of, conversation):
    async with socket_of(None, conversation, cookie='sessionid="\\000abcdefghijklmnop"') as socket:
        assert await socket.close_code() == 4401


async def test_socket_of_another_user_is_closed_with_4404(socket_of, charlie, conversation):
    async with socket_of(charlie, conversation) as socket:
        assert await socket.close_code() == 4404
        await socket.send_command({"type": "message.create", "text": "Hi"})
    assert not await Message.objects.aexists()


async def test_socket_of_staff_is_closed_with_4404(socket_of, bob, conversation):
    async with socket_of(bob, conversation) as socket:
        assert await socket.close_code() == 4404


async def test_socket_of_an_unknown_conversation_is_closed_with_4404(socket_of, alice):
    async with socket_of(alice, uuid.uuid4()) as socket:
        assert await socket.close_code() == 4404


ANOTHER_SITE = [
    "https://evil.example",
    "http://testserver.evil.example",
    "http://eviltestserver",
    "http://testserver:81",
    "http://testserver@evil.example",
    "http://[",
    "http://[::1",
    "null",
    "testserver",
    "",
    "\xff",
]


async def test_origin_of_another_site_is_refused(socket_of, alice, conversation, subtests):
    for origin in ANOTHER_SITE:
        with subtests.test(origin):
            async with socket_of(alice, conversation, accepted=False, origin=origin) as socket:
                assert socket.refused_with == 4403


async def test_unknown_host_is_refused(socket_of, alice, conversation, subtests):
    for host in ("evil.example", "", None, "[", "testserver:evil"):
        headers = {"host": host, "origin": host and f"http://{host}"}
        with subtests.test(host):
            async with socket_of(alice, conversation, accepted=False, **headers) as socket:
                assert socket.refused_with == 4403


async def test_origin_that_is_trusted_or_missing_is_accepted(socket_of, alice, conversation, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://chat.example", "https://*.talk.example"]
    for origin in ("https://chat.example", "https://a.talk.example", "HTTP://TESTSERVER", None):
        async with socket_of(alice, conversation, origin=origin) as socket:
            await socket.ask()
    for origin in ("http://chat.example", "https://a.chat.example", "https://eviltalk.example"):
        async with socket_of(alice, conversation, accepted=False, origin=origin) as socket:
            assert socket.refused_with == 4403


# How long it stays ----------------------------------------------------------------------------------------------------


async def test_socket_is_closed_with_4401_at_logout(socket_of, client_of, alice, conversation, slow, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with slow() as gate, socket_of(alice, conversation) as here, socket_of(alice, conversation) as elsewhere:
        run_id = (await here.ask(assistant="slow"))["run_id"]
        await here.send_command({"type": "run.follow", "run_id": run_id})
        await here.receive_event("TEXT_MESSAGE_CONTENT")
        client = client_of()
        client.cookies["sessionid"] = dict(here.scope["headers"])[b"cookie"].decode().removeprefix("sessionid=")
        assert (await client.post("/accounts/logout/")).status_code == 302
        assert await here.close_code() == 4401
        gate.set()
        await here.send_command({"type": "message.create", "text": "Still me"})
        await elsewhere.send_command({"type": "run.follow", "run_id": run_id})
        assert (await elsewhere.receive_until_end())[-1]["type"] == "RUN_FINISHED"
        await wait_for_run(await Run.objects.aget())  # there is no other
        assert await here.receive_nothing()


async def test_socket_is_closed_with_4401_if_the_account_is_deactivated(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with socket_of(alice, conversation) as socket:
        alice.is_active = False
        await alice.asave()
        assert await socket.close_code() == 4401


async def test_socket_is_closed_with_1012_at_shutdown(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with socket_of(alice, conversation) as socket:
        engine.current().begin_shutdown()
        assert await socket.close_code() == 1012


async def test_socket_stays_open_without_traffic(socket_of, alice, conversation, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.01)
    async with socket_of(alice, conversation) as socket:
        assert await socket.receive_nothing(0.3)
        await socket.ask()
