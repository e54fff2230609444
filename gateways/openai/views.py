"""The calls of OpenAI's API. A key is needed: a cookie opens nothing here."""

import functools
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt

from chat import api_keys, engine, outages
from chat.api.limits import limit_requests, release_user_slot
from chat.errors import Refused
from chat.json_bodies import read_json
from chat.live.limits import hold_stream
from chat.live.session_check import watch_request
from chat.live.sse import HEADERS, EventStream
from chat.models import Assistant, Conversation, Run

from . import chat_request
from .completions import Completion
from .errors import BadParameter, error_body
from .schemas import ChatRequest, loads, parse_chat_request

SCOPE = "chat"

logger = logging.getLogger(__name__)

View = Callable[..., Any]  # an async one; Django's own types know only sync views


def endpoint(method: str) -> Callable[[View], View]:
    """Decorates a view: checks method and key, limits what the user does at a time, and answers errors as OpenAI does.

    Every response has an `x-request-id`, as clients log it.
    """

    def decorate(view: View) -> View:
        limited = limit_requests(view)

        @csrf_exempt  # a key is not sent by a browser on its own
        @functools.wraps(view)
        async def wrapped(request: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                await _authenticate(request)
                if request.method != method:
                    raise Refused(gettext("This method is not allowed."), "method_not_allowed", 405)
                response = await limited(request, **kwargs)
            except Refused as error:
                response = _error_response(error)
            except outages.DATABASE_ERRORS as error:
                response = _outage_response(error)
            if response.status_code == 405:
                response["Allow"] = method
            response["x-request-id"] = f"req_{secrets.token_hex(16)}"
            return response

        return wrapped

    return decorate


async def _authenticate(request: Any) -> None:
    grant = await api_keys.grant_of_request(request)
    if grant is None:
        raise Refused(gettext("Send an API key: Authorization: Bearer chatkey_…"), "missing_key", 401)
    grant.require(SCOPE)
    request.grant, request.auth = grant, grant.user


def _error_response(error: Refused) -> JsonResponse:
    response = JsonResponse(error_body(error), status=error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def _outage_response(error: Exception) -> JsonResponse:
    outage = outages.outage(error)
    if outage is None:
        raise error
    logger.error("The database could not be used: %s", outage.reason, exc_info=error)
    return _error_response(outage.refused())


@endpoint("GET")
async def list_models(request: HttpRequest) -> HttpResponseBase:
    rows = [row async for row in Assistant.objects.offered() if api_keys.allows_assistant(row.slug)]
    return JsonResponse({"object": "list", "data": [_model(row) for row in rows]})


@endpoint("GET")
async def get_model(request: HttpRequest, slug: str) -> HttpResponseBase:
    return JsonResponse(_model(await _assistant(slug)))


def _model(assistant: Assistant) -> dict[str, Any]:
    return {"id": assistant.slug, "object": "model", "created": 0, "owned_by": "site", "name": assistant.name}


async def _assistant(slug: str) -> Assistant:
    """Returns the assistant. Raises Refused if there is none, or none that the key allows."""
    assistant = await Assistant.objects.offered().filter(slug=slug).afirst()
    if assistant is None or not api_keys.allows_assistant(slug):
        sentence = gettext("There is no assistant called “%(slug)s”.") % {"slug": slug[:100]}
        raise BadParameter(sentence, "model", "model_not_found", 404)
    return assistant


@endpoint("POST")
async def create_chat_completion(request: Any) -> HttpResponseBase:
    """Asks an assistant. The conversation is temporary and ends with the response, unless `store` is true."""
    await hold_stream(request.scope, request.auth.pk)
    data = parse_chat_request(await _read_body(request))
    run = await _ask(request.auth, data)
    await engine.start(run)
    is_stored = bool(data.store)
    completion = Completion(run, data.model, watch_request(request), is_stored=is_stored)
    headers = {"X-Conversation-Id": str(run.conversation_id), "X-Run-Id": str(run.pk)} if is_stored else {}
    await release_user_slot(request)
    if not data.stream:
        return JsonResponse(await completion.read(), headers=headers)
    chunks = completion.chunks(bool(data.stream_options and data.stream_options.include_usage))
    first = await anext(chunks)
    return EventStream(_chain(first, chunks), headers=HEADERS | headers)


async def _chain(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk


async def _read_body(request: Any) -> Any:
    try:
        return await read_json(request.body, request.auth.pk, loads)
    except (ValueError, RecursionError) as error:
        raise BadParameter(gettext("This is not valid JSON."), None, "invalid_json") from error


async def _ask(user: Any, data: ChatRequest) -> Run:
    """Returns the queued run. Raises Refused; nothing stays stored then."""
    assistant = await _assistant(data.model)
    instructions, drafts = await sync_to_async(chat_request.read_messages)(data)
    names = await engine.param_names(assistant)
    options = {"instructions": instructions, "params": chat_request.read_params(data, assistant, names)}
    turns = await chat_request.store_turns(user, drafts, assistant)
    try:
        return await Conversation.begin_with(user, turns, assistant, is_temporary=not data.store, options=options)
    except BaseException:
        await chat_request.discard_images([image for turn in turns for image in turn.images])
        raise
