import contextlib
import logging
import os
import sys
import uuid

from django.core.management import BaseCommand, CommandError
from django.db import Error as DatabaseError

from ...backends import limits
from ...errors import Refused
from ...events import clean_text
from ...terminal import ExitCode
from ...terminal.screen import Screen
from ...terminal.session import open_session
from ...terminal.terminal import Terminal


class Command(BaseCommand):
    help = "Ask an assistant, or chat with it line by line. The answer goes to stdout, everything else to stderr."
    requires_system_checks = []  # they would load the whole site before the answer begins

    def add_arguments(self, parser):
        add = parser.add_argument
        add(
            "text",
            nargs="?",
            type=clean_text,
            help="the question; - reads it from stdin; if omitted, each line of stdin is a question",
        )
        add("--assistant", type=clean_text, metavar="SLUG", help="ask this assistant instead of the default one")
        add("--model", type=clean_text, metavar="PROVIDER:MODEL", help="ask this model; nothing is saved")
        add("--steps", action="store_true", help="show reasoning and tool calls on stderr")
        add("--user", type=clean_text, metavar="NAME", help="save the conversation for this user")
        add("--conversation", type=uuid.UUID, metavar="ID", help="continue this conversation of the user")

    def handle(self, *, text, assistant, model, steps, user, conversation, verbosity, **options):
        limits.set_for_servers()  # the site must not wait for a terminal that Ctrl+Z stops in a transaction
        screen = Screen(self.stdout, self.stderr, steps, announce=user is not None)
        try:
            with log_level(logging.ERROR if verbosity < 2 else None):
                session = open_session(assistant=assistant, model=model, user=user, conversation=conversation)
                code = Terminal(session, screen).run(text)
        except Refused as error:
            raise CommandError(error.message, returncode=ExitCode.USAGE) from None
        except DatabaseError as error:
            raise CommandError(
                f"Cannot use the database. If it is not set up yet, run manage.py prepare. {error}"
            ) from error
        except OSError as error:
            discard_output(self.stdout)
            if not isinstance(error, BrokenPipeError):
                raise CommandError(f"The answer cannot be written: {error}") from error
            code = ExitCode.OUTPUT_CLOSED
        if code:
            sys.exit(code)


@contextlib.contextmanager
def log_level(level):
    """Hides log records below this level, because the user sees an error message instead. None changes nothing."""
    logger = logging.getLogger("chat")
    before = logger.level
    if level is not None:
        logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def discard_output(stream):
    """Sends the rest to /dev/null; Python would otherwise try to write it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
