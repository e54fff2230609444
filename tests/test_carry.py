"""Taking conversations along, out of here and back in again; and from ChatGPT."""

import io
import json
import zipfile

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chat import carry, engine, pictures
from chat.events import Finish, Reasoning, Text, ToolCallResult, ToolCallStart
from chat.models import Assistant, Conversation, Message, Refused

from .conftest import over
from .test_bad_input import refusal, rows
from .test_pictures import PICTURE


async def body(answer):
    return b"".join([chunk async for chunk in answer]) if answer.streaming else answer.content


async def send_in(client, data, name="conversations.json"):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return await client.post("/api/import", {"file": SimpleUploadedFile(name, data)})


@pytest.fixture
async def talk(alice, script, ask):
    """A conversation with everything in it, and two answers to its one question."""
    pieces = [Reasoning("hm"), ToolCallStart("c", "clock"), ToolCallResult("c", "noon"), Text("# Noon\n\n`now`")]
    assistant = await script("teller", *pieces, Finish("stop"), sees_images=True, is_default=True)
    image = await sync_to_async(pictures.keep)(alice, PICTURE)
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant, title="What/time?")
    document = {"type": "document", "name": "a.md", "text": "```\nx\n```"}
    run = await row.ask("何時？", attachments=[image.pk], documents=[document])
    await engine.start(run)
    await over(run)
    again = await run.message.regenerate()
    await engine.start(again)
    await over(again)
    return row


async def tree(row):
    """The messages as a tree of (role, parts without images' ids)."""
    messages = [message async for message in row.messages.all()]

    def below(parent):
        return [
            (one.role, [{**part, "id": "?"} if part["type"] == "image" else part for part in one.parts], below(one.pk))
            for one in messages
            if one.parent_id == parent
        ]

    return below(None)


# Out ------------------------------------------------------------------------------------------------------------------


async def test_markdown_is_the_branch_that_is_shown(client_of, alice, talk):
    answer = await client_of(alice).get(f"/api/conversations/{talk.pk}/export?format=markdown")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''Whattime%3F.md".replace("%3F", "")
    text = answer.content.decode()
    assert text.startswith("# What/time?\n\n## You\n\n*20")
    for line in (
        "*(an image)*",
        "**a.md**",
        "````\n```\nx\n```\n````",
        "何時？",
        "## teller",
        "*(used clock)*",
        "# Noon",
    ):
        assert line in text
    assert text.count("# Noon") == 1
    assert "hm" not in text
    assert "\n\n\n" not in text


async def test_an_empty_one_is_a_title(client_of, alice):
    row = await Conversation.objects.acreate(owner=alice)
    answer = await client_of(alice).get(f"/api/conversations/{row.pk}/export?format=markdown")
    assert answer.content == b"# Chat\n"


async def test_json_holds_every_branch(client_of, alice, talk):
    answer = await client_of(alice).get(f"/api/conversations/{talk.pk}/export")
    told = json.loads(answer.content)
    assert (told["format"], told["version"]) == ("chat-export", 1)
    (one,) = told["conversations"]
    assert [message["role"] for message in one["messages"]] == ["user", "assistant", "assistant"]
    assert one["messages"][1]["status"] == "completed"
    assert len(one["images"]) == 1


async def test_all_of_ones_data_is_one_file(client_of, alice, charlie, talk):
    await Conversation.objects.acreate(owner=charlie, title="Charlie's secret")
    await Conversation.objects.acreate(owner=alice, title="Another")
    await Conversation.objects.acreate(owner=alice, title="Not to be kept", is_temporary=True)
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"instructions": "I live in Nara."})
    answer = await client.get("/api/export")
    told = json.loads(await body(answer))
    assert [row["title"] for row in told["conversations"]] == ["What/time?", "Another"]
    assert told["person"]["username"] == "alice"
    assert told["person"]["preferences"]["instructions"] == "I live in Nara."
    assert json.loads(await body(await client_of(charlie).get("/api/export")))["conversations"][0]["messages"] == []


async def test_a_strange_format_is_refused(client_of, alice, talk):
    refusal(await client_of(alice).get(f"/api/conversations/{talk.pk}/export?format=pdf"))


# In again -------------------------------------------------------------------------------------------------------------


