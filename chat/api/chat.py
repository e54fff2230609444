"""POST /api/chat: a question and its answer in one call, for scripts."""

import functools
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from ninja import Router, Status

from .. import engine
from ..errors import Refused
from ..live import plain_text
from ..live.limits import hold_stream
from ..live.session_check import watch_request
from ..live.sse import EventStream
from ..models import Assistant, Conversation, Run
from ..schemas import ChatOut, NewChat, WaitingOut
from .errors import error_response
from .idempotency import IdempotencyKey, id_for_key
from .limits import release_user_slot
from .lookup import own_conversation
from .runs import event_stream, wait_for_end

router = Router()


@router.post("/chat", response={200: ChatOut, 202: WaitingOut, 502: dict, 503: dict})
async def chat(request, data: NewChat, idempotency_key: IdempotencyKey = None, steps: bool = True):
    """Asks and answers in one call.

    With `Accept: text/event-stream` the response is the SSE stream of the run, with `Accept: text/plain` the text of
    the answer as it grows, and otherwise JSON when the answer is complete.
    """
    await hold_stream(request.scope, request.auth.pk)
    run = await _ask(request, data, idempotency_key)
    if run.is_new:
        await engine.start(run)
    headers = {"X-Conversation-Id": str(run.conversation_id), "X-Run-Id": str(run.pk)}
    if "text/event-stream" in request.headers.get("Accept", ""):
        return event_stream(request, run, steps=steps, headers=headers)
    await release_user_slot(request)
    if request.get_preferred_type(["application/json", "text/plain"]) == "text/plain":
        return await _plain_text(request, run, headers) or await _chat_response(run.pk, data.text)
    await wait_for_end(run)
    return await _chat_response(run.pk, data.text)


async def _plain_text(request, run, headers):
    """Returns the response that streams the answer's text, or None if the run ended without any: JSON then says why."""
    session_watch = watch_request(request)
    chunks = plain_text.chunks(run, session_watch)
    first = await anext(chunks, None)
    return first and EventStream(_chain(first, chunks), headers=plain_text.HEADERS | headers)


async def _chain(first, chunks):
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk


async def _ask(request, data, key):
    if data.conversation_id:
        conversation = await own_conversation(request, data.conversation_id)
        return await conversation.ask(data.text, key=key, **data.options())
    if key:
        return await _ask_once(request.auth, data, key)
    return await Conversation.begin(request.auth, data.text, **data.options())


async def _ask_once(user, data, key):
    """Asks in a new conversation, the same one for the same key of the same user; none is left if this is refused."""
    defaults: dict[str, Any] = {
        "owner": user,
        "assistant": functools.partial(Assistant.objects.pick, data.assistant),  # only called for a new row
    }
    conversation, is_new = await Conversation.objects.aget_or_create(pk=id_for_key(user, key), defaults=defaults)
    try:
        return await conversation.ask(data.text, key=key, **data.options())
    except Refused:
        if is_new:
            await conversation.adelete()
        raise


@sync_to_async
def _chat_response(run_id, text):
    run = get_object_or_404(Run.objects.select_related("message"), pk=run_id)
    ids = {"conversation_id": run.conversation_id, "run_id": run.pk}
    if run.is_open:
        message = gettext("The server is restarting. The answer will continue: fetch this run again in a moment.")
        return error_response(message, "restarting", 503, **ids)
    if run.error:
        return error_response(run.error["message"], run.error["code"], 502, output=run.message.text, **ids)
    history = [{"role": message.role, "content": message.text} for message in run.message.branch()[:-2]]
    answer = {"input": text, "chat_history": history, "output": run.message.text, "usage": run.total_usage, **ids}
    if run.interrupts:
        return Status(202, answer | {"interrupts": run.interrupts})
    return answer
