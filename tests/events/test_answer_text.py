"""The answer as text that only grows."""

from chat.events import (
    AnswerText,
    Custom,
    MessagesSnapshot,
    ReasoningMessageContent,
    TextMessageContent,
    TextMessageStart,
)


def messages(answer):
    return [{"id": "q", "role": "user", "content": "Hi"}, {"id": "m", "role": "assistant", "content": answer}]


def test_answer_text_continues_after_what_was_shown_before_a_snapshot():
    new_text = AnswerText("m")
    assert new_text(TextMessageContent("m", "one ")) == "one "
    assert new_text(ReasoningMessageContent("r", "hm")) == ""
    assert new_text(MessagesSnapshot(messages("one two "))) == "two "
    assert new_text(MessagesSnapshot(messages("one two "))) == ""
    assert new_text(TextMessageContent("m", "three")) == "three"
    assert new_text(MessagesSnapshot(messages("one two three"))) == ""


def test_answer_text_begins_anew_where_the_text_was_withdrawn():
    new_text = AnswerText("m")
    assert new_text(TextMessageContent("m", "a thought")) == "a thought"
    new_text(Custom("part_withdrawn", {"type": "text"}))
    assert new_text(MessagesSnapshot(messages("The answer"))) == "The answer"


def test_answer_text_keeps_its_place_where_reasoning_was_withdrawn():
    new_text = AnswerText("m")
    new_text(TextMessageContent("m", "one "))
    new_text(Custom("part_withdrawn", {"type": "reasoning"}))
    assert new_text(MessagesSnapshot(messages("one two"))) == "two"


def test_answer_text_shows_nothing_twice_where_only_the_last_text_was_withdrawn():
    new_text = AnswerText("m")
    for text in ("Let me see. ", "a thought"):
        new_text(TextMessageStart("m"))
        new_text(TextMessageContent("m", text))
    new_text(Custom("part_withdrawn", {"type": "text"}))
    assert new_text(MessagesSnapshot(messages("Let me see. The answer"))) == "The answer"
