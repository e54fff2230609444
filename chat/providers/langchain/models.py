"""LangChain's chat model for a request."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

from django.utils.translation import gettext

from ..base import ProviderError, Request
from ..credentials import resolve_server
from . import internals
from .errors import invalid_arguments, package_missing
from .params import check_params
from .transport import TrackedTransport
from .vendors import UNKNOWN_VENDOR, VENDORS, Vendor

logger = logging.getLogger(__name__)
classes: dict[str, Any] = {}  # vendor -> the class or function that makes its chat model


@asynccontextmanager
async def chat_model(request: Request) -> AsyncIterator[Any]:
    """The chat model for this request; whatever it leaves open upstream is closed on exit.

        async with chat_model(request) as model:
            agent = create_agent(model, …)

    Raises ProviderError if the vendor's package or the key is missing or a param is invalid. The model never retries.
    """
    await load_class(vendor_and_model(request)[0])
    async with AsyncExitStack() as stack, TrackedTransport(request.activity) as transport:
        model = build(request, transport)
        if hasattr(model, "aclose"):
            stack.push_async_callback(model.aclose)
        yield model


def build(request: Request, transport: TrackedTransport) -> Any:
    """Returns the chat model, which sends through this transport."""
    vendor, model = vendor_and_model(request)
    row = vendor_row(request)
    cls = classes.get(vendor) or import_class(vendor)
    params = dict(request.params)
    if request.provider in ("openai", "openai_responses"):  # params are fields of the request, also without LangChain
        server_params: dict[str, Any] = {
            name: params.pop(name) for name in ("base_url", "api_key_env", "api_key") if name in params
        }
        params = {**server_params, "extra_body": params}
    try:
        server = resolve_server(
            params, *row.key_variables, address_variable=row.address_variable, required=row.needs_key
        )
        if row is UNKNOWN_VENDOR:
            return row.build(cls, model, params, server, transport, vendor)
        check_params(cls, [name for name in params if name not in row.own_params])
        return row.build(cls, model, params, server, transport)
    except ProviderError:
        raise
    except Exception as error:  # each class has its own: ValidationError, ValueError, TypeError, those of its SDK
        raise invalid_arguments(error) from error


def vendor_and_model(request: Request) -> tuple[str, str]:
    """Returns LangChain's names of provider and model: `langchain:` has both, the others are in VENDORS."""
    if request.provider != "langchain":
        return request.provider, request.model
    vendor, colon, model = request.model.partition(":")
    if not colon:
        sentence = gettext("“langchain:%(model)s” must have the form langchain:PROVIDER:MODEL.")
        raise ProviderError(sentence % {"model": request.model}, "unknown_provider")
    return vendor, model


def vendor_row(request: Request) -> Vendor:
    return VENDORS.get(vendor_and_model(request)[0], UNKNOWN_VENDOR)


async def load_class(vendor: str) -> None:
    """Imports the vendor's large packages, once and in a thread, so that the event loop does not wait."""
    if vendor in classes:
        return
    gc.disable()  # the collector would visit thousands of new modules again and again, 70 to 140 ms each time
    try:
        classes[vendor] = await asyncio.to_thread(import_class, vendor)
    finally:
        gc.enable()
    gc.freeze()  # they stay, so the collector need not visit them


def import_class(vendor: str) -> Any:
    row = VENDORS.get(vendor, UNKNOWN_VENDOR)
    try:
        internals.parse_short_arguments_only()
        return getattr(import_module(row.package), row.class_name)
    except ImportError as error:
        raise package_missing(row.package.partition(".")[0].replace("_", "-"), error) from error
