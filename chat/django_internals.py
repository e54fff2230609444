"""The undocumented parts of Django that we rely on, for speed. Where one is missing, Django's own way is taken.

tests/site/test_django_internals.py fails with a sentence when an upgrade changes one of them.
"""

from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponseBadRequest


class InLoopMixin:
    """Runs the hooks of a middleware of Django's in the event loop.

    Under ASGI, Django runs each hook in a thread: sixteen hops for a request, more than the rest of a short one costs.
    The hooks compute for microseconds and touch no database (Django would refuse that in the event loop).

    `__acall__` is what `MiddlewareMixin.__call__` calls under ASGI.
    """

    get_response: Any

    async def __acall__(self, request):
        response = None
        if hasattr(self, "process_request"):
            response = self.process_request(request)
        response = response or await self.get_response(request)
        if hasattr(self, "process_response"):
            response = self.process_response(request, response)
        return response


def cached_user(request):
    """Returns the user if this request has loaded it (`django.contrib.auth` keeps it there), else None."""
    return getattr(request, "_cached_user", None)


class LeanASGIHandler(ASGIHandler):
    """Django's handler for sites that stream: no generator for a small chunk, and no garbage that holds itself.

    What lives as long as a stream must go without the garbage collector, which after some thousand streams found half
    a million objects of requests in cycles, and stopped everybody for a second.
    """

    @classmethod
    def chunk_bytes(cls, data):
        """Sends a small chunk as it is, without a generator for each frame of a stream."""
        return [(data, True)] if len(data) <= cls.chunk_size else super().chunk_bytes(data)

    async def read_body(self, receive):
        """Takes the file that `chat.asgi.bodies` has written the body to, where Django would write another."""
        take_file = getattr(receive, "take_file", None)
        return take_file() if take_file else await super().read_body(receive)

    def create_request(self, scope, body_file):
        """Answers 400 to a Content-Type that Django's parser raises other errors at than Django expects."""
        try:
            return super().create_request(scope, body_file)
        except (ValueError, LookupError):
            return None, HttpResponseBadRequest()

    async def listen_for_disconnect(self, receive):
        """Returns when the client has gone.

        Django raises an exception instead; the request and the exception would then reference each other, and only the
        garbage collector would free them.
        """
        await receive()

    async def run_get_response(self, request):
        response = await super().run_get_response(request)
        if response.streaming:
            for name in ("user", "auser", "_messages"):  # each holds the request
                vars(request).pop(name, None)
        return response
