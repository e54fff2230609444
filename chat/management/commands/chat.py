"""Talk with an assistant from the terminal, over the same engine as the site.

The event loop has a thread of its own; the main thread reads what is typed, writes what is said, and is where Python
delivers signals. So a pipe that nobody empties or a line that is being typed holds up no heartbeat and no model, and
Ctrl-C means what is on the screen: the answer that is being written, or the line.
"""

import asyncio
import contextlib
import logging
import os
import queue
import select
import signal
import sys
import threading
import uuid
from concurrent import futures
from contextlib import aclosing
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from ... import engine, events
from ...models import Assistant, Conversation, Message, Refused, Run
from ...tools import Context

ANSWERED, FAILED, MISUSED, WAITS, STOPPED, UNREAD = 0, 1, 2, 3, 130, 141  # exit codes; README has their meanings
REMEMBERED = 100  # of a person's questions, for the arrow keys
PATIENCE = 2  # seconds until it says that it waits for a pipe
PROMPT = "> "

# What would move the cursor, set titles or clipboards and the like, if a model or a tool's result had a terminal do it.
HARMLESS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}") | {13: None}


class Command(BaseCommand):
    help = (
        "Ask an assistant, or talk with one line by line. The answer streams to stdout, everything else goes to stderr."
    )
    requires_system_checks = []  # they read all of the site, and an answer can begin without

    def add_arguments(self, parser):
        clean = events.clean
        add = parser.add_argument
        add("text", nargs="?", type=clean, help="what to ask; - reads it from stdin; without it, each line is asked")
        add("--assistant", type=clean, metavar="SLUG", help="whom to ask, if not the default one")
        add("--model", type=clean, metavar="PROVIDER:MODEL", help="ask this model; nothing is kept")
        add("--steps", action="store_true", help="show reasoning and tool calls on stderr")
        add("--user", type=clean, metavar="NAME", help="keep the conversation as this person's; without, nothing is")
        add("--conversation", type=uuid.UUID, metavar="ID", help="go on in this conversation of theirs")

    def handle(self, *, text, steps, verbosity, **options):
        screen = Screen(self.stdout, self.stderr, steps, announce=options["user"] is not None)
        try:
            with quiet(verbosity):
                code = Terminal(self.conversation(**options), screen).run(text)
        except Refused as error:
            raise CommandError(error.message, returncode=MISUSED) from None
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used (manage.py prepare makes one): {error}") from error
        except OSError as error:
            with contextlib.suppress(OSError, ValueError):  # Python would try to write the rest when it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                raise CommandError(f"The answer cannot be written: {error}") from error
            code = UNREAD
        if code:
            sys.exit(code)

    def conversation(self, *, assistant, model, user, conversation, **options):
        time_zone = local_time_zone()
        if user is None:
            if conversation:
                raise CommandError("--conversation goes with --user: whose is it?", returncode=MISUSED)
            chosen = Assistant() if model and not assistant else Assistant.objects.pick(assistant)
            return Unkept(chosen, model or chosen.model, time_zone)
        if model:
            raise CommandError("--model goes without --user: what is kept is an assistant's.", returncode=MISUSED)
        people = get_user_model()
        person = people.objects.filter(**{people.USERNAME_FIELD: user}, is_active=True).first()
        if person is None:
            raise CommandError(f"There is nobody called “{user}” who may log in.", returncode=MISUSED)
        row = None
        if conversation:
            row = Conversation.objects.visible_to(person).select_related("assistant").filter(pk=conversation).first()
            if row is None:
                raise CommandError(f"{user} has no conversation {conversation}.", returncode=MISUSED)
        if assistant or row is None:
            Assistant.objects.pick(assistant)  # refused now and not at the first question
        return Kept(person, row, assistant, time_zone)


@contextlib.contextmanager
def quiet(verbosity):
    """Keep the engine's log off the screen, where the person gets a sentence; --verbosity 2 shows it."""
    logger = logging.getLogger("chat")
    before = logger.level
    if verbosity < 2:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def local_time_zone():
    """The name of the time zone of whoever sits here, as far as the machine tells; else UTC."""
    machine = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    for name in (settings.TERMINAL_TIME_ZONE.removeprefix(":"), machine):
        with contextlib.suppress(Exception):  # many kinds, for names that are no names
            return ZoneInfo(name).key
    return "UTC"


# Conversations --------------------------------------------------------------------------------------------------------


