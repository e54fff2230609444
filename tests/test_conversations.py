"""What a person does with conversations, and that all of his pages hear of it."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from chat import access, consumers, engine, news
from chat.engine import journal
from chat.events import Finish, Text
from chat.models import Conversation, Run, RunEvent

from .conftest import over
from .test_bad_input import refusal, rows
from .test_websocket import socket_of  # noqa: F401


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


async def test_a_pinned_one_is_listed_apart(client_of, alice, three):
    client = client_of(alice)
    answer = await change(client, three[2], is_pinned=True)
    assert answer.status_code == 200
    assert answer.json()["is_pinned"] is True
    assert await listed(client, pinned=True) == ["oldest"]
    assert await listed(client, pinned=False) == ["newest", "middle"]
    assert await listed(client) == ["newest", "middle", "oldest"]
    await change(client, three[2], is_pinned=False)
    assert await listed(client, pinned=True) == []


async def test_the_archive_is_listed_apart_and_searched_with_the_rest(client_of, alice, three):
    client = client_of(alice)
    assert (await change(client, three[0], is_archived=True)).json()["is_archived"] is True
    assert await listed(client) == ["middle", "oldest"]
    assert await listed(client, archived=True) == ["newest"]
    assert await listed(client, q="newest") == ["newest"]
    await change(client, three[0], is_archived=False)
    assert await listed(client) == ["newest", "middle", "oldest"]


async def test_who_writes_in_an_archived_one_has_it_back(client_of, alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    row = await Conversation.objects.acreate(owner=alice, archived_at=timezone.now())
    await row.ask("Hi there")
    assert await listed(client_of(alice)) == ["Hi there"]


async def test_what_was_deleted_can_be_had_back(client_of, alice, charlie, finished_run):
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


async def test_what_was_deleted_goes_for_good_after_a_while(client_of, alice, finished_run, settings):
    run = await finished_run("one two")
    kept = await finished_run("three")
    client, path = client_of(alice), f"/api/conversations/{run.conversation_id}"
    await client.send("DELETE", path)
    assert await engine.here().desk(0, journal.prune) == 0
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(
        deleted_at=timezone.now() - timedelta(seconds=settings.UNDO_SECONDS + 1)
    )
    assert await engine.here().desk(0, journal.prune) == 1
    assert [row.pk async for row in Conversation.objects.all()] == [kept.conversation_id]
    assert not await RunEvent.objects.filter(run_id=run.pk).aexists()
    assert (await client.send("POST", f"{path}/restore")).status_code == 404


async def test_nobody_writes_into_what_was_deleted(alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    row = await Conversation.objects.acreate(owner=alice)
    await Conversation.objects.aupdate(deleted_at=timezone.now())
    before = await rows()
    with pytest.raises(Exception, match="does not exist any more"):
        await row.ask("Hi")
    assert await rows() == before


# Temporary ones -------------------------------------------------------------------------------------------------------


async def test_a_temporary_one_is_listed_nowhere_and_goes_at_once(client_of, alice, script):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    client = client_of(alice)
    created = (await client.send("POST", "/api/conversations", {"is_temporary": True})).json()
    assert created["is_temporary"] is True
    path = f"/api/conversations/{created['id']}"
    answer = await client.send("POST", f"{path}/messages", {"text": "secret plan"})
    await over(await Run.objects.select_related("message", "conversation").aget(pk=answer.json()["run_id"]))
    assert await listed(client) == await listed(client, q="secret") == []
    assert len((await client.get(f"{path}/messages")).json()["items"]) == 2
    assert (await client.send("DELETE", path)).status_code == 204
    assert not await Conversation.objects.aexists()


async def test_a_temporary_one_that_was_left_goes_after_a_while(alice):
    for age in (journal.FORGET / 2, journal.FORGET * 2):
        await Conversation.objects.acreate(owner=alice, is_temporary=True, updated_at=timezone.now() - age)
    assert await engine.here().desk(0, journal.prune) == 1
    assert await Conversation.objects.acount() == 1


async def test_it_stays_what_it_was_made(client_of, alice, three):
    before = await rows()
    refusal(await change(client_of(alice), three[0], is_temporary=True))
    assert await rows() == before


# Branches -------------------------------------------------------------------------------------------------------------


async def test_the_branch_that_is_shown_is_remembered(client_of, alice, charlie, finished_run):
    run = await finished_run("one")
    client, path = client_of(alice), f"/api/conversations/{run.conversation_id}"
    assert (await client.get(path)).json()["leaf_id"] is None
    answer = await client.send("PATCH", path, {"leaf_id": str(run.message_id)})
    assert answer.json()["leaf_id"] == (await client.get(path)).json()["leaf_id"] == str(run.message_id)
    other = await Conversation.objects.acreate(owner=charlie)
    message = await other.messages.acreate(role="user", text="Elsewhere")
    before = await rows()
    assert refusal(await client.send("PATCH", path, {"leaf_id": str(message.pk)})) == "unknown_message"
    assert await rows() == before


# Search ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def said(alice):
    async def write(title, *texts):
        row = await Conversation.objects.acreate(owner=alice, title=title)
        for number, text in enumerate(texts):
            await row.messages.acreate(role="user", text=text, created_at=timezone.now() + timedelta(seconds=number))
        return row

    return write


async def test_a_search_shows_where_the_words_stand(client_of, alice, said):
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


async def test_a_title_that_was_found_is_the_snippet(client_of, alice, said):
    await said("A trip to Himeji", "Where is it?")
    item = (await client_of(alice).get("/api/conversations", {"q": "himeji"})).json()["items"][0]
    assert item["snippet"] == {"before": "A trip to ", "match": "Himeji", "after": "", "message_id": None}


async def test_all_words_are_found_in_any_order(client_of, alice, said):
    await said("one", "white castle")
    await said("two", "castle", "white")
    await said("white", "castle")
    client = client_of(alice)
    assert await listed(client, q="castle white") == ["one"]
    assert await listed(client, q="  castle   ") == ["white", "two", "one"]


@pytest.mark.parametrize("word", ["姫路", "城は", "50%", "a_b", "\\d", "'", "()", "ÉCOLE"])
async def test_short_words_and_signs_are_found(client_of, alice, said, word):
    await said("here", f"…{word.lower()}…")
    await said("elsewhere", "something else, 50 5% ab a1b d")
    assert await listed(client_of(alice), q=word) == ["here"]


async def test_titles_are_found_in_either_case(client_of, alice, said):
    await said("Ärger mit Ölgötzen", "x")
    assert await listed(client_of(alice), q="ärger ÖLGÖTZE") == ["Ärger mit Ölgötzen"]


async def test_a_search_finds_nothing_of_others(client_of, charlie, said):
    await said("mine", "castle")
    assert await listed(client_of(charlie), q="castle") == []


# News -----------------------------------------------------------------------------------------------------------------


NEWS = "/ws/news"


async def test_every_page_of_hers_hears_what_changes(socket_of, client_of, alice, charlie, script):  # noqa: F811
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    client = client_of(alice)
    async with (
        socket_of(alice, path=NEWS) as one,
        socket_of(alice, path=NEWS) as two,
        socket_of(charlie, path=NEWS) as strangers,
    ):
        created = (await client.send("POST", "/api/conversations", {"title": "Mine"})).json()
        for socket in (one, two):
            assert await socket.hear() == {"type": "conversation.changed", "conversation": created}
        path = f"/api/conversations/{created['id']}"
        await client.send("PATCH", path, {"title": "Still mine"})
        assert (await one.hear())["conversation"]["title"] == "Still mine"
        answer = await client.send("POST", f"{path}/messages", {"text": "Hi"})
        begun = (await one.hear())["conversation"]
        await over(await Run.objects.select_related("message", "conversation").aget(pk=answer.json()["run_id"]))
        ended = (await one.hear())["conversation"]
        assert created["updated_at"] < begun["updated_at"] <= ended["updated_at"]
        await client.send("DELETE", path)
        assert await one.hear("conversation.deleted") == {"type": "conversation.deleted", "id": created["id"]}
        await client.send("POST", f"{path}/restore")
        assert (await one.hear())["conversation"]["title"] == "Still mine"
        assert await strangers.receive_nothing()


async def test_a_temporary_one_is_no_news(socket_of, client_of, alice):  # noqa: F811
    async with socket_of(alice, path=NEWS) as socket:
        await client_of(alice).send("POST", "/api/conversations", {"is_temporary": True})
        assert await socket.receive_nothing()


async def test_news_are_for_people(socket_of, transactional_db):  # noqa: F811
    async with socket_of(None, path=NEWS) as socket:
        assert await socket.closed() == 4401


async def test_who_logs_out_hears_no_more(socket_of, client_of, alice, monkeypatch):  # noqa: F811
    monkeypatch.setattr(access, "EVERY", 0.02)
    monkeypatch.setattr(consumers, "LOOK", 0.02)
    async with socket_of(alice, path=NEWS) as socket:
        await Session.objects.all().adelete()
        assert await socket.closed() == 4401


async def test_nothing_waits_for_news_that_cannot_be_spread(client_of, alice, monkeypatch, caplog):
    monkeypatch.setattr(news, "get_channel_layer", lambda: None)
    assert (await client_of(alice).send("POST", "/api/conversations", {"title": "Mine"})).status_code == 201
    assert "News could not be spread" in caplog.text
