"""Characters that cannot be stored or sent are replaced, wherever a server splits a text."""

import itertools

import pytest
from hypothesis import given, strategies

from chat.events import DeltaCleaner, Reasoning, Text, clean_text, fold
from tests.events.event_logs import any_case, characters, events_of


@pytest.mark.parametrize(
    "deltas, result",
    [
        (["abc"], ["abc"]),
        (["日本", "🙂"], ["日本", "🙂"]),
        (["\ud83d\ude42"], ["🙂"]),
        (["a\ud83d", "\ude42b"], ["a", "🙂b"]),
        (["\ud83d", "", "\ude42"], ["", "", "🙂"]),
        (["\ud83d", "a"], ["", "\ufffda"]),
        (["\ud83d", "\ud83d", "\ude42"], ["", "\ufffd", "🙂"]),
        (["\ude42"], ["\ufffd"]),
        (["a\0b", "\0"], ["ab", ""]),
        (["\0\ud83d", "\0\ude42"], ["", "\ufffd\ufffd"]),
        (["\ufeffa"], ["\ufeffa"]),
        (["a\ud83d"], ["a"]),
    ],
)
def test_delta_cleaner_joins_pairs_and_replaces_unpaired_surrogates(deltas, result):
    cleaner = DeltaCleaner()
    assert [cleaner(delta) for delta in deltas] == result


def test_surrogate_of_the_reasoning_is_not_joined_with_the_text():
    assert fold(events_of(Reasoning("a\ud83d"), Text("\ude42b"))) == [
        {"type": "reasoning", "text": "a"},
        {"type": "text", "text": "\ufffdb"},
    ]


@any_case
@given(characters)
def test_clean_text_can_be_stored_and_stays_clean(text):
    result = clean_text(text)
    assert "\0" not in result
    assert result.encode().decode() == result == clean_text(result)


@any_case
@given(strategies.text(strategies.characters(codec="utf-8", exclude_characters="\0")), strategies.data())
def test_delta_cleaner_keeps_valid_text_wherever_it_is_split(text, data):
    units = text.encode("utf-16-le")  # the most that a server can split: between the halves of a pair
    cuts = sorted(data.draw(strategies.sets(strategies.integers(0, len(units) // 2), max_size=10)))
    places = [0, *(cut * 2 for cut in cuts), len(units)]
    deltas = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(places)]
    cleaner = DeltaCleaner()
    assert "".join(cleaner(delta) for delta in deltas) == text
