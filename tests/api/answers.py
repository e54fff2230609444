"""Answers of the API, and the runs that they name."""

from tests.rows import get_run
from tests.waiting import wait_for_run


async def done(answer):
    """The run of this answer, once it is over."""
    await wait_for_run(await get_run(answer))
    return await get_run(answer)


PLAIN = {
    "is_pinned": False,
    "is_archived": False,
    "is_temporary": False,
    "leaf_id": None,
    "activity": None,
    "allowed_tools": [],
}
