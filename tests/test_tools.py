"""What an assistant may use."""

from datetime import UTC, datetime, timedelta

import pytest

from chat import tools
from chat.tools import ToolError


def test_every_tool_is_found_and_tells_the_model_what_it_does():
    for name in tools.REGISTRY:
        tool = tools.find(name)
        assert tool.__name__ == name
        assert tool.__doc__
        assert set(tool.__annotations__) >= {"return"}


@pytest.mark.parametrize("name", ["", "no_such_tool", "chat.tools.clock", "os.system"])
def test_an_unknown_tool_is_a_sentence(name):
    with pytest.raises(ToolError, match="There is no tool called"):
        tools.find(name)


@pytest.mark.parametrize("zone, hours", [("UTC", 0), ("Asia/Tokyo", 9), ("Asia/Kolkata", 5.5)])
def test_the_clock_tells_the_time_to_the_second(zone, hours):
    clock = tools.find("clock")
    before = datetime.now(UTC).replace(microsecond=0)
    told = datetime.fromisoformat(clock(zone))
    assert before <= told <= datetime.now(UTC)
    assert told.utcoffset() == timedelta(hours=hours)
    assert told.microsecond == 0


def test_the_clock_tells_utc_by_itself():
    assert tools.find("clock")().endswith("+00:00")


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/passwd",
        "America",
        "a\0b",
        "\ud800",
        "x" * 5000,
        None,
        5,
        ["UTC"],
        {},
    ],
)
def test_what_is_no_time_zone_is_a_sentence(zone):
    with pytest.raises(ToolError, match="is not a time zone") as refused:
        tools.find("clock")(zone)
    assert len(str(refused.value)) < 150
