"""The journal's rows: the events of live runs, and the processes that write them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from django.db import connections, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import events


class ReadPosition(NamedTuple):
    """How far a reader has read the rows of a run: up to event `seq`, in a row that had this first number and length.

    A row that a commit has written again begins at the same number and is longer.
    """

    seq: int = 0
    row_seq: int = 0
    row_length: int = 0


@dataclass(frozen=True, slots=True)
class NewRows:
    """What a run has behind a position: its rows as (seq, packed events), and its state at the same moment.

    `attempts` and `status` are None if the run was deleted.
    """

    run_id: uuid.UUID
    attempts: int | None
    status: str | None
    rows: list[tuple[int, str]]


class RunEventQuerySet(models.QuerySet):
    def numbered(self) -> list[tuple[int, events.Event]]:
        """Returns (number, event) for each event in these rows of one run."""
        numbered: list[tuple[int, events.Event]] = []
        for seq, data in self.values_list("seq", "data"):
            numbered.extend(enumerate(events.unpack(data), seq))
        return numbered

    def append_many(self, rows: list[tuple[uuid.UUID, int, str]], process_id: uuid.UUID) -> None:
        """Inserts (run id, seq, packed events) of many runs, only for runs in progress that this process still owns.

        All rows go in one statement, at a fortieth of the cost of one statement per row. Because of the join, a process
        that was taken for dead, or whose conversation was deleted, writes nothing into a run that others have ended.

        A commit may have succeeded although its answer was lost. The next one then begins at the same numbers, with the
        same events and perhaps more, and replaces the rows.
        """
        if connections[self.db].vendor == "postgresql":
            source = "json_array_elements(%s::json) AS e(value)"
            id_sql, seq_sql, data_sql = "(value->>0)::uuid", "(value->>1)::int", "value->>2"
            # Otherwise a run could change hands between this read and the commit. In the order of RunQuerySet.lock.
            lock = "ORDER BY run.id FOR SHARE OF run"
            process = str(process_id)
        else:
            source = "json_each(%s)"
            id_sql, seq_sql, data_sql = (f"json_extract(value, '$[{index}]')" for index in range(3))
            lock = ""
            process = process_id.hex
        items = [f'["{run_id.hex}",{seq},{data}]' for run_id, seq, data in rows]
        with connections[self.db].cursor() as cursor:
            cursor.execute(
                f"INSERT INTO chat_runevent (run_id, seq, data) SELECT run.id, {seq_sql}, {data_sql} "
                f"FROM {source} JOIN chat_run run ON run.id = {id_sql} "
                f"WHERE run.process_id = %s AND run.status = 'in_progress' {lock} "
                "ON CONFLICT (run_id, seq) DO UPDATE SET data = excluded.data",
                [f"[{','.join(items)}]", process],
            )

    def read_many(self, positions: Iterable[tuple[uuid.UUID, int, ReadPosition]], reach: int) -> list[NewRows]:
        """Returns the rows behind the positions of many runs, of each those that begin at most `reach` events later.

        Positions are (run id, attempts, position). Runs that are in progress in this attempt and have no new rows are
        left out: those are most of them. It is one statement, so a run that has ended has its last rows here as well,
        and one that was started again has none of an earlier attempt.
        """
        rows = (
            "SELECT event.seq, event.data FROM chat_runevent event WHERE event.run_id = run.id "
            "AND event.seq BETWEEN {1} AND {2} AND (event.seq > {1} OR length(event.data) > {3})"
        )
        if connections[self.db].vendor == "postgresql":
            fields = ["(value->>0)::uuid", *(f"(value->>{index})::int" for index in range(1, 5))]
            # A subquery with a limit is one look into the index for each run. The planner would read the whole table
            # for a plain join, as it does not know how short these ranges are.
            events_sql = f"LATERAL ({rows.format(*fields)} ORDER BY event.seq LIMIT {reach + 1}) event ON true"
            source = "json_array_elements(%s::json) AS e(value)"
        else:
            fields = [f"json_extract(value, '$[{index}]')" for index in range(5)]
            events_sql = f"chat_runevent event ON {rows.format(*fields).partition(' WHERE ')[2]}"
            source = "json_each(%s)"
        items = (
            f'["{run_id.hex}",{position.row_seq},{position.seq + reach},{position.row_length},{attempts}]'
            for run_id, attempts, position in positions
        )
        with connections[self.db].cursor() as cursor:
            cursor.execute(
                f"SELECT {fields[0]}, run.attempts, run.status, event.seq, event.data FROM {source} "
                f"LEFT JOIN chat_run run ON run.id = {fields[0]} LEFT JOIN {events_sql} "
                f"WHERE event.seq > 0 OR coalesce(run.status, '') <> 'in_progress' OR run.attempts <> {fields[4]} "
                "ORDER BY 1, event.seq",
                [f"[{','.join(items)}]"],
            )
            found = cursor.fetchall()
        return [
            NewRows(_as_uuid(run_id), attempts, status, [(seq, data) for *_, seq, data in rows if seq is not None])
            for (run_id, attempts, status), rows in groupby(found, key=lambda row: row[:3])
        ]


def _as_uuid(value: uuid.UUID | str) -> uuid.UUID:
    """SQLite has UUIDs as text."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


class RunEvent(models.Model):
    """A row of the journal, the durable copy of a run's events: those of one tick.

    `seq` is the number of the row's first event. A writer continues where it knows the log to end, and (run, seq) is
    the primary key, so that no number is stored twice.
    """

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    data = models.TextField(help_text=_("The events as JSON: see chat.events.pack."))

    objects = RunEventQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("event"), _("events")
        ordering = ["run_id", "seq"]

    @classmethod
    def write(cls, run_id: uuid.UUID, log: list[events.Event], after: int) -> None:
        """Inserts these events behind position `after`."""
        cls(run_id=run_id, seq=after + 1, data=events.pack(log)).save(force_insert=True)


class ServerProcess(models.Model):
    """A server process that writes runs. It increments `beat` for as long as it lives."""

    id = models.UUIDField(primary_key=True)
    beat = models.PositiveBigIntegerField(default=0)
    seen_at = models.DateTimeField(default=timezone.now)
