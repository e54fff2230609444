"""The table of kinds of part: a new kind is a row of it, and every room shows, carries and finds it."""

import json
from typing import Literal, NotRequired, TypedDict

import pytest
from asgiref.sync import sync_to_async

from chat import engine, parts, transfer
from chat.events import Finish, Text
from chat.importers import task
from chat.models import Conversation, Message
from chat.transfer.importing import read_records
from chat.transfer.save import Importer, image_reader
from tests import scripted
from tests.waiting import wait_for_run


class CitationPart(TypedDict):
    type: Literal["citation"]
    title: str
    url: str | None
    page: NotRequired[int]


CITATION = {"type": "citation", "title": "Trains of Japan", "url": None, "page": 7}
STEPS = [
    {"type": "reasoning", "text": "hm", "seconds": 2.5},
    {"type": "tool_call", "id": "a", "name": "clock", "arguments": "{}", "result": "noon", "error": None},
    {"type": "tool_result", "id": "b", "result": None, "error": "It broke."},
]


@pytest.fixture
def citation(monkeypatch):
    kind = parts.Kind(
        fields=CitationPart,
        is_shared=True,
        text=lambda part: f" [{part['title']}]",
        to_model=lambda part: [{"type": "text", "text": f" (source: {part['title']})"}],
        to_markdown=lambda part: [f"> {part['title']}"],
        to_staff=lambda part: parts.StaffView(heading="Source", sections=(("", part["title"]),)),
    )
    monkeypatch.setitem(parts.KINDS, "citation", kind)


@pytest.fixture
async def answered(citation, script, ask):
    """A conversation whose answer has a citation."""
    run = await ask(await script("plain", Text("By train."), Finish("stop")))
    await wait_for_run(run)
    message = await Message.objects.aget(pk=run.message_id)
    message.parts += [CITATION]
    message.text = parts.text_of(message.parts)
    await message.asave()
    return await Conversation.objects.select_related("assistant").aget(pk=run.conversation_id)


async def test_new_kind_is_exported_and_imported(answered, charlie, tmp_path):
    markdown = await sync_to_async(lambda: "".join(transfer.export_markdown(answered)))()
    assert "By train.\n\n> Trains of Japan\n" in markdown
    data = await sync_to_async(lambda: "".join(transfer.export_json(answered)))()
    assert CITATION in json.loads(data)["conversations"][0]["messages"][1]["parts"]
    (tmp_path / "export").write_text(data)
    task.run(str(tmp_path / "export"), str(tmp_path), "")  # in this process: a worker has not the kind of this test
    (conversation,) = read_records(tmp_path / "records")
    await sync_to_async(Importer(charlie, image_reader(tmp_path / "images")).save)(conversation)
    imported = await Message.objects.aget(conversation__owner=charlie, role="assistant")
    assert CITATION in imported.parts
    assert imported.text == "By train. [Trains of Japan]"


async def test_new_kind_is_shared(answered):
    share = await answered.share()
    assert CITATION in share.messages[1]["parts"]


async def test_new_kind_is_searched(answered, client_of, alice):
    response = await client_of(alice).get("/api/conversations?q=trains+japan")
    assert [item["id"] for item in response.json()["items"]] == [str(answered.pk)]


async def test_new_kind_is_shown_to_a_model(answered):
    run = await answered.ask("And back?")
    await engine.start(run)
    await wait_for_run(run)
    _, shown = scripted.requests[-1].turns[1]
    assert shown == [{"type": "text", "text": "By train."}, {"type": "text", "text": " (source: Trains of Japan)"}]


async def test_new_kind_is_shown_to_staff(answered, client_of, django_user_model):
    admin = await django_user_model.objects.acreate_superuser("root")
    page = await client_of(admin).get(f"/admin/chat/conversation/{answered.pk}/change/")
    assert "Source" in page.text
    assert "Trains of Japan" in page.text


