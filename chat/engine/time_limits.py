"""How long a model may be silent, and how long a run may take."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext

from ..models import Assistant


@dataclass(frozen=True, slots=True)
class TimeLimit:
    seconds: float
    setting: str
    field: str = ""  # of the assistant, if the limit is its own and not the setting's

    @property
    def place(self) -> str:
        """Returns where staff change it, in the current language."""
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
