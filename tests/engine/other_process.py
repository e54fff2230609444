"""Another process, played by a test that writes its rows, and readers of its runs in this one."""

import asyncio
import contextlib
import uuid

from asgiref.sync import sync_to_async
from django.db import transaction

from chat import events
from chat.engine import log
from chat.models import Ending, Run, RunEvent
from tests.waiting import hang_timeout


class OtherRun:
    """A run of another process: its row, and the events that were written of it."""

    def __init__(self, run):
        self.run, self.process_id, self.written = run, uuid.uuid4(), []
        reply = str(run.message_id)
        self.opening = [events.RunStarted(str(run.conversation_id), str(run.pk)), events.TextMessageStart(reply)]

    def deltas(self, text):
        return [events.TextMessageContent(str(self.run.message_id), letter) for letter in text]

    @sync_to_async
    def claim(self):
        run = Run.objects.select_related("message").get(pk=self.run.pk)
        assert run.claim(self.process_id)
        self.run.attempts = run.attempts

    @sync_to_async
    def write(self, new, at=None):
        """Writes a row; `at` replaces the row that begins there."""
        seq = len(self.written) + 1 if at is None else at
        self.written[seq - 1 :] = new
        RunEvent.objects.append_many([(self.run.pk, seq, events.pack(new))], self.process_id)

    @sync_to_async
    def finish(self, new=()):
        """Writes these events, the closing ones and the end, as the journal does: in one transaction."""
        run = Run.objects.get(pk=self.run.pk)
        rest = [*new, *events.closing_events([*self.written, *new])]
        rest.append(run.terminal_event(Ending(Run.COMPLETED)))
        seq = len(self.written) + 1
        with transaction.atomic():
            RunEvent.objects.append_many([(run.pk, seq, events.pack(rest))], self.process_id)
            self.written += rest
            parts = events.fold(self.written)
            assert run.finish(Ending(Run.COMPLETED), parts, last_seq=len(self.written), process_id=self.process_id)

    @sync_to_async
    def requeue(self):
        with transaction.atomic():
            assert self.run.requeue(self.process_id)
        self.written = []


class Reader:
    """A reader in this process: `seen` has its (seq, event), `pauses` the positions at which nothing happened."""

    def __init__(self, engine, run, after=0):
        self.engine, self.after = engine, after
        self.seen, self.pauses = [], []
        self.task = asyncio.create_task(self._read(run))

    async def _read(self, run):
        async with contextlib.aclosing(log.follow(self.engine, run, self.after)) as followed:
            async for seq, event in followed:
                if event:
                    self.seen.append((seq, event))
                else:
                    self.pauses.append(seq)

    @property
    def types(self):
        return [event.type for _, event in self.seen]

    @property
    def text(self):
        return "".join(getattr(event, "delta", "") for _, event in self.seen)

    async def ended(self):
        async with hang_timeout():
            await self.task

    async def leave(self):
        self.task.cancel()
        await asyncio.wait([self.task])


def assert_same(reader, other):
    """The reader has seen each event behind its position once, in order; deltas may have been joined."""
    numbers = [seq for seq, _ in reader.seen]
    assert numbers == sorted(set(numbers))
    seen, position = [], reader.after
    for seq, event in reader.seen:
        expected = other.written[position:seq]
        assert event == (events.join_deltas(expected) if len(expected) > 1 else expected[0])
        seen += expected
        position = seq
    assert seen == other.written[reader.after :]
