"""The channel layer of one process: Channels' own, which looks for expired messages at intervals.

Channels looks through all sockets and groups whenever one socket is told something. With 5,000 sockets that takes
milliseconds each time, and a reply tells every page of its user three times.

`_clean_expired` is no documented method; tests/live/test_layer.py fails when an upgrade changes it.
"""

import time

from channels.layers import InMemoryChannelLayer

CLEAN_INTERVAL = 5  # seconds; a message expires after a minute


class ChannelLayer(InMemoryChannelLayer):
    cleaned_at = 0.0

    def _clean_expired(self) -> None:
        now = time.monotonic()
        if now - self.cleaned_at >= CLEAN_INTERVAL:
            self.cleaned_at = now
            super()._clean_expired()  # type: ignore[misc]  # the stubs have only what is documented
