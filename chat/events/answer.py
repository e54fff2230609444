"""The answer alone, as text that only grows: for readers who cannot take back what they have shown."""

from .types import PART_WITHDRAWN, Custom, Event, MessagesSnapshot, TextMessageContent, TextMessageStart


class AnswerText:
    """Returns the new text of each event of a run, in order. Reading may go on from a snapshot of the messages."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._shown_lengths = [0]  # of each text in the stored answer, as far as it was shown

    def __call__(self, event: Event) -> str:
        match event:
            case TextMessageStart():
                self._shown_lengths.append(0)
            case TextMessageContent():
                self._shown_lengths[-1] += len(event.delta)
                return event.delta
            case MessagesSnapshot():
                return self._rest_of(event)
            case Custom(name=name, value=value) if name == PART_WITHDRAWN and value["type"] == "text":
                self._shown_lengths[-1:] = [] if len(self._shown_lengths) > 1 else [0]
        return ""

    def _rest_of(self, snapshot: MessagesSnapshot) -> str:
        answer = "".join(message["content"] for message in snapshot.messages if message["id"] == self._message_id)
        shown_length = sum(self._shown_lengths)
        rest = answer[shown_length:]
        self._shown_lengths = [shown_length + len(rest)]
        return rest
