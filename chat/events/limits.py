"""How much one reply may hold. A model that never ends, or a server that pretends to be one, must not fill the site."""

from dataclasses import dataclass


class LimitExceeded(Exception):
    """A reply has exceeded a limit. `setting` is its name in the settings, `value` its value."""

    def __init__(self, setting: str, value: int) -> None:
        super().__init__(f"{setting} = {value}")
        self.setting = setting
        self.value = value


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one reply that are checked where its events are built."""

    tool_calls: int = 100
    arguments_length: int = 100_000  # characters of the arguments of one tool call
    parts: int = 1_000  # texts, reasonings and tool calls
