"""How many calls of one user are worked on at a time; more wait in line, so that a burst delays nobody else."""

import functools
from contextlib import AsyncExitStack

from django.conf import settings

from ..per_loop import PerLoop
from ..slots import Slots

MAX_REQUESTS = 1_000
MAX_WAITING = 3_000
MAX_WAITING_PER_USER = 300
WAIT_TIMEOUT = 30  # seconds

requests = PerLoop(
    lambda: Slots(
        MAX_REQUESTS,
        settings.MAX_REQUESTS_PER_USER,
        max_waiting=MAX_WAITING,
        max_waiting_per_key=MAX_WAITING_PER_USER,
        wait_timeout=WAIT_TIMEOUT,
    )
)


def limit_requests(operation):
    """Decorates a call: it holds a slot of its user until it returns."""

    @functools.wraps(operation)
    async def limited(request, *args, **kwargs):
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(requests.get().hold(request.auth.pk))
            request.slot = stack
            return await operation(request, *args, **kwargs)

    return limited


async def release(request):
    """Gives the slot of a call back that has done its work and goes on to wait for a run."""
    await request.slot.aclose()
