from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from . import NO_ZONE, NOBODY, Context, ToolError


def clock(time_zone: str = "", context: Context = NOBODY) -> str:
    """The current date and time as ISO 8601 to the second.

    It is the person's own time, or that of an IANA time zone such as Asia/Tokyo.
    """
    try:
        zone = context.zone if time_zone == "" else ZoneInfo(time_zone)
    except NO_ZONE:
        raise ToolError(gettext("“%(name)s” is not a time zone.") % {"name": str(time_zone)[:100]}) from None
    return datetime.now(zone).isoformat(timespec="seconds")
