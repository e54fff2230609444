"""The connections of LangChain's models: kept for each event loop, and tracked for each request."""

from contextlib import suppress
from importlib import import_module
from typing import Any, Self

import httpx2

from ...per_loop import PerLoop
from ...response_limits import SEPARATORS, EventLimit, limit_body, limit_error
from .. import errors, forbidden_hosts
from ..activity import Activity
from ..base import ProviderError
from ..openai import client as openai_client

_clients: PerLoop[dict[str, Any]] = PerLoop(dict)  # "httpx" or "httpx2" -> client


class TrackedTransport(httpx2.AsyncBaseTransport):
    """A transport for clients of httpx and httpx2, through the loop's connections, for one request.

    Closing it closes all responses that are still open. The vendors' SDKs and LangChain leave that to the garbage
    collector if their stream is not read to its end.
    """

    def __init__(self, activity: Activity) -> None:
        self.activity = activity
        self.responses: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def handle_async_request(self, request: Any) -> Any:
        await forbidden_hosts.check_resolved(request.url.host)
        client = _client(type(request).__module__.partition(".")[0])
        request.extensions["timeout"] = client.timeout.as_dict()  # replaces the SDK's; the engine has its own
        try:
            response = await client.send(request, stream=True)
        except ProviderError:
            raise
        except Exception as error:
            raise errors.unreachable(error) from error
        self.responses.append(response)
        _limit_response(response, self.activity)
        if response.is_redirect and response.url.join(response.headers["location"]).host != request.url.host:
            raise errors.redirected()
        return response

    async def aclose(self) -> None:
        while self.responses:
            with suppress(Exception):  # it may have ended in any way
                await self.responses.pop().aclose()

    def close(self) -> None:
        """Does nothing: Google's sync client, which is never used, closes its transport, too."""


def _limit_response(response: Any, activity: Activity) -> None:
    if response.status_code >= 300:
        limit_error(response, errors.malformed)
    else:
        has_lines = "ndjson" in response.headers.get("content-type", "")
        separators = (b"\n",) if has_lines else SEPARATORS
        limit = EventLimit(errors.endless, separators)

        def check(packet: bytes) -> bytes:
            activity.mark()
            return limit(packet)

        limit_body(response, check, errors.malformed)


def _client(library: str) -> Any:
    """Returns the running loop's client of httpx or httpx2, which keeps its connections."""
    clients = _clients.get()
    if library not in clients:
        clients[library] = _make_client(library)
    return clients[library]


def _make_client(library: str) -> Any:
    if library == "httpx2":
        return openai_client.http_client(follow_redirects=False)
    httpx = import_module(library)
    return httpx.AsyncClient(
        verify=openai_client.ssl_context(),
        timeout=httpx.Timeout(None, connect=openai_client.CONNECT_TIMEOUT),
        limits=httpx.Limits(max_connections=None, keepalive_expiry=openai_client.KEEPALIVE_EXPIRY),
    )


async def close() -> None:
    """Closes the running loop's connections."""
    for client in (_clients.pop() or {}).values():
        await client.aclose()