async def test_new_kind_is_part_of_an_agui_answer(answered):
    message = await Message.objects.aget(conversation=answered, role="assistant")
    assert parts.to_agui_messages("m", "assistant", message.parts) == [
        {"id": "m", "role": "assistant", "content": "By train. [Trains of Japan]"}
    ]


@pytest.mark.parametrize("part", [*STEPS, {"type": "text", "text": "Hi"}, {"type": "image", "id": "1"}, CITATION])
def test_read_part_reads_exported_parts(citation, part):
    assert parts.read_part(json.loads(json.dumps(part))) == part


@pytest.mark.parametrize(
    "value",
    [
        {"type": "unknown"},
        {"text": "Hi"},
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "text", "text": 1},
        {"type": "tool_call", "id": "a", "name": "clock", "arguments": {}},
        {"type": "tool_result", "id": "a", "result": 1},
        None,
        "text",
    ],
)
def test_read_part_refuses_what_is_not_a_part(value):
    with pytest.raises((KeyError, TypeError, ValueError)):
        parts.read_part(value)


def test_read_part_cleans_and_drops():
    value = {"type": "reasoning", "text": "a\0b", "seconds": "long", "color": "red"}
    assert parts.read_part(value) == {"type": "reasoning", "text": "ab"}
    assert parts.read_part({"type": "tool_result", "id": "a"}) == STEPS[2] | {"id": "a", "error": None}


def test_context_trimmed_is_shown_to_readers_and_is_not_text():
    part = {"type": "context_trimmed", "kept": 9}
    assert parts.read_part(part | {"color": "red"}) == part
    assert "model saw only the last 9 messages before this answer." in parts.for_staff(part).text
    assert parts.text_of([part]) == ""
    assert parts.for_model([part]) == []
    assert parts.for_share([part]) == [part]
    assert parts.to_markdown([part])[0].endswith("model saw only the last 9 messages before this answer.)*")
    for kept in (None, "9", True, 1.5):
        with pytest.raises((KeyError, ValueError)):
            parts.read_part({"type": "context_trimmed", "kept": kept})


def test_images_trimmed_is_shown_to_readers_and_is_not_text():
    part = {"type": "images_trimmed", "shown": 50}
    assert parts.read_part(part | {"color": "red"}) == part
    assert parts.for_staff(part).text.endswith("only the newest ones: 50.")
    assert (parts.text_of([part]), parts.for_model([part]), parts.for_share([part])) == ("", [], [part])


def test_file_trimmed_is_shown_to_readers_and_is_not_text():
    part = {"type": "file_trimmed", "name": "a.pdf", "unit": "page", "count": 9, "shown": 3}
    assert parts.text_of([part]) == ""
    assert parts.for_model([part]) == []
    assert parts.for_share([part]) == [part]
    assert "“a.pdf”" in parts.to_markdown([part])[0]


@pytest.mark.parametrize(
    "unit, shown, count, sentence",
    [
        ("page", 3, 9, "which saw 3 of its 9 pages."),
        ("sheet", 3, 9, "which saw 3 of its 9 sheets."),
        ("slide", 3, 9, "which saw 3 of its 9 slides."),
        ("message", 3, 9, "which saw 3 of its 9 emails."),
        ("page", 0, 9, "which saw at most its beginning."),
        ("page", 3, None, "which saw at most its beginning."),
        (None, 3, None, "which saw at most its beginning."),
        ("scroll", 3, 9, "which saw at most its beginning."),
    ],
)
def test_file_trimmed_names_the_unit_of_the_file(unit, shown, count, sentence):
    part = {"type": "file_trimmed", "name": "a", "unit": unit, "count": count, "shown": shown}
    assert parts.for_staff(part).text.endswith(sentence)


def test_unknown_kind_is_shown_to_staff_alone():
    unknown = [{"type": "hologram", "data": "…"}]
    assert parts.text_of(unknown) == ""
    assert parts.for_model(unknown) == []
    assert parts.for_share(unknown) == []
    assert parts.to_markdown(unknown) == []
    assert parts.for_staff(unknown[0]).heading == "hologram"
