"""A search of many words costs little more than one of a few."""

import pytest

from chat import search
from chat.models import Conversation, Message
from chat.models.search_texts import MAX_WORDS, select_words

WORDS = [chr(ord("a") + number) * (3 + number) for number in range(MAX_WORDS)]  # each longer than the one before


@pytest.fixture
def write(alice):
    def create(*texts):
        row = Conversation.objects.create(owner=alice, title="Title")
        for text in texts:
            row.messages.create(role=Message.USER, text=text)
        return row

    return create


def found(user, words):
    return search.matching_conversations(Conversation.objects.visible_to(user), words, 100)


def test_all_of_ten_words_must_be_in_the_text(alice, write):
    row = write(" ".join(WORDS))
    for word in WORDS:
        write(" ".join(other for other in WORDS if other != word))
    assert found(alice, " ".join(WORDS)) == [row]


def test_of_more_words_the_longest_are_searched_for(alice, write):
    row = write(" ".join(WORDS))
    write(" ".join(WORDS[:-1]))
    assert found(alice, " ".join(["xy", *WORDS, "z"])) == [row]


def test_parts_of_other_words_do_not_count(alice, write):
    row = write(" ".join(WORDS))
    parts = [word[:-1] for word in WORDS]
    assert found(alice, " ".join(parts + WORDS)) == [row]


def test_longest_word_comes_first():
    assert select_words("of Paris paris in Capital ari") == ["capital", "paris", "of", "in"]
    assert select_words(" ".join(WORDS)) == WORDS[::-1]
    assert select_words("") == []
