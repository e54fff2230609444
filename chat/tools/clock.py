from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from . import ANONYMOUS, ZONE_ERRORS, Context, ToolError

MAX_QUOTED_LENGTH = 100  # characters of an unknown name that the error quotes


def clock(time_zone: str = "", context: Context = ANONYMOUS) -> str:
    """Returns the current date and time as ISO 8601 to the second.

    It is in the user's own time zone, or in an IANA time zone such as Asia/Tokyo.
    """
    try:
        zone = context.zone if time_zone == "" else ZoneInfo(time_zone)
    except ZONE_ERRORS:
        sentence = gettext("“%(name)s” is not a time zone.")
        raise ToolError(sentence % {"name": str(time_zone)[:MAX_QUOTED_LENGTH]}) from None
    return datetime.now(zone).isoformat(timespec="seconds")
