from collections.abc import Callable
from typing import Any

from django.db import models, transaction

ROWS = 200  # of a batch


def in_batches(rows: models.QuerySet, change: Callable[[list[Any]], Any]) -> None:
    """Calls `change` with lists of these rows until it has had all of them.

    Each batch is a transaction of its own, so that memory stays flat and what is done stays done after an interruption.
    Its rows are locked, so that nobody deletes one before its change is saved.
    """
    rows = rows.order_by("pk").select_for_update(of=("self",), no_key=True)
    batch = _change_batch(rows, change)
    while batch:
        batch = _change_batch(rows.filter(pk__gt=batch[-1].pk), change)


def _change_batch(rows, change):
    with transaction.atomic(using=rows.db):
        batch = list(rows[:ROWS])
        change(batch)
        return batch