class Unkept:
    """A conversation that nobody keeps: it lives in this object alone."""

    questions = ()

    def __init__(self, assistant, model_id, time_zone):
        self.assistant, self.model_id = assistant, model_id
        self.context = Context(time_zone=time_zone)
        self.turns = []

    def begin(self):
        """An answer is about to be asked for; `stop` is about that one, also before it has begun."""
        self.task, self.stopped = None, False

    async def ask(self, text):
        """Yields the events of the answer."""
        self.turns.append(("user", [{"type": "text", "text": text}]))
        async for event in self._tell():
            yield event

    async def resume(self, answers):
        """The same for what follows the person's yes or no: pairs of an interrupt and that."""
        async for event in self._tell({interrupt["toolCallId"]: yes for interrupt, yes in answers}):
            yield event

    def stop(self):
        self.stopped = True
        if self.task:
            self.task.cancel()

    leave = stop  # nobody can go on with it

    async def _tell(self, answers=()):
        self.task, log = asyncio.current_task(), []
        if self.stopped:
            self.task.cancel()
        told = engine.unkept(
            self.assistant, self.model_id, list(self.turns), context=self.context, answers=dict(answers)
        )
        try:
            async with aclosing(told):
                async for _, event in told:
                    log.append(event)
                    yield event
        except asyncio.CancelledError:
            self.task.uncancel()
            yield events.RunFinished("", "", {"type": "cancelled"})
        finally:
            self.task = None
            self.turns.append(("assistant", events.fold([*log, *events.closing(log)])))


class Kept:
    """A conversation of that person, as on the site; `row` is None until something was asked."""

    def __init__(self, person, row, assistant, time_zone):
        self.person, self.row, self.assistant, self.time_zone = person, row, assistant, time_zone
        self.run = None

    @property
    def questions(self):
        """What the person asked lately, oldest first."""
        mine = Message.objects.visible_to(self.person).filter(role=Message.USER)
        return reversed(mine.order_by("-created_at").values_list("text", flat=True)[:REMEMBERED])

    def begin(self):
        self.before, self.run, self.stopped = self.run, None, False

    async def ask(self, text):
        await sync_to_async(close_old_connections)()  # it may have been typed for an hour
        if self.row is None:
            run = await Conversation.begin(self.person, text, self.assistant, time_zone=self.time_zone)
        else:  # as it is now: the person may have been at its page meanwhile
            rows = Conversation.objects.select_related("assistant")
            row = await rows.filter(pk=self.row.pk).afirst() or self.row
            run = await row.ask(text, assistant=self.assistant, time_zone=self.time_zone)
        self.row = run.conversation
        async for event in self._tell(run):
            yield event

    async def resume(self, answers):
        await sync_to_async(close_old_connections)()
        waiting = await Run.objects.aget(pk=self.before.pk)
        run = await waiting.resume({interrupt["id"]: yes for interrupt, yes in answers})
        async for event in self._tell(run):
            yield event

    def stop(self):
        self.stopped = True
        if self.run:
            self.stopping = asyncio.ensure_future(engine.cancel(self.run))

    def leave(self):
        """Let the run be, as when a server stops: it is kept, or another process takes it on."""
        engine.here().say_goodbye()

    async def _tell(self, run):
        here, said = engine.here(), ""
        here.pulse.adopts = {"conversation_id": run.conversation_id}  # other runs may need what only the site has
        self.run = run
        if run.is_new:
            await engine.start(run)
        if self.stopped:
            await engine.cancel(run)
        async with aclosing(engine.follow(run)) as told:
            async for _, event in told:
                if type(event) is events.MessagesSnapshot:  # another process took over: show what is new of it
                    kept = "".join(one["content"] for one in event.messages if one["id"] == str(run.message_id))
                    event = events.TextMessageContent(str(run.message_id), kept[len(said) :])
                if type(event) is events.TextMessageContent:
                    said += event.delta
                if event:
                    yield event


# The terminal ---------------------------------------------------------------------------------------------------------


