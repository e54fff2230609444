"""The three places where an app adds to the core, which knows no app. docs/apps.md shows each with an example.

Each is a setting with a list of dotted paths, one function each, called in this order:

- REQUEST_CONTEXT: `function(run) -> Addition | None` adds to what a model is asked. Sync, in the engine's database
  thread, once for each run when it begins. If it raises, the run fails.
- RUN_CHECKS: `function(conversation, assistant)` raises Refused to stop a run before its row is made. Sync, inside the
  transaction that would make it.
- RUN_ENDED: `function(run)` is called after a run has ended and been committed. Async, or sync in the engine's database
  thread. A failure is logged and stops nothing else.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Addition:
    """Added to one request: `instructions` follow the assistant's own, `tools` are names as an assistant lists
    them."""

    instructions: str = ""
    tools: tuple[str, ...] = ()


def request_additions(run) -> list[Addition]:
    """Calls REQUEST_CONTEXT; sync."""
    additions = [function(run) for function in _functions("REQUEST_CONTEXT")]
    return [addition for addition in additions if addition is not None]


def check_run(conversation, assistant) -> None:
    """Calls RUN_CHECKS until one raises; sync."""
    for check in _functions("RUN_CHECKS"):
        check(conversation, assistant)


async def call_end_hooks(run, run_in_database: Callable[..., Awaitable[Any]]) -> None:
    """Calls RUN_ENDED; those that are sync through `run_in_database(function, run)`. Never raises."""
    try:
        await run_in_database(lambda: run.conversation)  # so that an async hook can use it
    except ObjectDoesNotExist:  # deleted meanwhile, and the run with it
        return
    for function in _functions("RUN_ENDED"):
        try:
            if iscoroutinefunction(function):
                await function(run)
            else:
                await run_in_database(function, run)
        except Exception:
            logger.exception("A RUN_ENDED hook failed for run %s", run.pk)


def _functions(setting: str) -> list[Callable[..., Any]]:
    return [import_string(path) for path in getattr(settings, setting)]
