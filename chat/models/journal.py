"""The journal's rows: the events of live runs, and the processes that write them."""

import uuid

from django.db import connections, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import events


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