class Loop(threading.Thread):
    """An event loop in a thread of its own for the time of a `with`; the engine leaves it in order."""

    def __enter__(self):
        self.ready = threading.Event()
        self.start()
        self.ready.wait()
        return self

    def __exit__(self, *error):
        self.call(self.over.set)
        self.join()

    def run(self):
        asyncio.run(self._live())

    async def _live(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        self.call = self.loop.call_soon_threadsafe
        self.ready.set()
        await self.over.wait()
        await engine.leave()
        await sync_to_async(connections.close_all)()

    def spawn(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop)


class Screen:
    """Writes the answer to stdout and all else to stderr, each piece at once and each stream beginning its own line."""

    def __init__(self, out, err, steps, announce):
        self.out, self.err, self.steps, self.announce = out, err, steps, announce
        self.unfinished = None  # the stream whose line is not over
        self.said = ""  # the answer's last piece
        self.calls = {}  # tool call -> [name, arguments, when it began]
        self.begun = None  # when the thought did
        for stream in (out, err, sys.stdin):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")

    def say(self, text):
        if text:
            self._write(self.out, text)
            self.said = text

    def note(self, text, end="\n"):
        self._write(self.err, text + end)

    def end(self):
        """The answer is over: its last line is a whole one."""
        if self.said and not self.said.endswith("\n"):
            self._write(self.out, "\n")
        self.said = ""

    def _write(self, stream, text):
        if self.unfinished not in (None, stream) and (self.unfinished is self.err or self._are_one()):
            self.err.write("\n", str, "")
            self.err.flush()
        stream.write(text.translate(HARMLESS) if stream.isatty() else text, str, "")
        stream.flush()
        self.unfinished = None if text.endswith("\n") else stream

    def _are_one(self):
        return self.out.isatty() and self.err.isatty()

    def show(self, event):
        match event:
            case events.RunStarted() if self.announce:
                self.announce = False
                self.note(f"Conversation {event.thread_id}")
            case events.TextMessageContent():
                self.say(event.delta)
            case events.ToolCallStart():
                self.calls[event.tool_call_id] = [event.tool_call_name, "", event.timestamp]
            case events.ToolCallArgs():
                self.calls[event.tool_call_id][1] += event.delta
        if self.steps:
            self._show_step(event)

    def _show_step(self, event):
        match event:
            case events.ReasoningStart():
                self.begun = event.timestamp
                self.note("thinking: ", end="")
            case events.ReasoningMessageContent():
                self.note(event.delta, end="")
            case events.ReasoningEnd():
                self.note(_seconds(self.begun, event.timestamp))
            case events.ToolCallEnd():
                self.note(self.call(event.tool_call_id))
            case events.ToolCallResult():
                name, _, begun = self.calls.get(event.tool_call_id, ("", "", None))
                arrow = "failed:" if event.metadata and event.metadata.get("error") else "→"
                self.note(f"{name} {arrow} {event.content}{_seconds(begun, event.timestamp)}")

    def call(self, tool_call_id):
        name, arguments, _ = self.calls.get(tool_call_id, ("", "", None))
        return f"{name} {arguments}"


def _seconds(begun, ended):
    return f" ({(ended - begun) / 1000:.1f} s)" if begun and ended else ""


class Terminal:
    """One person at one conversation; `run` gives the exit code."""

    def __init__(self, talk, screen):
        self.talk, self.screen = talk, screen
        self.reading = self.hearing = self.stopping = False
        self.ending = 0  # the exit code, once it is decided that it ends
        self.readline, self.typed = None, ""

    def run(self, text):
        with self.signals():
            try:
                if text is None and sys.stdin:
                    return self.lines()
                text = self.question(text or "")
                if self.ending:
                    return self.ending
                with Loop() as self.loop:
                    return self.turn(self.talk.ask(text))
            except KeyboardInterrupt:  # between a line's end and our next step
                return STOPPED

    @contextlib.contextmanager
    def signals(self):
        """Hear the signals that nobody told us to ignore."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
            before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
        for number in before:
            signal.signal(number, self.on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_signal(self, number, frame):
        """Ctrl-C discards a line or stops an answer; a second one, or another signal, ends it all; a third kills."""
        if self.hearing and number == signal.SIGINT and not self.stopping:
            self.stopping = True
            self.loop.call(self.talk.stop)
            return
        if not self.reading or number != signal.SIGINT:
            self.ending = 128 + number
            signal.signal(number, signal.SIG_DFL)
        if self.hearing:
            self.loop.call(self.talk.leave)
        if self.reading:
            self.typed = self.readline.get_line_buffer() if self.readline else ""
            raise KeyboardInterrupt

    # What is typed

    def read(self, how, *args):
        """What is read, or None at the end of the input and where a signal came instead."""
        try:
            self.reading = True
            line = how(*args)
            self.screen.unfinished = None  # the person ended it
            return line
        except (EOFError, KeyboardInterrupt):
            return None
        finally:
            self.reading = False

    def question(self, text):
        """The text, behind what comes through a pipe; `-` is the pipe alone."""
        piped = ""
        if sys.stdin and (text == "-" or not sys.stdin.isatty()):
            piped = self.read(self._rest_of_stdin)
            if piped is None:
                self.ending = self.ending or STOPPED
                return ""
        parts = [events.clean(piped).rstrip(), "" if text == "-" else text]
        return checked("\n\n".join(part for part in parts if part))

    def _rest_of_stdin(self):
        with contextlib.suppress(OSError, ValueError):  # no file: it is all there
            if not sys.stdin.isatty() and not select.select([sys.stdin], [], [], PATIENCE)[0]:
                self.screen.note("Reading stdin to its end; < /dev/null if nothing comes.")
        return sys.stdin.read(settings.MAX_TEXT_LENGTH + 1)

    def lines(self):
        """Ask line by line. Without a person at it, the first question that is not answered ends it."""
        person = sys.stdin.isatty()
        if person:
            with contextlib.suppress(ImportError):  # not everywhere
                self._edit_lines()
            self.screen.note("Ctrl-C stops an answer, Ctrl-D leaves.")
        with Loop() as self.loop:
            while not self.ending and (line := self._line(person)) is not None:
                if line.strip():
                    try:
                        code = self.turn(self.talk.ask(checked(line)))
                    except Refused as error:
                        self.screen.note(error.message)
                        code = FAILED
                    if code and not person:
                        return code
        return self.ending

    def _edit_lines(self):
        """Line editing, and a history that no file keeps: a person's questions are in the database already."""
        import readline

        self.readline = readline
        readline.parse_and_bind("set enable-bracketed-paste on")  # several lines that are pasted are one question
        readline.clear_history()
        for text in self.talk.questions:
            readline.add_history(text)

    def _line(self, person):
        while True:
            self.typed = ""
            if not person or self.screen.out.isatty():
                line = self.read(input, PROMPT if person else "")
            else:  # stdout is the answers alone
                self.screen.note(PROMPT, end="")
                line = self.read(input)
            if line is not None:
                return events.clean(line)
            if person:
                self.screen.note("")
            if self.ending or not self.typed:
                return None

    # What is said

    def turn(self, told):
        """Show an answer, and what follows where it waits for the person's yes; gives the exit code."""
        while True:
            try:
                end = self.hear(told)
            except Refused as error:
                self.screen.note(error.message)
                return FAILED
            if self.ending:
                return self.ending
            match end:
                case events.RunFinished(outcome={"type": "cancelled"}) if self.stopping:
                    self.screen.note("Stopped.")
                    return STOPPED
                case events.RunFinished(outcome={"type": "interrupt", "interrupts": interrupts}):
                    answers = self.answers(interrupts)
                    if answers is None:
                        return self.ending or WAITS
                    told = self.talk.resume(answers)
                case events.RunFinished(outcome={"type": "success"}):
                    if notice := (end.result or {}).get("notice"):
                        self.screen.note(notice)
                    return ANSWERED
                case events.RunError():
                    self.screen.note(end.message)
                    return FAILED
                case events.RunFinished():
                    self.screen.note("The answer was stopped elsewhere.")
                    return FAILED
                case _:
                    self.screen.note("The conversation was deleted.")
                    return FAILED

    def hear(self, told):
        """Show what is told until it ends; gives the last event."""
        heard, last = queue.SimpleQueue(), None
        self.stopping, self.hearing = False, True
        self.loop.call(self.talk.begin)
        telling = self.loop.spawn(_tell(told, heard))
        try:
            for event in iter(heard.get, None):
                self.screen.show(event)
                last = event
            self.screen.end()
        except OSError:  # nobody reads it any more
            self.loop.call(self.talk.stop)
            raise
        finally:
            futures.wait([telling])
            self.hearing = False
        telling.result()
        return last

    def answers(self, interrupts):
        """The person's yes or no to each, as pairs; None where nobody is here or nobody answers."""
        person = sys.stdin and sys.stdin.isatty() and self.screen.err.isatty()
        answers = []
        for interrupt in interrupts:
            self.screen.note(f"{interrupt['message']}\n{self.screen.call(interrupt['toolCallId'])}")
            if person:
                self.screen.note("Allow it? [y/N] ", end="")
                line = self.read(sys.stdin.readline)  # not `input`: it is no question for the history
                if line is None:
                    self.screen.note("")
                    return None
                answers.append((interrupt, line.strip().casefold() in ("y", "yes")))
        return answers if person else None


async def _tell(told, heard):
    """Hand on what is told to the main thread, and None at the end, however that comes."""
    try:
        async with aclosing(told):
            async for event in told:
                heard.put(event)
    finally:
        heard.put(None)


def checked(text):
    if not text.strip():
        raise Refused("Write something first.")
    if len(text) > settings.MAX_TEXT_LENGTH:
        raise Refused(f"The text has more than {settings.MAX_TEXT_LENGTH} characters.")
    return text
