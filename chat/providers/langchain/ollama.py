"""What Ollama tells of its models."""

import asyncio
from importlib import import_module

from ..base import Request
from ..credentials import resolve_server
from .models import vendor_and_model, vendor_row
from .transport import TrackedTransport


async def loaded_window(request: Request) -> int | None:
    """Returns the context window, in tokens, with which Ollama has loaded the model; None if it is not loaded.

    Ollama chooses it by the machine's memory, and drops the oldest messages of a longer conversation without a word.
    """
    ollama = await asyncio.to_thread(import_module, "ollama")  # not LangChain's package, which takes a second or two
    address, key = resolve_server(dict(request.params), *vendor_row(request).key_variables, required=False)
    headers = {"authorization": f"Bearer {key or 'none'}"} if key or address else {}
    name = vendor_and_model(request)[1]
    async with TrackedTransport(request.activity) as transport:
        client = ollama.AsyncClient(host=address, headers=headers, transport=transport, follow_redirects=False)
        loaded = await client.ps()
    return next((row.context_length for row in loaded.models if row.model in (name, f"{name}:latest")), None)
