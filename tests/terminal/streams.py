"""A terminal, signals, and what a scripted model says."""

import asyncio
import io
import os
import signal

from chat.events import Finish, Text, ToolCallArgs, ToolCallEnd, ToolCallStart

HELLO = [Text("Hello"), Text(" there"), Finish("stop")]
LOOK = [ToolCallStart("c1", "look"), ToolCallArgs("c1", '{"at": '), ToolCallArgs("c1", '"me"}'), ToolCallEnd("c1")]


class Stream(io.StringIO):
    """Standard input, output or error: a terminal, or not."""

    def __init__(self, text="", tty=False):
        super().__init__(text)
        self.tty = tty

    def isatty(self):
        return self.tty


def press(number=signal.SIGINT):
    """A step of a script: the signal comes now."""
    return lambda: os.kill(os.getpid(), number)


async def forever():
    await asyncio.Event().wait()


def pressed(number=signal.SIGINT):
    async def step():
        os.kill(os.getpid(), number)
        await forever()

    return step


class Interrupted(Stream):
    """A terminal at which signals come, or other things happen, before a line does."""

    def __init__(self, *lines):
        super().__init__(tty=True)
        self.lines = list(lines)

    def readline(self, *args):
        line = self.lines.pop(0)
        if type(line) is str:
            return line
        if callable(line):
            return line()
        os.kill(os.getpid(), line)
        return "too late\n"

    read = readline
