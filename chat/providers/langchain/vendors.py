"""The vendors: one row each in VENDORS, with the function that builds their chat model."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import httpx2

from ..credentials import environment_value
from ..openai import client as openai_client
from . import internals
from .completions import Completions
from .errors import package_missing
from .params import check_params
from .responses import streaming_model
from .transport import TrackedTransport

AZURE_API_VERSION = "2024-10-21"  # the newest that is generally available

Server = tuple[str | None, str | None]  # (address or None for the vendor's own, key)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    package: str
    class_name: str  # of its chat model in that package
    build: Callable[..., Any]  # (class, model, params, server, transport) -> the chat model
    key_variables: tuple[str, ...] = ()  # the first that is set has the key
    address_variable: str | None = None
    needs_key: bool = True
    own_params: tuple[str, ...] = ()  # params that `build` takes and the class has not
    needs_offered_tools: bool = False  # refuses calls and results of tools that the request does not offer


def _openai(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    address, key = server
    client = openai_client.sdk_client(address, key, httpx2.AsyncClient(transport=transport))
    return internals.with_reasoning(cls)(model=model, api_key=key or "none", **_through(client, transport), **params)


def _openai_responses(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    address, key = server
    client = openai_client.sdk_client(address, key, httpx2.AsyncClient(transport=transport))
    chat = streaming_model(cls)(
        model=model, api_key=key or "none", use_responses_api=True, **_through(client, transport), **params
    )
    chat._activity = transport.activity
    return chat


def _azure_openai(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    address, key = server
    version = params.pop("api_version", None) or os.environ.get("OPENAI_API_VERSION") or AZURE_API_VERSION
    client = import_module("openai").AsyncAzureOpenAI(
        azure_endpoint=address or environment_value("AZURE_OPENAI_ENDPOINT"),
        azure_deployment=model,
        api_version=version,
        api_key=key or "none",
        http_client=httpx2.AsyncClient(transport=transport),
        max_retries=0,
    )
    return internals.with_reasoning(cls)(
        model=model, api_key=key or "none", api_version=version, **_through(client, transport), **params
    )


def _through(client: Any, transport: TrackedTransport) -> dict[str, Any]:
    """Returns the arguments that make LangChain use this client, and make none of its own for sync calls either."""
    completions = Completions(client, transport.activity)
    return {
        "async_client": completions,
        "client": completions,
        "root_async_client": client,
        "root_client": client,
        "stream_usage": True,
        "stream_chunk_timeout": None,  # the engine has its own
    }


def _anthropic(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    address, key = server
    address = address or os.environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
    chat = internals.with_input_tokens(cls)(
        model=model, base_url=address, api_key=key or "none", max_retries=0, **params
    )
    internals.use_transport_for_anthropic(chat, httpx2.AsyncClient(transport=transport))
    return chat


def _google_genai(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    address, key = server
    return cls(
        model=model,
        vertexai=False,
        api_key=key or "none",
        base_url=address,
        client_args=_google_client_args(transport),
        max_retries=1,  # attempts in all
        **params,
    )


def _google_vertexai(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    """Vertex AI: with a project and Google's application default credentials, or with a key."""
    address, key = server
    project = params.pop("project", None)
    if address:
        key = key or "none"  # our project and its credentials are sent to Google alone
    else:
        project = project or os.environ.get("GOOGLE_CLOUD_PROJECT")
        if not project and not key:
            key = os.environ.get("GOOGLE_API_KEY", "").strip() or environment_value("GOOGLE_CLOUD_PROJECT")
    location = params.pop("location", None) or os.environ.get("GOOGLE_CLOUD_LOCATION") or "global"
    args = _google_client_args(transport)
    chat = cls(
        model=model,
        vertexai=True,
        base_url=address,
        client_args=args,
        max_retries=1,
        project=project or "none",
        location=location,
        **params,
    )
    if key:  # LangChain passes no key to Vertex AI
        genai = import_module("google.genai")
        options = genai.types.HttpOptions(
            base_url=address, api_version=chat.api_version, client_args=args, async_client_args=args
        )
        place = {"project": project, "location": location} if project else {}  # without a project the key is enough
        client = genai.Client(vertexai=True, api_key=key, http_options=options, **place)
        internals.replace_google_client(chat, client)
    return chat


