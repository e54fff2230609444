"""Files that are too long for a model's context window are cut by whole pages, and this is said."""

import pytest

from chat import engine
from chat.engine.file_window import cut_files, file_tokens, without_files
from chat.engine.window import Prompt, estimate_tokens
from chat.events import Finish, Text
from chat.models import Attachment, Conversation, StoredFile
from chat.parts import for_model
from chat.providers import ContextOverflow, Request
from tests import scripted
from tests.waiting import wait_for_run


def file_part(name="a.pdf", pages=10, length=400):
    units = [{"label": str(number), "text": f"page {number} ".ljust(length, "x")} for number in range(1, pages + 1)]
    return {"type": "file", "name": name, "unit": "page", "count": pages, "units": units}


def turn(*parts, text="What is this?"):
    return "user", for_model([*parts, {"type": "text", "text": text}])


def pages_in(turns):
    return [
        line for _, parts in turns for part in parts for line in part["text"].split("\n") if line.startswith("[page")
    ]


def test_file_that_fits_is_not_cut():
    turns = [turn(file_part())]
    cut, trimmed = cut_files(turns, 10_000, estimate_tokens)
    assert (cut, trimmed) == (turns, [])


def test_file_is_cut_by_whole_pages_and_says_so():
    cut, trimmed = cut_files([turn(file_part())], 500, estimate_tokens)
    assert trimmed == [{"name": "a.pdf", "unit": "page", "count": 10, "shown": 3}]
    assert pages_in(cut) == ["[page 1]", "[page 2]", "[page 3]"]
    assert file_tokens(cut, estimate_tokens) <= 500
    text = cut[0][1][0]["text"]
    assert 'pages="10"' in text
    assert "left out" in text


def test_files_of_the_newest_question_come_first():
    turns = [turn(file_part("old.pdf")), ("assistant", [{"type": "text", "text": "A."}]), turn(file_part("new.pdf"))]
    cut, trimmed = cut_files(turns, 1_200, estimate_tokens)
    assert [(row["name"], row["shown"]) for row in trimmed] == [("old.pdf", 0)]
    assert pages_in(cut) == [f"[page {number}]" for number in range(1, 11)]
    assert "no room" in cut[0][1][0]["text"]


def test_first_page_that_is_too_long_is_cut_at_a_line():
    part = {
        "type": "file",
        "name": "a.txt",
        "unit": None,
        "count": None,
        "units": [{"label": "", "text": "line\n" * 900}],
    }
    cut, trimmed = cut_files([turn(part)], 500, estimate_tokens)
    assert trimmed == [{"name": "a.txt", "unit": None, "count": None, "shown": 0}]
    assert 100 < cut[0][1][0]["text"].count("line\n") < 400


def test_providers_get_text_alone():
    [(_, parts)] = without_files([turn(file_part())])
    assert [part.keys() for part in parts] == [{"type", "text"}] * 2


@pytest.fixture
def prompt():
    def make(turns, size=None):
        return Prompt(lambda kept: Request("m", kept, "scripted"), turns, size)

    return make


async def test_prompt_cuts_a_file_before_it_leaves_out_turns(prompt):
    turns = [turn(file_part(pages=100)), ("assistant", [{"type": "text", "text": "A."}]), turn(text="And?")]
    made = prompt(turns, 4_000)
    made.fit()
    assert made.kept is None
    assert 15 < len(pages_in(made.request.turns)) < 30
    assert made.trimmed_files[0]["shown"] == len(pages_in(made.request.turns))
    assert all("file" not in part for _, parts in made.request.turns for part in parts)


async def test_prompt_cuts_a_file_shorter_when_the_server_refuses(prompt):
    made = prompt([turn(file_part(pages=100))])
    made.fit()
    assert len(pages_in(made.request.turns)) == 100
    assert made.shorten(ContextOverflow("Too long", window=4_000))
    assert 0 < len(pages_in(made.request.turns)) < 40


async def test_reader_learns_what_the_model_saw(alice, script):
    assistant = await script("reader", Text("Read."), Finish("stop"), context_window=4_000)
    part = file_part(pages=100)
    file = await StoredFile.objects.acreate(
        name="a.pdf",
        media_type="application/pdf",
        size=1,
        characters=40_000,
        unit="page",
        count=100,
        units=part["units"],
    )
    row = await Attachment.objects.acreate(owner=alice, file=file, data=b"", width=0, height=0)
    conversation = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    run = await conversation.ask("What is this?", attachments=[row.pk])

    await engine.start(run)
    await wait_for_run(run)
    assert run.status == "completed"
    shown = len(pages_in(scripted.requests[-1].turns))
    assert run.message.parts[0] == {
        "type": "file_trimmed",
        "name": "a.pdf",
        "unit": "page",
        "count": 100,
        "shown": shown,
    }
    assert 5 < shown < 30
