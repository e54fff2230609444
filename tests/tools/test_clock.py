"""The clock."""

from datetime import UTC, datetime, timedelta

import pytest

from chat import tools
from chat.tools import Context, ToolError
from tests.tools.calls import use


@pytest.mark.parametrize("zone, hours", [("UTC", 0), ("Asia/Tokyo", 9), ("Asia/Kolkata", 5.5)])
def test_clock_gives_the_time_to_the_second(zone, hours):
    clock = tools.get_tool("clock")
    before = datetime.now(UTC).replace(microsecond=0)
    output = datetime.fromisoformat(clock(zone))
    assert before <= output <= datetime.now(UTC)
    assert output.utcoffset() == timedelta(hours=hours)
    assert output.microsecond == 0


def test_clock_gives_utc_by_default():
    assert tools.get_tool("clock")().endswith("+00:00")


@pytest.mark.parametrize("arguments", [{}, {"time_zone": ""}, {"time_zone": None}])
async def test_clock_gives_the_users_own_time(arguments):
    assert (await use("clock", arguments, Context(time_zone="Asia/Tokyo"))).endswith("+09:00")
    assert (await use("clock", arguments, Context(time_zone=""))).endswith("+00:00")
    assert (await use("clock", arguments, Context(time_zone="Mars/Olympus"))).endswith("+00:00")


async def test_clock_gives_the_time_of_another_zone_when_asked():
    output = await use("clock", {"time_zone": "Asia/Kolkata"}, Context(time_zone="Asia/Tokyo"))
    assert output.endswith("+05:30")


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "America", "a\0b", "\ud800", "x" * 5000, None, 5, ["UTC"], {}],
)
def test_clock_refuses_an_unknown_time_zone(zone):
    with pytest.raises(ToolError, match="is not a time zone") as refused:
        tools.get_tool("clock")(zone)
    assert len(str(refused.value)) < 150
