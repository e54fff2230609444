"""A line in which members take turns: one who asks a thousand times delays each other by a single turn."""

import asyncio
import itertools
from collections.abc import Hashable

Turn = asyncio.Future[None]

_arrivals = itertools.count()


class FairQueue:
    """Futures that wait. The members that they belong to take turns; each one's are in the order of their arrival."""

    def __init__(self) -> None:
        self._members: dict[Turn, Hashable] = {}
        # member -> its own, each with the number of its arrival; the member whose turn is next comes first
        self._lines: dict[Hashable, dict[Turn, int]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, turn: Turn) -> bool:
        return turn in self._members

    def add(self, turn: Turn, member: Hashable) -> None:
        self._members[turn] = member
        self._lines.setdefault(member, {})[turn] = next(_arrivals)

    def remove(self, turn: Turn) -> None:
        """Removes one that does not wait any more."""
        member = self._members.pop(turn)
        del self._lines[member][turn]
        if not self._lines[member]:
            del self._lines[member]

    def first(self) -> tuple[int, Turn] | None:
        """Returns the one whose turn it is, with the number of its arrival, which all queues of a process share."""
        # One that is done has been cancelled and is about to leave.
        turns = ((number, turn) for line in self._lines.values() for turn, number in line.items() if not turn.done())
        return next(turns, None)

    def take(self, turn: Turn) -> None:
        """Removes one whose turn it is. The other members come next."""
        member = self._members[turn]
        self.remove(turn)
        if member in self._lines:
            self._lines[member] = self._lines.pop(member)
