"""How long a model may be silent, and how long a run may take."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.utils.translation import gettext

from ..models import Assistant
from ..providers.activity import Activity

MAX_LATENESS = 0.25  # seconds; after a later check, a process that was frozen gets time to read what has arrived


@dataclass(frozen=True, slots=True)
class TimeLimit:
    seconds: float
    setting: str
    field: str = ""  # of the assistant, if the limit is its own and not the setting's

    @property
    def place(self) -> str:
        """Returns the name of the setting or of the assistant's field, in the current language."""
        if not self.field:
            return self.setting
        name = Assistant._meta.get_field(self.field).verbose_name  # type: ignore[union-attr]
        return gettext("the assistant's “%(field)s”") % {"field": name}


class TimeLimits:
    """The limits of one run: the assistant's own, or where it has none, the site's."""

    def __init__(self, assistant: Assistant | None = None) -> None:
        self.first_token = _limit("FIRST_TOKEN_SECONDS", assistant)
        self.silence = _limit("SILENCE_SECONDS", assistant)
        self.run = _limit("RUN_SECONDS", assistant)


def _limit(setting: str, assistant: Assistant | None) -> TimeLimit:
    field = setting.lower()
    own = getattr(assistant, field, None)
    return TimeLimit(getattr(settings, setting), setting) if own is None else TimeLimit(own, setting, field)


class SilenceTimer:
    """Raises TimeoutError in the task of its `async with` block when a model has been silent for too long.

    A sign of life only marks the Activity, which the timer reads when the limit would be reached.
    """

    def __init__(self, activity: Activity, limit: TimeLimit) -> None:
        self.activity = activity
        self.limit = limit
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._next_check: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self.activity.mark()
        self.set_limit(self.limit)
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._cancel_check()
        await self._timeout.__aexit__(*error)

    def set_limit(self, limit: TimeLimit) -> None:
        """Replaces the limit. Call this only just after a sign of life."""
        self.limit = limit
        self._check_in(limit.seconds)

    def end_within(self, seconds: float) -> None:
        """Raises TimeoutError after so many seconds, whatever signs of life follow."""
        self._cancel_check()
        self._timeout.reschedule(self._loop.time() + seconds)

    def _check_in(self, seconds: float) -> None:
        self._cancel_check()
        self._next_check = self._loop.call_later(seconds, self._check)

    def _check(self) -> None:
        assert self._next_check  # the check that is running
        silence = 0.0 if self.activity.suspensions else time.monotonic() - self.activity.last_at
        if silence < self.limit.seconds:
            self._check_in(self.limit.seconds - silence)
        elif self._loop.time() - self._next_check.when() > MAX_LATENESS:
            self._check_in(MAX_LATENESS)
        else:
            self._timeout.reschedule(self._loop.time())

    def _cancel_check(self) -> None:
        if self._next_check:
            self._next_check.cancel()
