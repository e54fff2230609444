"""`manage.py chat`: a conversation in the terminal, over the same engine as the site.

The event loop has a thread of its own. The main thread reads what is typed, writes the answer, and is where Python
delivers signals. So a pipe that nobody empties, or a line that is being typed, holds up no heartbeat and no model, and
Ctrl-C applies to what is on the screen: the answer that is being written, or the line.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """README explains them."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    NEEDS_APPROVAL = 3
    STOPPED = 130
    OUTPUT_CLOSED = 141
