import uuid
from contextlib import aclosing

from django.http import HttpResponse
from django.urls import reverse
from ninja import Router, Status

from .. import engine
from ..errors import Refused
from ..live import sse
from ..live.limits import hold_stream
from ..live.session_check import watch_request
from ..models import Conversation
from ..schemas import Created, Resumption, RunOut, created_out, run_out
from .lookup import own_run

router = Router()


@router.get("/runs/{uuid:run_id}", response=RunOut)
async def get_run(request, run_id: uuid.UUID):
    run = await own_run(request, run_id)
    return run_out(run) | {"advice": await _advice(request.auth, run)}


async def _advice(user, run):
    """Returns what staff can do about the run's error, with links to the pages of the admin that they may see."""
    if not (run.error_code and user.is_staff):
        return None
    params = run.assistant.params if run.assistant else {}
    urls: dict[str, str | None] = {"assistant_url": None, "run_url": None}
    if run.assistant and await user.ahas_perm("chat.change_assistant"):
        urls["assistant_url"] = reverse("admin:chat_assistant_change", args=[run.assistant_id])
    in_admin = Conversation.objects.filter(pk=run.conversation_id, is_temporary=False)
    if await user.ahas_perm("chat.view_run") and await in_admin.aexists():
        urls["run_url"] = reverse("admin:chat_run_change", args=[run.pk])
    return {"sentence": engine.advice(run.error_code, run.model, params), **urls}


@router.post("/runs/{uuid:run_id}/cancel", response={202: RunOut})
async def cancel_run(request, run_id: uuid.UUID):
    run = await own_run(request, run_id)
    if run.is_open:
        await engine.cancel(run)
        run = await own_run(request, run_id)
    return Status(202, run_out(run))


@router.post("/runs/{uuid:run_id}/resume", response={202: Created})
async def resume_run(request, run_id: uuid.UUID, data: Resumption):
    """Answers all questions that a run is waiting on, at once. Starts a new run, which continues in a new message."""
    run = await own_run(request, run_id)
    return await start_run(await run.resume(data.decisions(), data.always()))


@router.get("/runs/{uuid:run_id}/events", response={200: None, 204: None})
async def run_events(request, run_id: uuid.UUID, after: str | None = None, steps: bool = True):
    """Streams a run's events after `Last-Event-ID` or `after` as SSE; 204 if the reader has them all.

    `steps=0` leaves out reasoning and tool calls, so the stream has only the answer.
    """
    await hold_stream(request.scope, request.auth.pk)  # before the query, which the ones that are refused do not need
    run = await own_run(request, run_id)
    try:
        position = sse.parse_position(request.headers.get("Last-Event-ID"), after)
    except ValueError as error:
        raise Refused(str(error), "bad_position") from None
    if position and position == run.last_seq:
        return HttpResponse(status=204)
    return event_stream(request, run, position, steps)


def event_stream(request, run, position=0, steps=True, headers=None):
    return sse.response(sse.frames(engine.follow(run, position, steps), watch_request(request)), headers)


async def start_run(run):
    """Starts a run that was just created; one that an idempotency key found runs already."""
    if run.is_new:
        await engine.start(run)
    return Status(202, created_out(run))


async def wait_for_end(run):
    """Waits until the run has ended, or until this process shuts down."""
    async with aclosing(engine.follow(run)) as numbered_events:
        async for _ in numbered_events:
            pass