def _google_client_args(transport: TrackedTransport) -> dict[str, Any]:
    """Returns the arguments that make Google's client use httpx with our transport, which never retries by itself.

    With our TLS context, no certificates are read for each client.
    """
    context = openai_client.ssl_context()
    return {"transport": transport, "follow_redirects": False, "verify": context, "ssl": context}


def _ollama(cls: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport) -> Any:
    address, key = server
    # Without the header, Ollama's client would send the environment's key to any address.
    headers = {"authorization": f"Bearer {key or 'none'}"} if key or address else {}
    return cls(
        model=model,
        base_url=address,
        client_kwargs={"headers": headers},
        sync_client_kwargs={"verify": openai_client.ssl_context()},
        async_client_kwargs={"headers": headers, "transport": transport, "follow_redirects": False},
        **params,
    )


def _unknown(
    init_chat_model: Any, model: str, params: dict[str, Any], server: Server, transport: TrackedTransport, vendor: str
) -> Any:
    """Any other vendor. Most use OpenAI's format; the packages of the others have connections of their own."""
    address, key = server
    chosen = {"base_url": address, "api_key": key or ("none" if address else None)}
    chosen = {name: value for name, value in chosen.items() if value}
    build = partial(init_chat_model, model, model_provider=vendor, **chosen, **params)
    try:
        cls = type(build())
        check_params(cls, params, allowed=chosen)
        if any(base.__name__ == "BaseChatOpenAI" for base in cls.__mro__):  # these take our connections
            client = httpx2.AsyncClient(transport=transport)
            return build(max_retries=0, http_async_client=client, stream_usage=True, stream_chunk_timeout=None)
        return build(**({"max_retries": 0} if "max_retries" in cls.model_fields else {}))
    except ImportError as error:
        pip = re.search(r"pip install -?U?\s*([\w-]+)", str(error))
        raise package_missing(pip[1] if pip else f"langchain-{vendor.replace('_', '-')}", error) from error


VENDORS = {
    "anthropic": Vendor(
        package="langchain_anthropic",
        class_name="ChatAnthropic",
        build=_anthropic,
        key_variables=("ANTHROPIC_API_KEY",),
        address_variable="ANTHROPIC_BASE_URL",
        needs_offered_tools=True,
    ),
    "azure_openai": Vendor(
        package="langchain_openai",
        class_name="AzureChatOpenAI",
        build=_azure_openai,
        key_variables=("AZURE_OPENAI_API_KEY",),
        own_params=("api_version",),
    ),
    "google_genai": Vendor(
        package="langchain_google_genai",
        class_name="ChatGoogleGenerativeAI",
        build=_google_genai,
        key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        address_variable="GOOGLE_GEMINI_BASE_URL",
    ),
    "google_vertexai": Vendor(
        package="langchain_google_genai",  # langchain_google_vertexai is deprecated
        class_name="ChatGoogleGenerativeAI",
        build=_google_vertexai,
        address_variable="GOOGLE_VERTEX_BASE_URL",
        needs_key=False,
        own_params=("location", "project"),
    ),
    "ollama": Vendor(
        package="langchain_ollama",
        class_name="ChatOllama",
        build=_ollama,
        key_variables=("OLLAMA_API_KEY",),
        needs_key=False,
    ),
    "openai": Vendor(
        package="langchain_openai",
        class_name="ChatOpenAI",
        build=_openai,
        key_variables=("OPENAI_API_KEY",),
        address_variable="OPENAI_BASE_URL",
    ),
    "openai_responses": Vendor(
        package="langchain_openai",
        class_name="ChatOpenAI",
        build=_openai_responses,
        key_variables=("OPENAI_API_KEY",),
        address_variable="OPENAI_BASE_URL",
    ),
}
UNKNOWN_VENDOR = Vendor(package="langchain.chat_models", class_name="init_chat_model", build=_unknown, needs_key=False)
