"""The WebSocket door: the same events as over SSE, and messages and cancels on the same wire."""

import asyncio
import contextlib
import json
import logging
import uuid

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils.translation import gettext
from ninja.responses import NinjaJSONEncoder
from pydantic import ValidationError

from . import access, engine, events, language, news
from .models import Conversation, Refused, Run
from .shapes import MAX_KEY, NewMessage, Resumption, complaint, conversation_out, created_out, plain

ANONYMOUS, NOT_FOUND, GOODBYE = 4401, 4404, 1012
LOOK = 5  # seconds between looks whether the person may still be here
MAX_FOLLOWED = 50  # runs that one socket follows at a time

logger = logging.getLogger(__name__)


class NewsConsumer(AsyncWebsocketConsumer):
    """Tells one of a person's pages what became of his conversations elsewhere: changed, or deleted."""

    keeper = None

    async def connect(self):
        self.person = self.scope["user"]
        if self.person.is_authenticated:  # who finds it open has missed nothing from then on
            await self.channel_layer.group_add(news.pages_of(self.person.pk), self.channel_name)
        await self.accept()
        if not self.person.is_authenticated:
            return await self.close(ANONYMOUS)
        self.keeper = asyncio.create_task(_keep(self))

    async def disconnect(self, code):
        if self.keeper:
            self.keeper.cancel()
            await self.channel_layer.group_discard(news.pages_of(self.person.pk), self.channel_name)

    async def conversation_changed(self, message):
        rows = Conversation.objects.visible_to(self.person).select_related("assistant")
        if row := await rows.filter(pk=message["conversation_id"], is_temporary=False).afirst():
            told = {"type": "conversation.changed", "conversation": conversation_out(row)}
            await self.send(json.dumps(told, cls=NinjaJSONEncoder))

    async def conversation_deleted(self, message):
        await self.send(json.dumps({"type": "conversation.deleted", "id": message["conversation_id"]}))


async def _keep(consumer):
    """Close the socket when the person may not be here any longer, or when the server leaves."""
    with access.admitted(consumer.scope["session"].session_key, consumer.person.pk) as still_welcome:
        while True:
            await asyncio.sleep(LOOK)
            if not still_welcome():
                return await consumer.close(ANONYMOUS)
            if engine.here().leaving:
                return await consumer.close(GOODBYE)


class ConversationConsumer(AsyncWebsocketConsumer):
    """One browser tab in one conversation. `receive` only takes orders; each followed run is a task of its own."""

    async def connect(self):
        language.listen(self.scope)
        self.following = {}  # run id -> task
        self.person, self.announced = self.scope["user"], set()
        self.conversation_id = self.scope["url_route"]["kwargs"]["conversation_id"]
        self.group, self.is_open = None, False
        refusal = ANONYMOUS
        if self.person.is_authenticated:
            refusal = None if await self._conversations().aexists() else NOT_FOUND
        if refusal is None:
            self.group = f"conversation.{self.conversation_id}"
            await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()  # a socket that is refused before it is accepted cannot say why
        if refusal:
            return await self.close(refusal)
        self.keeper, self.is_open = asyncio.create_task(_keep(self)), True

    async def close(self, code=None, reason=None):
        """Hear and say nothing more, also while the other side has not yet noticed."""
        self.is_open = False
        for task in self.following.values():
            if task is not asyncio.current_task():
                task.cancel()
        await super().close(code, reason)

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)
            for task in [self.keeper, *self.following.values()]:
                task.cancel()

    async def receive(self, text_data=None, bytes_data=None):
        if not self.is_open:
            return
        orders = {
            "message.create": self._create,
            "run.follow": self._follow,
            "run.cancel": self._cancel,
            "run.resume": self._resume,
        }
        try:
            order = json.loads(text_data or "")
            if type(order) is not dict or type(order.get("type")) is not str or order["type"] not in orders:
                known = ", ".join(orders)
                raise Refused(gettext("Send a JSON object whose type is one of %(types)s.") % {"types": known})
            await orders[order["type"]](order)
        except (ValueError, RecursionError) as error:  # JSON that is none, and what does not fit NewMessage
            is_json = isinstance(error, ValidationError)
            await self._refuse(Refused(complaint(error.errors()[0]) if is_json else gettext("This is not JSON.")))
        except Refused as error:
            await self._refuse(error)

    async def run_created(self, message):
        """Somebody started a run in this conversation; whoever has not heard of it yet does now."""
        await self._announce(uuid.UUID(message["run_id"]))

    async def _create(self, order):
        data = NewMessage.model_validate(order)
        key = order.get("idempotency_key")
        if key is not None and not (type(key) is str and 0 < len(plain(key)) <= MAX_KEY):
            raise Refused(gettext("An idempotency_key is a text of at most %(most)s characters.") % {"most": MAX_KEY})
        conversation = await self._conversations().select_related("assistant").afirst()
        if conversation is None:
            return await self.close(NOT_FOUND)
        await self._start(await conversation.ask(data.text, parent_id=data.parent_id, key=key, **data.said()))

    async def _resume(self, order):
        run, data = await self._run(order), Resumption.model_validate(order)
        await self._start(await run.resume(data.answers()))

    async def _start(self, run):
        self.announced.add(run.pk)
        await self._tell({"type": "run.created", **created_out(run)})
        if run.is_new:
            await engine.start(run)

    async def _follow(self, order):
        run = await self._run(order)
        after = order.get("after", 0)
        if type(after) is not int or after < 0:
            raise Refused(
                gettext("The position must be a whole number, the seq of the last event seen."), "bad_position"
            )
        if earlier := self.following.pop(run.pk, None):
            earlier.cancel()
        if len(self.following) >= MAX_FOLLOWED:
            raise Refused(gettext("This socket follows too many runs already."), "too_many_runs")
        self.following[run.pk] = asyncio.create_task(self._send_events(run, after))

    async def _cancel(self, order):
        run = await self._run(order)
        if run.is_open:
            await engine.cancel(run)

    async def _send_events(self, run, after):
        try:
            if not (after and after == run.last_seq):
                async for seq, event in engine.follow(run, after):
                    if event is not None:
                        await self._tell(events.to_dict(event) | {"runId": str(run.pk), "seq": seq})
                    if event and event.type in events.TERMINAL:
                        return
                if not engine.here().leaving:  # the run is gone, and with it the conversation
                    await self.close(NOT_FOUND)
        except Exception:
            logger.exception("A socket could not go on with run %s", run.pk)
            await self._refuse(
                Refused(gettext("Something went wrong on our side. Load the page again."), "server_error", 500)
            )
        finally:
            if self.following.get(run.pk) is asyncio.current_task():
                del self.following[run.pk]

    async def _announce(self, run_id):
        if run_id not in self.announced:
            run = await Run.objects.select_related("message").filter(pk=run_id).afirst()
            if run is not None and run_id not in self.announced:
                self.announced.add(run_id)
                await self._tell({"type": "run.created", **created_out(run)})

    async def _run(self, order):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            run_id = uuid.UUID(order.get("run_id"))
            runs = Run.objects.visible_to(self.person).filter(conversation_id=self.conversation_id)
            if run := await runs.filter(pk=run_id).afirst():
                return run
        raise Refused(gettext("There is no such run in this conversation."), "not_found", 404)

    def _conversations(self):
        return Conversation.objects.visible_to(self.person).filter(pk=self.conversation_id)

    async def _refuse(self, error):
        await self._tell({"type": "error", "error": {"code": error.code, "message": error.message}})

    async def _tell(self, message):
        await self.send(json.dumps(message))
