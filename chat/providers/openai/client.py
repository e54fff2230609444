"""The SDK's clients, with connections that are kept for each event loop."""

import functools
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from ...per_loop import PerLoop
from ...response_limits import limit_body, limit_error
from .. import errors, forbidden_hosts
from ..base import ProviderError
from ..credentials import resolve_server
from .stream import TRANSPORT_ERRORS

CONNECT_TIMEOUT = 5  # seconds; the engine decides how long an answer may take
KEEPALIVE_EXPIRY = 60  # seconds that an idle connection waits for the next request, to save a handshake
VENDORS_OF_OPENAI_MODELS = ("openai.com", "azure.com")
MAX_CONNECTIONS = 100_000  # the number of runs is bounded, not the connections

_clients: PerLoop[dict[tuple[str | None, str | None], openai.AsyncOpenAI]] = PerLoop(dict)


def for_params(params: dict[str, Any]) -> openai.AsyncOpenAI:
    """Returns the running loop's client for the server that these params choose, and removes what chose it."""
    base_url, api_key = resolve(params)
    clients = _clients.get()
    if (base_url, api_key) not in clients:
        clients[base_url, api_key] = sdk_client(base_url, api_key, http_client())
    return clients[base_url, api_key]


def resolve(params: dict[str, Any]) -> tuple[str | None, str | None]:
    return resolve_server(params, "OPENAI_API_KEY", address_variable="OPENAI_BASE_URL")


def address(params: dict[str, Any]) -> str:
    """Returns the address that these params, or else the environment, choose; empty for OpenAI's own."""
    return str(params.get("base_url") or os.environ.get("OPENAI_BASE_URL", ""))


def is_compatible_server(params: dict[str, Any]) -> bool:
    """Whether these params, or else the environment, choose a server that belongs to neither OpenAI nor Azure."""
    host = urlsplit(address(params)).hostname or ""
    return bool(host) and not host.endswith(VENDORS_OF_OPENAI_MODELS)


def sdk_client(base_url: str | None, api_key: str | None, http_client: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    # With an assistant's own address, the environment's organization and project are not sent to it.
    omitted: Any = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key or "none",  # the SDK requires one, self-hosted servers often do not
        default_headers=omitted if base_url else None,
        http_client=http_client,
        max_retries=0,  # the engine retries, for all providers alike
    )


def http_client(**options: Any) -> httpx2.AsyncClient:
    return openai.DefaultAioHttpClient(
        verify=ssl_context(),
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_EXPIRY),
        event_hooks={"request": [_check_host], "response": [_limit_response]},
        **options,
    )


async def _check_host(request: Any) -> None:
    """Called before each request. A request that follows a redirect has the extensions of the first one."""
    if request.extensions.setdefault("first_host", request.url.host) != request.url.host:
        raise errors.redirected()
    await forbidden_hosts.check_resolved(request.url.host)


async def _limit_response(response: Any) -> None:
    """Called for each response. A stream that is not compressed is left to SSEDecoder, which limits it."""
    if response.status_code >= 300:
        limit_error(response, errors.malformed)
    elif "content-encoding" in response.headers:
        limit_body(response, lambda packet: packet, errors.malformed)


@functools.cache
def ssl_context() -> ssl.SSLContext:
    return httpx2.create_ssl_context()  # reads all root certificates, which takes 40 ms


async def close() -> None:
    """Closes the running loop's connections."""
    for client in (_clients.pop() or {}).values():
        await client.close()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns the exceptions of the SDK and its transports into a ProviderError with a sentence."""
    try:
        yield
    except openai.APIStatusError as error:
        raise errors.reported(error.body, error.status_code, error.response.headers) from error
    except openai.APIError as error:
        if isinstance(error.__cause__, ProviderError):
            raise error.__cause__ from error
        raise errors.unreachable(error.__cause__ or error) from error
    except (openai.OpenAIError, httpx2.InvalidURL, UnicodeError) as error:
        raise errors.not_configured(error) from error
    except TRANSPORT_ERRORS as error:
        raise errors.broken_off(error) from error
