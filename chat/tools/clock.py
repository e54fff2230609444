from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from . import ToolError


def clock(time_zone: str = "UTC") -> str:
    """The current date and time in an IANA time zone such as Asia/Tokyo, as ISO 8601 to the second."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ToolError(f"“{str(time_zone)[:100]}” is not a time zone.") from None
    return datetime.now(zone).isoformat(timespec="seconds")
