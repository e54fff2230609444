"""Formats values for the admin."""

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Run
from ..stored_sentences import translate

EMPTY_VALUE = "-"  # as AdminSite.empty_value_display
TOKEN_KINDS = {
    "input": _("input"),
    "cached_input": _("cached input"),
    "output": _("output"),
    "reasoning": _("reasoning"),
    "total": _("total"),
}


def format_status(status):
    if not status:
        return None
    return format_html('<span class="status status--{}">{}</span>', status, Run.Status(status).label)


def format_error(run):
    """Returns the run's error in the language of the reader. Words that are not the site's own are as they were."""
    return translate(run.error_message)


def format_time(time):
    return localtime(time).strftime("%Y-%m-%d %H:%M:%S") if time else None


def format_duration(start, end):
    """Returns the time between the two, or None if one of them is None."""
    if not (start and end):
        return None
    seconds = max(0, (end - start).total_seconds())  # the clocks of two processes may differ
    if seconds < 60:
        return gettext("%(seconds)s s") % {"seconds": f"{seconds:.2f}"}
    minutes, seconds = divmod(int(seconds), 60)
    return gettext("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": seconds}


def run_durations(run):
    """Returns [(label, duration)] of the phases that have ended."""
    durations = [
        (gettext("in queue"), format_duration(run.created_at, run.started_at)),
        (gettext("to first token"), format_duration(run.started_at, run.first_token_at)),
        (gettext("total"), format_duration(run.created_at, run.finished_at)),
    ]
    return [(label, duration) for label, duration in durations if duration]


def format_usage(usage):
    """Returns token counts such as `12 input, 34 output, 46 total`, in a fixed order: JSON in a database has none."""
    counts = {name.removesuffix("_tokens"): count for name, count in (usage or {}).items() if name.endswith("_tokens")}
    known = [kind for kind in TOKEN_KINDS if kind in counts]
    unknown = sorted(counts.keys() - TOKEN_KINDS.keys())
    template = gettext("%(count)s %(tokens)s")  # such as: 12 input
    return gettext(", ").join(
        template % {"count": number_format(counts[kind], force_grouping=True), "tokens": TOKEN_KINDS.get(kind, kind)}
        for kind in known + unknown
    )
