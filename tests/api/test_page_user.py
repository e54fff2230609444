"""A page that was made for one user does nothing in the name of another who has logged in since."""

import pytest

from chat.models import Run
from tests.assertions import assert_error
from tests.clients import messages_url
from tests.rows import all_rows


async def test_calls_of_another_users_page_are_refused(client_of, alice, charlie, finished_run):
    run = await finished_run("one two")
    client, before = client_of(alice), await all_rows()
    await client.get("/api/me")
    calls = [
        ("GET", "/api/me", None),
        ("PATCH", "/api/me", {"theme": "dark"}),
        ("GET", "/api/conversations", None),
        ("POST", "/api/conversations", {}),
        ("POST", messages_url(run.conversation), {"text": "Hi"}),
        ("GET", run.events_url, None),
        ("DELETE", f"/api/conversations/{run.conversation_id}", None),
    ]
    before = await all_rows()
    for method, path, data in calls:
        for named in (str(charlie.pk), "nobody"):
            answer = await client.send(method, path, data, **{"X-User": named})
            assert assert_error(answer, 409) == "another_user"
            answer = await client.send(method, f"{path}?user={named}", data)
            assert assert_error(answer, 409) == "another_user"
    assert await all_rows() == before


async def test_calls_of_the_users_own_page_and_of_programs_are_answered(client_of, alice, finished_run):
    run = await finished_run("one two")
    assert await Run.objects.acount() == 1
    client = client_of(alice)
    assert (await client.get("/api/me")).status_code == 200
    assert (await client.send("GET", "/api/me", **{"X-User": str(alice.pk)})).status_code == 200
    assert (await client.get(f"{run.events_url}?user={alice.pk}")).status_code == 200


@pytest.mark.parametrize("path", ["/ws/news", "/ws/conversations/{id}"])
async def test_sockets_of_another_users_page_are_closed(socket_of, alice, charlie, conversation, path):
    path = path.format(id=conversation.pk)
    async with socket_of(alice, path=f"{path}?user={charlie.pk}") as socket:
        assert await socket.close_code() == 4409
    async with socket_of(alice, path=f"{path}?user={alice.pk}") as socket:
        assert await socket.receive_nothing()
    async with socket_of(None, path=f"{path}?user={alice.pk}") as socket:
        assert await socket.close_code() == 4401
