"""Recovery of runs whose process died: from the journal, each run in a transaction of its own. Sync."""

import uuid
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import QuerySet

from .. import events
from ..models import Ending, Run, RunEvent, ServerProcess
from .reply import INTERRUPTED_ERROR, Error

MAX_ATTEMPTS = 3  # so that a run that crashes its process is not started again and again
# Readers may have seen more than the journal of a dead process holds. The lost events keep their numbers, so that no
# position stands for two events: recovery continues this far beyond them, where no reader can have been.
SEQ_GAP = 1_000_000


def recover(dead: Mapping[uuid.UUID, int | None]) -> list[Run]:
    """Ends, or queues again, the runs that these processes left open. Returns those that it ended.

    `dead` maps each process to its last known heartbeat count. If the count has risen since, the process is alive and
    keeps the runs that have not been recovered yet. What another transaction has locked is left for the next time.
    """
    ended = []
    for process_id, count in dead.items():
        for run_id in list(_left_by(process_id).values_list("id", flat=True)):
            with transaction.atomic():
                if not _has_same_count(process_id, count):
                    break
                run = _recover_run(run_id, process_id)
            if run:
                ended.append(run)
        if count is not None and not _left_by(process_id).exists():
            with transaction.atomic():
                if _has_same_count(process_id, count):  # which waits for no lock, as the deletion would
                    ServerProcess.objects.filter(pk=process_id, beat=count).delete()
    return ended


def recover_own(run_ids: Iterable[uuid.UUID], process_id: uuid.UUID) -> list[Run]:
    """The same for runs that this process claimed without learning of it, so that nobody writes them."""
    ended = []
    for run_id in run_ids:
        with transaction.atomic():
            run = _recover_run(run_id, process_id)
        if run:
            ended.append(run)
    return ended


def _recover_run(run_id: uuid.UUID, process_id: uuid.UUID) -> Run | None:
    """Ends, or queues again, a run that this process left open, in a transaction. Returns it if it ended here."""
    run = _left_by(process_id).select_for_update(skip_locked=True).filter(pk=run_id).first()
    return run if run and interrupt(run, INTERRUPTED_ERROR) else None


def _left_by(process_id: uuid.UUID) -> QuerySet[Run]:
    return Run.objects.filter(status=Run.IN_PROGRESS, process_id=process_id)


def _has_same_count(process_id: uuid.UUID, count: int | None) -> bool:
    """Whether the process's heartbeat count is still this one. Its next beat waits for the end of this transaction.

    False while its row is locked: by another recovery, or by the process itself, which may be frozen in a transaction.
    """
    row = ServerProcess.objects.select_for_update(skip_locked=True).filter(pk=process_id).first()
    return (row.beat if row else None) == count


def interrupt(run: Run, error: Error) -> bool:
    """Ends a run by its journal: `interrupted` with the text so far, or queued again if it had shown nothing.

    Returns whether it ended here. Runs in the caller's transaction.
    """
    stored = run.events.numbered()
    log = [event for _, event in stored]
    is_shown = any(event.type in events.VISIBLE or getattr(event, "name", None) == events.IMAGE for event in log)
    if run.attempts < MAX_ATTEMPTS and not run.cancel_requested and not is_shown and run.is_repeatable:
        run.requeue(run.process_id)
        return False
    rest: list[events.Event] = [] if log else [events.RunStarted(str(run.conversation_id), str(run.pk))]
    rest += events.closing_events(log)
    with run.in_its_language():
        ending = Ending(Run.CANCELLED) if run.cancel_requested else Ending.with_error(Run.INTERRUPTED, error)
        rest.append(run.terminal_event(ending))
    after = stored[-1][0] + SEQ_GAP if stored else 0
    if not run.finish(ending, events.fold(log), last_seq=after + len(rest), process_id=run.process_id):
        return False
    RunEvent.write(run.pk, rest, after=after)
    return True
