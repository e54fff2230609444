"""A queue whose members take turns: a member with a thousand entries delays each of the others by one of them."""

import asyncio
import itertools
from collections.abc import Hashable

Ticket = asyncio.Future[None]  # done when its turn has come

_arrivals = itertools.count()


class FairQueue:
    """The tickets that wait. Members take turns; the tickets of a member come in the order of their arrival."""

    def __init__(self) -> None:
        self._members: dict[Ticket, Hashable] = {}
        # member -> its tickets, each with the number of its arrival; the member whose turn is next comes first
        self._lines: dict[Hashable, dict[Ticket, int]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, ticket: Ticket) -> bool:
        return ticket in self._members

    def add(self, ticket: Ticket, member: Hashable) -> None:
        self._members[ticket] = member
        self._lines.setdefault(member, {})[ticket] = next(_arrivals)

    def remove(self, ticket: Ticket) -> None:
        """Removes a ticket that does not wait any more."""
        member = self._members.pop(ticket)
        del self._lines[member][ticket]
        if not self._lines[member]:
            del self._lines[member]

    def first(self) -> tuple[int, Ticket] | None:
        """Returns the next ticket with the number of its arrival, which counts for all queues of the process."""
        # A ticket that is done was cancelled and is about to be removed.
        tickets = (
            (number, ticket) for line in self._lines.values() for ticket, number in line.items() if not ticket.done()
        )
        return next(tickets, None)

    def take(self, ticket: Ticket) -> None:
        """Removes a ticket whose turn has come. The other members come next."""
        member = self._members[ticket]
        self.remove(ticket)
        if member in self._lines:
            self._lines[member] = self._lines.pop(member)
