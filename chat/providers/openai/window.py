"""What compatible servers tell of a model's context window."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson

from ...json_limits import check_json
from ...model_servers import listed_window, llama_cpp_window
from ...response_limits import MAX_JSON_VALUES
from ..base import ProviderError, Request
from . import client
from .stream import TRANSPORT_ERRORS

MAX_BODY_SIZE = 2_000_000  # bytes; routers list hundreds of models


async def context_window(request: Request) -> int | None:
    """Returns the size of the model's context window in tokens, if the server is a compatible one and tells it."""
    if not client.is_compatible_server(request.params):
        return None
    _, key = client.resolve(dict(request.params))
    base_url = client.address(request.params).rstrip("/")
    parts = urlsplit(base_url)
    root = f"{parts.scheme}://{parts.netloc}"
    sources: list[tuple[str, Callable[[Any, str], int | None]]] = [
        (f"{root}/props", lambda document, model: llama_cpp_window(document)),
        (f"{root}/api/ps", _of_list),  # Ollama
        (f"{root}/api/v0/models", _of_list),  # LM Studio
        (f"{base_url}/models", _of_list),
    ]
    documents = await asyncio.gather(*(_get(url, key) for url, _ in sources))
    sizes = (read(document, request.model) for (_, read), document in zip(sources, documents, strict=True))
    return next(filter(None, sizes), None)


async def _get(url: str, key: str | None) -> Any:
    """Returns the JSON at this address, or None if there is none."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    body = b""
    try:
        async with client.http_client(follow_redirects=False) as http:
            async with http.stream("GET", url, headers=headers) as response:
                if response.status_code != 200:
                    return None
                async for packet in response.aiter_bytes():
                    body += packet
                    if len(body) > MAX_BODY_SIZE:
                        return None
        check_json(body, MAX_JSON_VALUES)
        return orjson.loads(body)
    except (*TRANSPORT_ERRORS, ProviderError, ValueError):
        return None


def _of_list(document: Any, model: str) -> int | None:
    for row in _rows(document):
        if model in (row.get("id"), row.get("model"), str(row.get("model")).removesuffix(":latest")):
            return listed_window(row)
    return None


def _rows(document: Any) -> Iterator[dict[str, Any]]:
    if type(document) is dict:
        document = document.get("data", document.get("models"))
    for row in document if type(document) is list else ():
        if type(row) is dict:
            yield row