async def test_what_went_out_comes_back_in(client_of, alice, charlie, talk):
    told = await body(await client_of(alice).get("/api/export"))
    client = client_of(charlie)
    answer = await send_in(client, told)
    assert (answer.status_code, answer.json()) == (201, {"conversations": 1, "messages": 3, "known": 0})
    row = await Conversation.objects.aget(owner=charlie)
    assert (row.title, row.created_at, row.updated_at) == (
        talk.title,
        talk.created_at,
        (await Conversation.objects.aget(pk=talk.pk)).updated_at,
    )
    assert await tree(row) == await tree(talk)
    items = (await client.get(f"/api/conversations/{row.pk}/messages")).json()["items"]
    assert (await client.get(f"/api/attachments/{items[0]['parts'][0]['id']}")).status_code == 200
    assert [item["status"] for item in items] == ["completed"] * 3
    before = await rows()
    assert (await send_in(client, told)).json() == {"conversations": 0, "messages": 0, "known": 1}
    assert await rows() == before


async def test_what_is_pinned_or_archived_stays_so(client_of, alice, charlie):
    pinned = await Conversation.objects.acreate(owner=alice, title="Pinned", pinned_at=timezone.now())
    archived = await Conversation.objects.acreate(owner=alice, title="Archived", archived_at=timezone.now())
    await send_in(client_of(charlie), await body(await client_of(alice).get("/api/export")))
    for row in (pinned, archived):
        copy = await Conversation.objects.aget(owner=charlie, title=row.title)
        assert (copy.pinned_at, copy.archived_at) == (row.pinned_at, row.archived_at)


async def test_ratings_and_the_assistant_come_back_too(client_of, alice, charlie, talk, script):
    rating = {"rating": "down", "reason": "Not true", "comment": "It was Tuesday."}
    await talk.messages.filter(role="assistant").aupdate(feedback=rating)
    gone = await Conversation.objects.acreate(owner=alice, title="Gone", assistant=await script("gone"))
    told = await body(await client_of(alice).get("/api/export"))
    await gone.assistant.adelete()
    await send_in(client_of(charlie), told)
    row = await Conversation.objects.select_related("assistant").aget(owner=charlie, title=talk.title)
    assert row.assistant == (await Conversation.objects.select_related("assistant").aget(pk=talk.pk)).assistant
    assert [message.feedback async for message in row.messages.order_by("created_at")][1] == rating
    assert (await Conversation.objects.aget(owner=charlie, title="Gone")).assistant_id is None


async def test_one_can_go_on_with_it(client_of, alice, charlie, talk):
    await send_in(client_of(charlie), await body(await client_of(alice).get("/api/export")))
    row = await Conversation.objects.aget(owner=charlie)
    answer = await client_of(charlie).send("POST", "/api/chat", {"text": "And now?", "conversation_id": str(row.pk)})
    assert answer.status_code == 200


async def test_ones_own_export_makes_no_copies(client_of, alice, talk):
    client = client_of(alice)
    assert (await send_in(client, await body(await client.get("/api/export")))).json()["known"] == 1
    assert await Conversation.objects.acount() == 1


async def test_what_was_deleted_comes_back_from_a_file(client_of, alice, charlie, talk):
    told = await body(await client_of(alice).get("/api/export"))
    client = client_of(charlie)
    await send_in(client, told)
    row = await Conversation.objects.aget(owner=charlie)
    await client.send("DELETE", f"/api/conversations/{row.pk}")
    assert (await send_in(client, told)).json()["conversations"] == 1
    assert len((await client.get("/api/conversations")).json()["items"]) == 1


# From ChatGPT ---------------------------------------------------------------------------------------------------------


def node(id, parent, role=None, *parts, kind="text", **more):
    message = None
    if role:
        content = (
            {"content_type": kind, "parts": list(parts)} if kind != "code" else {"content_type": kind, "text": parts[0]}
        )
        message = {"id": id, "author": {"role": role}, "content": content, "create_time": 1.7e9 + int(id), **more}
    return {"id": id, "parent": parent, "children": [], "message": message}


def chatgpt(*nodes, **more):
    head = {"conversation_id": "abc", "title": "Trip", "create_time": 1.7e9, "update_time": 1.7e9 + 50}
    return [head | {"mapping": {one["id"]: one for one in nodes}, "current_node": nodes[-1]["id"]} | more]


