"""The API of conversations, and the updates that open pages receive."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.utils import timezone

from chat import broadcast, engine
from chat.engine import retention
from chat.events import Finish, Text
from chat.live import consumers, session_check
from chat.models import Conversation, Run, RunEvent
from tests.assertions import assert_error
from tests.rows import all_rows
from tests.waiting import wait_for_run, wait_for_text


async def listed(client, **query):
    answer = await client.get("/api/conversations", query)
    assert answer.status_code == 200
    return [item["title"] for item in answer.json()["items"]]


@pytest.fixture
async def three(alice):
    now = timezone.now()
    return [
        await Conversation.objects.acreate(owner=alice, title=title, updated_at=now - timedelta(hours=age))
        for age, title in enumerate(["newest", "middle", "oldest"])
    ]


def change(client, row, **fields):
    return client.send("PATCH", f"/api/conversations/{row.pk}", fields)


async def test_list_separates_pinned_conversations(client_of, alice, three):
    client = client_of(alice)
    answer = await change(client, three[2], is_pinned=True)
    assert answer.status_code == 200
    assert answer.json()["is_pinned"] is True
    assert await listed(client, pinned=True) == ["oldest"]
    assert await listed(client, pinned=False) == ["newest", "middle"]
    assert await listed(client) == ["newest", "middle", "oldest"]
    await change(client, three[2], is_pinned=False)
    assert await listed(client, pinned=True) == []


async def test_list_separates_the_archive_and_search_includes_it(client_of, alice, three):
    client = client_of(alice)
    assert (await change(client, three[0], is_archived=True)).json()["is_archived"] is True
    assert await listed(client) == ["middle", "oldest"]
    assert await listed(client, archived=True) == ["newest"]
    assert await listed(client, q="newest") == ["newest"]
    await change(client, three[0], is_archived=False)
    assert await listed(client) == ["newest", "middle", "oldest"]


async def test_send_unarchives_a_conversation(client_of, alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    row = await Conversation.objects.acreate(owner=alice, archived_at=timezone.now())
    await row.ask("Hi there")
    assert await listed(client_of(alice)) == ["Hi there"]


async def test_allowed_tools_can_only_be_removed(client_of, alice, charlie):
    allowed = {"send_mail": "1", "files/delete": "2", "files/move": "3"}
    row = await Conversation.objects.acreate(owner=alice, allowed_tools=allowed)
    client, path = client_of(alice), f"/api/conversations/{row.pk}"
    assert (await client.get(path)).json()["allowed_tools"] == ["files/delete", "files/move", "send_mail"]
    answer = await change(client, row, allowed_tools=["send_mail", "files/delete", "format_disk"])
    assert answer.json()["allowed_tools"] == ["files/delete", "send_mail"]
    # Another tab has not heard of it yet.
    answer = await change(client, row, allowed_tools=["files/delete", "files/move"])
    assert answer.json()["allowed_tools"] == ["files/delete"]
    await row.arefresh_from_db()
    assert row.allowed_tools == {"files/delete": "2"}
    before = await all_rows()
    for wrong in ("files/delete", {"files/delete": "2"}, [1], [["files/delete"]]):
        assert_error(await change(client, row, allowed_tools=wrong))
    assert (await change(client_of(charlie), row, allowed_tools=[])).status_code == 404
    assert (await change(client, row, allowed_tools=None)).status_code == 200
    assert await all_rows() == before


async def test_new_conversation_allows_no_tools(client_of, alice):
    fields = {"title": "One", "allowed_tools": ["send_mail"]}
    answer = await client_of(alice).send("POST", "/api/conversations", fields)
    assert answer.json()["allowed_tools"] == []
    assert (await Conversation.objects.aget()).allowed_tools == {}


async def test_restore_undoes_a_deletion(client_of, alice, charlie, finished_run):
    run = await finished_run("one two")
    client, path = client_of(alice), f"/api/conversations/{run.conversation_id}"
    assert (await client.send("DELETE", path)).status_code == 204
    for hidden in (path, f"{path}/messages", f"/api/runs/{run.pk}", run.events_url, f"/c/{run.conversation_id}/"):
        assert (await client.get(hidden)).status_code == 404, hidden
    assert (await client.send("POST", f"/api/messages/{run.message_id}/regenerate")).status_code == 404
    assert await listed(client) == []
    assert (await client_of(charlie).send("POST", f"{path}/restore")).status_code == 404
    answer = await client.send("POST", f"{path}/restore")
    assert (answer.status_code, answer.json()["id"]) == (200, str(run.conversation_id))
    assert (await client.get(path)).status_code == 200
    assert [message["text"] for message in (await client.get(f"{path}/messages")).json()["items"]] == ["Hi", "one two"]


async def test_deleted_conversation_is_pruned_after_a_while(client_of, alice, finished_run, settings):
    run = await finished_run("one two")
    kept = await finished_run("three")
    client, path = client_of(alice), f"/api/conversations/{run.conversation_id}"
    await client.send("DELETE", path)
    assert await sync_to_async(retention.prune)() == 0
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(
        deleted_at=timezone.now() - timedelta(seconds=settings.UNDO_SECONDS + 1)
    )
    assert await sync_to_async(retention.prune)() == 1
    assert [row.pk async for row in Conversation.objects.all()] == [kept.conversation_id]
    assert not await RunEvent.objects.filter(run_id=run.pk).aexists()
    assert (await client.send("POST", f"{path}/restore")).status_code == 404


async def test_delete_stops_a_run_that_begins_meanwhile(client_of, alice, slow, conversation, monkeypatch):
    remove = vars(Conversation)["remove"]
    runs = []

    async def ask_and_remove(row):
        runs.append(await row.ask("Late", assistant="slow"))
        await engine.start(runs[0])
        await wait_for_text(runs[0])
        await remove(row)

    monkeypatch.setattr(Conversation, "remove", ask_and_remove)
    async with slow():
        assert (await client_of(alice).send("DELETE", f"/api/conversations/{conversation.pk}")).status_code == 204
        await wait_for_run(runs[0])
    assert runs[0].status == "cancelled"


async def test_deleted_conversation_cannot_be_written(alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    row = await Conversation.objects.acreate(owner=alice)
    await Conversation.objects.aupdate(deleted_at=timezone.now())
    before = await all_rows()
    with pytest.raises(Exception, match="no longer exists"):
        await row.ask("Hi")
    assert await all_rows() == before


# Temporary ones -------------------------------------------------------------------------------------------------------


async def test_temporary_conversation_is_not_listed_and_deleted_at_once(client_of, alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    client = client_of(alice)
    created = (await client.send("POST", "/api/conversations", {"is_temporary": True})).json()
    assert created["is_temporary"] is True
    path = f"/api/conversations/{created['id']}"
    answer = await client.send("POST", f"{path}/messages", {"text": "secret plan"})
    await wait_for_run(await Run.objects.select_related("message", "conversation").aget(pk=answer.json()["run_id"]))
    assert await listed(client) == await listed(client, q="secret") == []
    assert len((await client.get(f"{path}/messages")).json()["items"]) == 2
    assert (await client.send("DELETE", path)).status_code == 204
    assert not await Conversation.objects.aexists()


async def test_temporary_conversation_cannot_be_shared(client_of, alice, conversation):
    await Conversation.objects.aupdate(is_temporary=True)
    before = await all_rows()
    answer = await client_of(alice).send("POST", f"/api/conversations/{conversation.pk}/shares")
    assert assert_error(answer, 409) == "temporary"
    assert await all_rows() == before


async def test_temporary_cannot_be_changed(client_of, alice, three):
    before = await all_rows()
    assert_error(await change(client_of(alice), three[0], is_temporary=True))
    assert await all_rows() == before


# Branches -------------------------------------------------------------------------------------------------------------


async def test_leaf_remembers_the_visible_branch(client_of, alice, charlie, finished_run):
    run = await finished_run("one")
    client, path = client_of(alice), f"/api/conversations/{run.conversation_id}"
    assert (await client.get(path)).json()["leaf_id"] is None
    answer = await client.send("PATCH", path, {"leaf_id": str(run.message_id)})
    assert answer.json()["leaf_id"] == (await client.get(path)).json()["leaf_id"] == str(run.message_id)
    other = await Conversation.objects.acreate(owner=charlie)
    message = await other.messages.acreate(role="user", text="Elsewhere")
    before = await all_rows()
    assert assert_error(await client.send("PATCH", path, {"leaf_id": str(message.pk)})) == "unknown_message"
    assert await all_rows() == before


# Search ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def said(alice):
    async def write(title, *texts):
        row = await Conversation.objects.acreate(owner=alice, title=title)
        for number, text in enumerate(texts):
            await row.messages.acreate(role="user", text=text, created_at=timezone.now() + timedelta(seconds=number))
        return row

    return write


async def test_search_returns_snippets(client_of, alice, said):
    row = await said("A trip", "Where is the castle?", f"{'x' * 100} The CASTLE of Himeji\nis white {'y' * 100}")
    item = (await client_of(alice).get("/api/conversations", {"q": "castle"})).json()["items"][0]
    newest = [message async for message in row.messages.all()][-1]
    assert item["id"] == str(row.pk)
    assert item["snippet"] == {
        "before": f"…{'x' * 55} The ",
        "match": "CASTLE",
        "after": f" of Himeji is white {'y' * 40}…",
        "message_id": str(newest.pk),
    }


async def test_search_snippet_can_be_the_title(client_of, alice, said):
    await said("A trip to Himeji", "Where is it?")
    item = (await client_of(alice).get("/api/conversations", {"q": "himeji"})).json()["items"][0]
    assert item["snippet"] == {"before": "A trip to ", "match": "Himeji", "after": "", "message_id": None}


async def test_search_finds_all_words_in_any_order(client_of, alice, said):
    await said("one", "white castle")
    await said("two", "castle", "white")
    await said("white", "castle")
    client = client_of(alice)
    assert await listed(client, q="castle white") == ["one"]
    assert await listed(client, q="  castle   ") == ["white", "two", "one"]


@pytest.mark.parametrize("word", ["姫路", "城は", "50%", "a_b", "\\d", "'", "()", "ÉCOLE"])
async def test_search_finds_short_words_and_punctuation(client_of, alice, said, word):
    await said("here", f"…{word.lower()}…")
    await said("elsewhere", "something else, 50 5% ab a1b d")
    assert await listed(client_of(alice), q=word) == ["here"]


async def test_search_finds_titles_in_either_case(client_of, alice, said):
    await said("Ärger mit Ölgötzen", "x")
    assert await listed(client_of(alice), q="ärger ÖLGÖTZE") == ["Ärger mit Ölgötzen"]


async def test_search_finds_nothing_of_others(client_of, charlie, said):
    await said("mine", "castle")
    assert await listed(client_of(charlie), q="castle") == []


# News -----------------------------------------------------------------------------------------------------------------


NEWS = "/ws/news"


async def test_updates_reach_every_page_of_the_owner(socket_of, client_of, alice, charlie, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    client = client_of(alice)
    async with (
        socket_of(alice, path=NEWS) as one,
        socket_of(alice, path=NEWS) as two,
        socket_of(charlie, path=NEWS) as others,
    ):
        created = (await client.send("POST", "/api/conversations", {"title": "Mine"})).json()
        for socket in (one, two):
            assert await socket.receive_event() == {"type": "conversation.changed", "conversation": created}
        path = f"/api/conversations/{created['id']}"
        await client.send("PATCH", path, {"title": "Still mine"})
        assert (await one.receive_event())["conversation"]["title"] == "Still mine"
        answer = await client.send("POST", f"{path}/messages", {"text": "Hi"})
        begun = (await one.receive_event())["conversation"]
        await wait_for_run(await Run.objects.select_related("message", "conversation").aget(pk=answer.json()["run_id"]))
        ended = (await one.receive_event())["conversation"]
        assert created["updated_at"] < begun["updated_at"] <= ended["updated_at"]
        await client.send("DELETE", path)
        assert await one.receive_event("conversation.deleted") == {"type": "conversation.deleted", "id": created["id"]}
        await client.send("POST", f"{path}/restore")
        assert (await one.receive_event())["conversation"]["title"] == "Still mine"
        assert await others.receive_nothing()


async def test_updates_leave_out_temporary_conversations(socket_of, client_of, alice):
    async with socket_of(alice, path=NEWS) as socket:
        await client_of(alice).send("POST", "/api/conversations", {"is_temporary": True})
        assert await socket.receive_nothing()


async def test_updates_socket_needs_a_login(socket_of, transactional_db):
    async with socket_of(None, path=NEWS) as socket:
        assert await socket.close_code() == 4401


async def test_updates_end_with_the_session(socket_of, client_of, alice, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(consumers, "POLL_INTERVAL", 0.02)
    async with socket_of(alice, path=NEWS) as socket:
        await Session.objects.all().adelete()
        assert await socket.close_code() == 4401


async def test_updates_that_cannot_be_sent_delay_no_request(client_of, alice, monkeypatch, caplog):
    class LayerThatIsAway:
        async def group_send(self, group, message):
            raise ConnectionError

    monkeypatch.setattr(broadcast, "get_channel_layer", LayerThatIsAway)
    assert (await client_of(alice).send("POST", "/api/conversations", {"title": "Mine"})).status_code == 201
    assert f"The pages of user {alice.pk} could not be notified" in caplog.text
