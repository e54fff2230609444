"""Errors are stored in the language of the user who asked, and shown to staff in their own."""

import re

import pytest
from django.utils.translation import gettext, ngettext, override

from chat.models import Run
from chat.stored_sentences import template_of, translate
from scripts import makemessages
from tests.admin.pages import change_url, get_page

WHERE_ERRORS_ARE_MADE = re.compile("chat/(providers|engine|models|tools)/")
SAMPLES = {"setting": "RUN_SECONDS", "seconds": "1,800", "message": "No (really) 100% [free] slots. 満員です"}


def sentences():
    """Returns the sentences that a run's error, or that of its tool, may consist of."""
    entries = [entry for entry in makemessages.extract_catalog() if isinstance(entry.id, str)]
    return [
        entry.id
        for entry in entries
        if entry.id.endswith((".", ")s")) and any(WHERE_ERRORS_ARE_MADE.search(path) for path, _line in entry.locations)
    ]


def values_of(sentence):
    names = re.findall(r"%\((\w+)\)s", sentence)
    return {name: SAMPLES.get(name, f"<{name} 1>") for name in names}


def in_language(language, sentence):
    with override(language):
        text = gettext(sentence)
    return text % values_of(sentence) if values_of(sentence) else text


@pytest.mark.parametrize(("asked", "read"), [("ja", "en"), ("en", "ja"), ("ja", "ja"), ("en", "en")])
def test_each_sentence_is_shown_in_the_language_of_the_reader(asked, read):
    known = sentences()
    assert len(known) > 100
    with override(read):
        shown = {sentence: translate(in_language(asked, sentence)) for sentence in known}
    expected = {sentence: in_language(read, sentence) for sentence in known}
    # Not the case: Japanese has one sentence for "The environment variable…" and "the environment variable…".
    assert [(text, expected[id]) for id, text in shown.items() if text.lower() != expected[id].lower()] == []


@pytest.mark.parametrize("number", [1, 1800])
@pytest.mark.parametrize(("asked", "read"), [("ja", "en"), ("en", "ja"), ("en", "en")])
def test_each_sentence_with_a_count_is_shown_in_the_language_of_the_reader(asked, read, number):
    pairs = [entry.id for entry in makemessages.extract_catalog() if entry.id and not isinstance(entry.id, str)]
    assert len(pairs) > 5

    def in_language(language, pair):
        with override(language):
            text = ngettext(*pair, number)
        return text % {name: f"{number:,}" if name != "setting" else "RUN_SECONDS" for name in values_of(text)}

    with override(read):
        assert [translate(in_language(asked, pair)) for pair in pairs] == [in_language(read, pair) for pair in pairs]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (
            "プロバイダーからエラーが返されました：Rate \n limit reached",
            "The provider reported an error: Rate \n limit reached",
        ),
        ("プロバイダーからエラーが返されました：error", "The provider reported an error: error"),
        ("Our own words.", "Our own words."),
        ("満員です。あとでもう一度。", "満員です。あとでもう一度。"),
        ("error", "error"),
        ("", ""),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_words_of_others_stay_as_they_were(stored, shown):
    with override("en"):
        assert translate(stored) == shown


def test_name_of_a_field_in_a_sentence_is_translated_as_well():
    with override("ja"):
        field = gettext("maximum silence (seconds)")
        place = gettext("the assistant's “%(field)s”") % {"field": field}
        sentence = "The model stopped responding: it sent nothing for %(seconds)s seconds (%(setting)s)."
        stored = gettext(sentence) % {"seconds": "30", "setting": place}
    assert field in stored
    expected = (
        "The model stopped responding: it sent nothing for 30 seconds (the assistant's “maximum silence (seconds)”)."
    )
    with override("en"):
        assert translate(stored) == expected


@pytest.mark.parametrize("code", ["broken_off", "internal", "malformed", "timeout", "refused", "a_code_of_an_app"])
async def test_error_of_any_code_is_in_the_language_of_the_reader(client_of, bob, finished_run, code):
    run = await finished_run("one")
    stored = in_language("ja", "The model's server sent a response that cannot be read.")
    await Run.objects.aupdate(status="failed", error_code=code, error_message=stored)
    client = client_of(bob)
    for page in (change_url(run), change_url(run.conversation)):
        html = await get_page(client, page)
        assert "The model&#x27;s server sent a response that cannot be read." in html
        assert stored not in html


async def test_error_of_a_tool_is_in_the_language_of_the_reader(client_of, bob, finished_run):
    run = await finished_run("one")
    stored = in_language("ja", "The connection to the tool server “%(server)s” was closed.")
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": None, "error": stored}
    run.message.parts = [call]
    await run.message.asave()
    html = await get_page(client_of(bob), change_url(run.conversation))
    assert "The connection to the tool server “&lt;server 1&gt;” was closed." in html
    assert stored not in html


@pytest.mark.parametrize(
    ("sentence", "text", "values"),
    [
        ("%(a)s of %(b)s", "one of two of three", {"a": "one", "b": "two of three"}),
        ("%(a)s: %(b)s.", "x: y.", {"a": "x", "b": "y"}),
        ("%(a)s: %(b)s.", "x.", None),
        ("%(a)s is %(a)s", "1 is 1", {"a": "1"}),
        ("%(a)s is %(a)s", "1 is 2", None),
        ("aba%(a)saba", "aba", None),
        ("%(a)s%(b)s!", "xy!", {"a": "xy", "b": ""}),
        ("100%% of %(a)s", "100% of it", {"a": "it"}),
        ("(%(a)s", "(", {"a": ""}),
    ],
)
def test_values_of_a_stored_sentence(sentence, text, values):
    assert template_of(sentence, sentence).values_in(text) == values
