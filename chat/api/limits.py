"""How many calls of one user are worked on at a time."""

import functools
from contextlib import AsyncExitStack

from .. import address_limits, api_keys
from ..live.limits import user_slots
from ..live.sse import EventStream


def limit_requests(operation):
    """Decorates a call: it holds a slot of its user until its response has been sent, or an event stream begins.

    A hundred messages may be 10 MB, which stay in memory as long as a client does not read them.
    """

    @functools.wraps(operation)
    async def limited(request, *args, **kwargs):
        await address_limits.release_address_slot(request)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(user_slots.get().hold(request.auth.pk))
            request.slot = stack
            with api_keys.acting_as(getattr(request, "grant", None)):
                response = await operation(request, *args, **kwargs)
            request_end = address_limits.scope_of(request).get("stack")
            if request_end is not None and not isinstance(response, EventStream):
                await request_end.enter_async_context(stack.pop_all())
            return response

    return limited


async def release_user_slot(request):
    """Gives the slot of a call back that has done its work and goes on to wait for a run."""
    await request.slot.aclose()
