"""How many calls of one user are worked on at a time."""

import functools
from contextlib import AsyncExitStack

from .. import turns
from ..live.limits import requests


def limit_requests(operation):
    """Decorates a call: it holds a slot of its user until it returns."""

    @functools.wraps(operation)
    async def limited(request, *args, **kwargs):
        await turns.release(request)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(requests.get().hold(request.auth.pk))
            request.slot = stack
            return await operation(request, *args, **kwargs)

    return limited


async def release(request):
    """Gives the slot of a call back that has done its work and goes on to wait for a run."""
    await request.slot.aclose()