EXPORT = chatgpt(
    node("0", None),
    node("1", "0", "system", "You are…"),
    node("2", "1", "user", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
    node("3", "2", "user", "Where is it?", {"asset_pointer": "file://x"}, kind="multimodal_text"),
    node("4", "3", "assistant", "In Nara."),
    node("5", "3", "assistant", "print(1)", kind="code"),
    node("6", "5", "tool", "1"),
    node("7", "6", "assistant", "thinking", kind="thoughts"),
    node("8", "7", "assistant", "In Himeji.", "Really."),
)


@pytest.mark.parametrize("zipped", [False, True])
async def test_chatgpts_export_is_read(client_of, alice, zipped):
    data = json.dumps(EXPORT).encode()
    if zipped:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("chat.html", "<html>")
            archive.writestr("conversations.json", data)
        data = file.getvalue()
    answer = await send_in(client_of(alice), data)
    assert (answer.status_code, answer.json()) == (201, {"conversations": 1, "messages": 4, "known": 0})
    row = await Conversation.objects.select_related("leaf").aget()
    assert (row.title, row.created_at.timestamp(), row.leaf.text) == ("Trip", 1.7e9, "In Himeji.\n\nReally.")

    def said(role, text, *below):
        return (role, [{"type": "text", "text": text}], list(below))

    assert await tree(row) == [
        said(
            "user",
            "Where is it?",
            said("assistant", "In Nara."),
            said("assistant", "```\nprint(1)\n```", said("assistant", "In Himeji.\n\nReally.")),
        )
    ]


async def test_chatgpts_archive_stays_one(client_of, alice):
    await send_in(client_of(alice), chatgpt(node("1", None, "user", "Hi"), is_archived=True))
    row = await Conversation.objects.aget()
    assert row.archived_at == row.updated_at


async def test_what_was_spoken_or_shown_to_chatgpt_is_not_lost(client_of, alice):
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"}
    voice = {"content_type": "real_time_user_audio_video_asset_pointer"}
    spoken = {"content_type": "audio_transcription", "text": "Which bird is it?"}
    nodes = [
        node("1", None, "user", image, "What is it?", kind="multimodal_text"),
        node("2", "1", "user", voice, spoken, kind="multimodal_text"),
        node("3", "2", "assistant", image, kind="multimodal_text"),
    ]
    await send_in(client_of(alice), chatgpt(*nodes))
    texts = [message.text async for message in Message.objects.order_by("created_at")]
    assert texts == ["(an image)\n\nWhat is it?", "Which bird is it?", "(an image)"]


async def test_chatgpts_marks_of_sources_are_left_out(client_of, alice):
    name = '\ue200entity\ue202["city","Nara","in Japan"]\ue201'
    text = f"It is {name}.\ue200cite\ue202turn0search1\ue202turn0search2\ue201 Really\ue200entity\ue202[1]\ue201."
    await send_in(client_of(alice), chatgpt(node("1", None, "assistant", text)))
    assert (await Message.objects.aget()).text == "It is Nara. Really."


async def test_a_long_one_is_read(alice):
    nodes = [node("0", None)] + [node(str(n), str(n - 1), "user", f"{n}") for n in range(1, 3001)]
    count = await sync_to_async(carry.take_in)(alice, json.dumps(chatgpt(*nodes)).encode())
    assert count["messages"] == 3000
    assert [m.text async for m in Message.objects.order_by("created_at")] == [str(n) for n in range(1, 3001)]


OURS = {
    "format": "chat-export",
    "version": 1,
    "conversations": [
        {
            "id": "x",
            "title": "T",
            "created_at": "2026-01-01",
            "updated_at": "2026-01-01",
            "messages": [
                {
                    "id": "1",
                    "parent_id": None,
                    "role": "user",
                    "parts": [{"type": "text", "text": "Hi"}],
                    "created_at": "2026-01-01",
                }
            ],
        }
    ],
}


def damaged(**fields):
    return OURS | {"conversations": [OURS["conversations"][0] | fields]}


def with_message(**fields):
    return damaged(messages=[OURS["conversations"][0]["messages"][0] | fields])


NO_EXPORTS = {
    "nothing": b"",
    "no JSON": b"Hello",
    "bad UTF-8": b"\xff\xfe{",
    "deep": b"[" * 100_000,
    "a number": b"5",
    "an empty object": {},
    "another format": {"format": "other", "conversations": []},
    "a list of nothing": [5],
    "no conversations": {"format": "chat-export", "conversations": 5},
    "a conversation that is none": {"format": "chat-export", "conversations": [5]},
    "a title that is none": damaged(title=5),
    "messages that are none": damaged(messages=5),
    "a role of its own": with_message(role="system"),
    "a part of its own": with_message(parts=[{"type": "html", "text": "<b>"}]),
    "a part without text": with_message(parts=[{"type": "text"}]),
    "parts that are none": with_message(parts="Hi"),
    "a message that is its own parent": with_message(parent_id="1"),
    "a rating of its own": with_message(feedback={"rating": "sideways", "reason": "", "comment": ""}),
    "a rating that is none": with_message(feedback=5),
    "an assistant that is none": damaged(assistant=5),
    "two of one name": damaged(messages=OURS["conversations"][0]["messages"] * 2),
    "an image that is none": damaged(
        images={"i": {"data": "aGk="}},
        messages=[OURS["conversations"][0]["messages"][0] | {"parts": [{"type": "image", "id": "i"}]}],
    ),
    "a mapping that is none": [{"mapping": 5}],
    "nodes that are none": [{"mapping": {"1": 5}}],
    "an author that is none": [{"mapping": {"1": {"message": {"author": None}}}}],
    "an empty zip file": b"PK\x05\x06" + bytes(18),
    "a broken zip file": b"PK\x03\x04" + bytes(50),
}


async def test_what_is_no_export_changes_nothing(client_of, alice, subtests):
    client = client_of(alice)
    await client.get("/health")
    before = await rows()
    for name, data in NO_EXPORTS.items():
        with subtests.test(name):
            answer = await send_in(client, data)
            refusal(answer, answer.status_code)
            assert 400 <= answer.status_code < 500
            assert await rows() == before


def test_ours_is_whole():
    """Else the damaged ones above would be refused for another reason."""
    assert carry._ours(OURS["conversations"][0])["messages"][0]["parts"] == [{"type": "text", "text": "Hi"}]


anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(
                ["mapping", "message", "author", "role", "content", "parts", "type", "text", "id", "messages"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything)
def test_no_conversation_is_too_strange(value):
    """Whatever stands in a file, it is read or Refused."""
    for read in (carry._ours, carry._chatgpt):
        try:
            read(value)
        except Refused:
            pass


# Shared ---------------------------------------------------------------------------------------------------------------


async def share(client, row):
    answer = await client.send("POST", f"/api/conversations/{row.pk}/shares")
    assert answer.status_code == 201
    return answer.json()


def page_data(answer):
    text = answer.content.decode()
    return json.loads(text.partition('<script id="page-data" type="application/json">')[2].partition("</script>")[0])


async def test_a_shared_chat_is_a_copy_without_steps(client_of, alice, charlie, talk):
    client = client_of(alice)
    told = await share(client, talk)
    await Message.objects.all().aupdate(text="changed", parts=[])
    answer = await client_of(charlie).get(told["url"])
    assert answer.status_code == 200
    data = page_data(answer)
    assert [message["role"] for message in data["messages"]] == ["user", "assistant"]
    assert [part["type"] for part in data["messages"][1]["parts"]] == ["text"]
    assert data["messages"][1]["name"] == "teller"
    image = data["messages"][0]["parts"][0]
    assert (await client_of(charlie).get(f"{told['url']}images/{image['id']}")).status_code == 200
    assert (await client_of(charlie).get(f"/api/attachments/{image['id']}")).status_code == 404
    assert answer["Referrer-Policy"] == "no-referrer"


async def test_without_a_login_only_if_the_site_lets_everybody_read(client_of, alice, talk, settings):
    told = await share(client_of(alice), talk)
    image = f"{told['url']}images/{(await talk.messages.afirst()).parts[0]['id']}"
    answer = await client_of().get(told["url"])
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={told['url']}")
    assert (await client_of().get(image)).status_code == 401
    settings.PUBLIC_SHARES = True
    assert (await client_of().get(told["url"])).status_code == 200
    assert (await client_of().get(image)).status_code == 200


async def test_a_revoked_link_leads_nowhere(client_of, alice, charlie, talk):
    client = client_of(alice)
    told = await share(client, talk)
    path = f"/api/conversations/{talk.pk}/shares"
    assert [item["token"] for item in (await client.get(path)).json()["items"]] == [told["token"]]
    assert (await client_of(charlie).send("DELETE", f"/api/shares/{told['token']}")).status_code == 404
    assert (await client.send("DELETE", f"/api/shares/{told['token']}")).status_code == 204
    assert (await client_of(charlie).get(told["url"])).status_code == 404
    assert (await client.get(path)).json()["items"] == []


async def test_what_was_deleted_is_shared_no_more(client_of, alice, charlie, talk):
    client = client_of(alice)
    told = await share(client, talk)
    await client.send("DELETE", f"/api/conversations/{talk.pk}")
    assert (await client_of(charlie).get(told["url"])).status_code == 404


async def test_there_is_nothing_to_share_in_an_empty_one(client_of, alice):
    row = await Conversation.objects.acreate(owner=alice, assistant=await Assistant.objects.afirst())
    answer = await client_of(alice).send("POST", f"/api/conversations/{row.pk}/shares")
    assert refusal(answer, 409) == "empty"


async def test_the_page_to_print_shows_the_branch(client_of, alice, charlie, talk):
    answer = await client_of(alice).get(f"/c/{talk.pk}/print/")
    assert [message["role"] for message in page_data(answer)["messages"]] == ["user", "assistant"]
    assert (await client_of(charlie).get(f"/c/{talk.pk}/print/")).status_code == 404
