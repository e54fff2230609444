"""The answer alone, as text that only grows: for readers who cannot take back what they have shown."""

from .types import PART_WITHDRAWN, Custom, Event, MessagesSnapshot, TextMessageContent


class AnswerText:
    """Returns the new text of each event of a run, in order. Reading may go on from a snapshot of the messages."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._shown_length = 0  # of the beginning of the stored answer

    def __call__(self, event: Event) -> str:
        match event:
            case TextMessageContent():
                self._shown_length += len(event.delta)
                return event.delta
            case MessagesSnapshot():
                answer = "".join(message["content"] for message in event.messages if message["id"] == self._message_id)
                new = answer[self._shown_length :]
                self._shown_length += len(new)
                return new
            case Custom(name=name, value=value) if name == PART_WITHDRAWN and value["type"] == "text":
                self._shown_length = 0
        return ""
