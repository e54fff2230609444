"""What an agent's model is sent once its tools have filled the context window."""

from typing import Any

MAX_ATTEMPTS = 5  # to shorten the messages of one reply
MIN_RESULT_LENGTH = 200  # characters of a result that stay
LEFT_OUT = "\n[The rest of this result was left out, because it is too long.]"  # for the model


class Excerpt:
    """Shortens the messages of one reply: leaves out the turns before the question, then the ends of long results."""

    def __init__(self) -> None:
        self.attempts = 0
        self.has_history = True
        self.max_result_length: int | None = None  # characters

    def of(self, messages: list[Any]) -> list[Any]:
        """Returns the messages as far as they are sent."""
        if not self.has_history:
            start = _question_index(messages)
            messages = [message for message in messages[:start] if message.type == "system"] + messages[start:]
        if self.max_result_length is None:
            return messages
        return [_cut(message, self.max_result_length) for message in messages]

    def shorten(self, messages: list[Any]) -> bool:
        """Sends less of these messages from now on, because they are too long; returns whether that is possible."""
        self.attempts += 1
        if self.attempts > MAX_ATTEMPTS:
            return False
        if self.has_history:
            self.has_history = False
            if any(message.type != "system" for message in messages[: _question_index(messages)]):
                return True
        longest = max(map(_result_length, self.of(messages)), default=0)
        length = min(self.max_result_length or longest, longest) // 2
        if length < MIN_RESULT_LENGTH:
            return False
        self.max_result_length = length
        return True


def _question_index(messages: list[Any]) -> int:
    """Returns the index of the user's last message, 0 if there is none."""
    return max((index for index, message in enumerate(messages) if message.type == "human"), default=0)


def _result_length(message: Any) -> int:
    return len(message.content) if message.type == "tool" and type(message.content) is str else 0


def _cut(message: Any, length: int) -> Any:
    if _result_length(message) <= length:
        return message
    return message.model_copy(update={"content": message.content[:length] + LEFT_OUT})
