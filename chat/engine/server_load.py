"""Observes how many answers the servers of models write at once.

A self-hosted server may write only one answer at a time, whoever asks, and does not say how many it can.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from .. import providers
from ..models import Run
from ..providers import Server


class Live(Protocol):
    server: Server
    reply: Any  # a ReplyWriter


def server_of_run(run: Run) -> Server:
    return providers.server_of(run.model, run.assistant.params if run.assistant else {})


class ServerLoad:
    """The most answers that each server has been seen to write at once."""

    def __init__(self) -> None:
        self._seen: defaultdict[Server, int] = defaultdict(lambda: 1)

    def observe(self, runs: Iterable[Live]) -> Counter[Server]:
        """Learns from the runs that are in progress here. Returns how many answers are asked of each server."""
        runs = list(runs)
        for server, count in Counter(live.server for live in runs if _is_writing(live)).items():
            self._seen[server] = max(self._seen[server], count)
        return Counter(live.server for live in runs)

    def capacity(self, server: Server) -> float:
        """Returns how many answers the server is known to write at once; infinite for a vendor's."""
        return self._seen[server] if server.is_self_hosted else math.inf


def _is_writing(live: Live) -> bool:
    """Whether the answer has begun and not ended. Before that, it may wait for another one's end."""
    return live.reply.first_token_at is not None and not live.reply.builder.finish_reason
