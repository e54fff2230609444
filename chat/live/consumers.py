"""The WebSockets: a run's events as over SSE, with messages and cancels on the same connection, and updates."""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.http import QueryDict
from django.utils.translation import gettext
from ninja.responses import NinjaJSONEncoder
from pydantic import ValidationError

from .. import api_keys, broadcast, engine, events, language, outages
from ..errors import Refused
from ..json_bodies import read_json
from ..models import Conversation, Message, Run
from ..page_user import is_for_another
from ..schemas import (
    MAX_KEY_LENGTH,
    NewMessage,
    Resumption,
    created_out,
    describe_error,
    validate_text,
)
from . import limits
from .conversation_updates import updates
from .session_check import watch_grant, watch_session

# Close codes
UNAUTHENTICATED = 4401
MISSING_SCOPE = 4403  # of an API key, to read
NOT_FOUND = 4404
ANOTHER_USER = 4409  # than the page was made for
TOO_MANY = 4429  # sockets of this user; the page tries again, after longer and longer delays
SERVICE_RESTART = 1012

POLL_INTERVAL = 5  # seconds between checks of whether a socket has to be closed
MAX_FOLLOWED_RUNS = 50  # of one socket at a time
READ_COMMANDS = {"run.follow", "conversation.show", "conversation.seen"}  # others need the scope `write`

logger = logging.getLogger(__name__)


class UserConsumer(AsyncWebsocketConsumer):
    """A socket of a logged-in user. It closes when the session ends or the server shuts down."""

    user: Any  # a User, or AnonymousUser
    grant: api_keys.Grant | None  # None: a session
    is_open = False
    group: str | None = None
    closer: asyncio.Task | None = None
    slot: contextlib.AsyncExitStack | None = None

    async def __call__(self, scope, receive, send):
        """Sends nothing to a client that has left, which is no error: it comes back with its position.

        A server says so by an OSError in whatever sends next, and by `websocket.disconnect` to this consumer, which may
        be busy: until then `disconnect` has not ended the tasks that send.
        """

        async def send_if_present(message):
            try:
                await send(message)
            except OSError:
                pass

        try:
            await super().__call__(scope, receive, send_if_present)
        finally:
            await self.disconnect(None)  # again, unless an error was in between: its tasks must not outlive it

    async def dispatch(self, message):
        """Handles what a group is told without the visit to a database thread that Channels makes before each message.

        A burst of changes would else visit them once for each socket of the user, and everybody would wait.
        """
        if message["type"].startswith("websocket."):
            return await super().dispatch(message)
        await getattr(self, get_handler_name(message))(message)

    async def connect(self):
        language.activate_from_scope(self.scope)
        self.user = self.scope["user"]
        scope: dict[str, Any] = dict(self.scope)  # Channels types it without what chat.live.authentication adds
        self.grant = scope["grant"]
        close_code = self._refuse_user() or await self._take_slot() or await self.refuse()
        if close_code is not None:
            await self._release_slot()
        else:
            self.group = self.group_name()
            await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()  # before that, a socket cannot be closed with a code, and after it, it misses nothing
        if close_code is not None:
            return await self.close(close_code)
        self.is_open = True
        self.closer = asyncio.create_task(self._close_in_time())

    def _refuse_user(self) -> int | None:
        """Returns the close code if nobody is logged in, or another user than the page was made for, or if the API key
        may not read; else None."""
        if not self.user.is_authenticated:
            return UNAUTHENTICATED
        if self.grant:
            return None if "read" in self.grant.scopes else MISSING_SCOPE
        named = QueryDict(self.scope["query_string"]).get("user")
        return ANOTHER_USER if is_for_another(self.user, named) else None

    async def refuse(self) -> int | None:
        """Returns the close code if the user may not open this socket, else None."""
        return None

    async def _take_slot(self) -> int | None:
        """Returns the close code if too many sockets are open, else None."""
        self.slot = contextlib.AsyncExitStack()
        try:
            await self.slot.enter_async_context(limits.sockets.get().hold(self.user.pk))
        except Refused:
            return TOO_MANY
        return None

    async def _release_slot(self):
        if self.slot:
            await self.slot.aclose()

    def group_name(self) -> str:
        """Returns the group of the channel layer whose messages this socket gets."""
        raise NotImplementedError

    async def _close_in_time(self):
        with self._watch() as session:
            while True:
                await asyncio.sleep(POLL_INTERVAL)
                if not session.is_valid:
                    return await self.close(UNAUTHENTICATED)
                if engine.current().is_shutting_down:
                    return await self.close(SERVICE_RESTART)
                await self.on_poll()

    def _watch(self):
        if self.grant:
            return watch_grant(self.grant)
        return watch_session(self.scope["session"].session_key, self.user.pk)

    async def on_poll(self):
        """Called every POLL_INTERVAL while the socket stays open."""

    async def disconnect(self, code):
        if self.closer:
            self.closer.cancel()
        await self._release_slot()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        if not self.is_open:
            return
        handlers = self.handlers()
        try:
            command = await read_json(text_data or "", self.user.pk)
            handler = handlers.get(_type_of(command))
            if handler is None:
                sentence = gettext("Send a JSON object whose type is one of %(types)s.")
                raise Refused(sentence % {"types": ", ".join(handlers)})
            if self.grant and command["type"] not in READ_COMMANDS:
                self.grant.require("write")
            async with limits.user_slots.get().hold(self.user.pk):
                with api_keys.acting_as(self.grant):
                    await handler(command)
        except Refused as error:
            await self._send_error(error)
        except ValidationError as error:
            await self._send_error(Refused(describe_error(error.errors()[0])))
        except outages.DATABASE_ERRORS as error:
            await self._send_outage(error)
        except (ValueError, RecursionError):
            await self._send_error(Refused(gettext("This is not valid JSON.")))

    def handlers(self) -> dict[str, Callable[[Any], Awaitable[None]]]:
        """Returns {type: coroutine function} of the commands that a page may send."""
        raise NotImplementedError

    async def send_json(self, message):
        await self.send(json.dumps(message, cls=NinjaJSONEncoder))

    async def _send_outage(self, error):
        outage = outages.outage(error)
        if outage is None:
            raise error
        logger.error("The database could not be used: %s", outage.reason, exc_info=error)
        await self._send_error(outage.refused())

    async def _send_error(self, error):
        await self.send_json({"type": "error", **error.to_json()})


class UpdatesConsumer(UserConsumer):
    """Tells a page which of the user's conversations were changed or deleted elsewhere.

    A page that shows a temporary conversation says so here, and is asked again and again whether it still does.
    """

    shown: uuid.UUID | None = None  # the temporary conversation

    def group_name(self):
        return broadcast.user_group(self.user.pk)

    def handlers(self):
        return {"conversation.show": self._show, "conversation.seen": self._note_seen}

    async def _show(self, command):
        """Takes the id of the temporary conversation that the page shows; null: it shows none any more."""
        conversation_id = read_uuid(command.get("conversation_id"))
        if conversation_id != self.shown:
            temporary = Conversation.objects.visible_to(self.user).filter(pk=conversation_id, is_temporary=True)
            self.shown = conversation_id if conversation_id and await temporary.aexists() else None
        if self.shown:
            engine.keep(self.shown)
        elif command.get("conversation_id") is not None:
            raise Refused(gettext("This chat no longer exists."), "not_found", 404)

    async def _note_seen(self, command):
        """The user sees a conversation, with its last answer, in a visible window."""
        conversation_id = read_uuid(command.get("conversation_id"))
        row = conversation_id and await Conversation.objects.visible_to(self.user).filter(pk=conversation_id).afirst()
        if not row:
            raise Refused(gettext("This chat no longer exists."), "not_found", 404)
        await row.change(is_seen=True)
        await broadcast.notify_user(self.user.pk, row.pk)

    async def on_poll(self):
        if self.shown:
            await self.send_json({"type": "conversation.show_again"})

    async def conversation_changed(self, message):
        changed = await updates.get().read(self.user, message["conversation_id"])
        if changed:
            await self.send(changed)

    async def conversation_deleted(self, message):
        await self.send_json({"type": "conversation.deleted", "id": message["conversation_id"]})


class ConversationConsumer(UserConsumer):
    """One browser tab in one conversation. `receive` only handles commands; each followed run is a task of its own."""

    def __init__(self):
        super().__init__()
        self.following = {}  # run id -> task
        self.announced = set()  # ids of the runs that this socket knows of

    async def connect(self):
        self.conversation_id = self.scope["url_route"]["kwargs"]["conversation_id"]
        await super().connect()

    async def refuse(self):
        return None if await self._conversations().aexists() else NOT_FOUND

    def group_name(self):
        return broadcast.conversation_group(self.conversation_id)

    async def close(self, code=None, reason=None):
        """Closes the socket. Nothing is received or sent from now on, even before the other side has noticed."""
        self.is_open = False
        for task in self.following.values():
            if task is not asyncio.current_task():
                task.cancel()
        await super().close(code, reason)

    async def disconnect(self, code):
        for task in self.following.values():
            task.cancel()
        await super().disconnect(code)

    def handlers(self):
        return {
            "message.create": self._create_message,
            "run.follow": self._follow_run,
            "run.cancel": self._cancel_run,
            "run.resume": self._resume_run,
        }

    async def _create_message(self, command):
        data = NewMessage.model_validate(command)
        follows = self._reads_follow(command)
        key = command.get("idempotency_key")
        if key is not None and not (type(key) is str and 0 < len(validate_text(key)) <= MAX_KEY_LENGTH):
            sentence = gettext("idempotency_key must be a string of 1 to %(limit)s characters.")
            raise Refused(sentence % {"limit": MAX_KEY_LENGTH})
        conversation = await self._conversations().select_related("assistant").afirst()
        if conversation is None:
            return await self.close(NOT_FOUND)
        run = await conversation.ask(data.text, parent_id=data.parent_id, key=key, **data.options())
        await self._start_run(run, follows)

    async def _resume_run(self, command):
        run = await self._get_run(command)
        data = Resumption.model_validate(command)
        follows = self._reads_follow(command)
        await self._start_run(await run.resume(data.decisions(), data.always()), follows)

    def _reads_follow(self, command):
        """Returns whether the command wants to follow the run that it creates. Raises Refused if there is no room."""
        follows = command.get("follow", False)
        if type(follows) is not bool:
            raise Refused(gettext("follow must be true or false."))
        if follows:
            self._check_room()
        return follows

    async def _start_run(self, run, follows):
        self.announced.add(run.pk)
        await self.send_json({"type": "run.created", **created_out(run)})
        if run.is_new:
            await engine.start(run)
        if follows:
            self._follow(run, 0)

    async def _follow_run(self, command):
        run = await self._get_run(command)
        position = command.get("after", 0)
        if type(position) is not int or position < 0:
            raise Refused(
                gettext("The position must be a whole number: the seq of the last event received."), "bad_position"
            )
        if run.pk not in self.following:
            self._check_room()
        self._follow(run, position)

    def _check_room(self):
        if len(self.following) >= MAX_FOLLOWED_RUNS:
            raise Refused(
                gettext("This WebSocket is already following too many runs. Wait until one has ended."), "too_many_runs"
            )

    def _follow(self, run, position):
        """Sends the run's events after this position, from now on instead of after an earlier one."""
        if earlier := self.following.pop(run.pk, None):
            earlier.cancel()
        self.following[run.pk] = asyncio.create_task(self._send_events(run, position))

    async def _cancel_run(self, command):
        run = await self._get_run(command)
        if run.is_open:
            await engine.cancel(run)

    async def _send_events(self, run, position):
        try:
            if position and position == run.last_seq:
                return
            async for seq, event in engine.follow(run, position):
                if event is not None:
                    await self.send_event(run, seq, event)
                if event and event.type in events.TERMINAL:
                    return
            if not engine.current().is_shutting_down:  # the run was deleted with its conversation
                await self.close(NOT_FOUND)
        except Exception:
            logger.exception("Could not send the events of run %s", run.pk)
            sentence = gettext("Something went wrong on our side. Reload the page.")
            await self._send_error(Refused(sentence, "server_error", 500))
        finally:
            if self.following.get(run.pk) is asyncio.current_task():
                del self.following[run.pk]

    async def send_event(self, run, seq, event):
        message = events.to_dict(event) | {"runId": str(run.pk), "seq": seq}
        is_large = type(event) is events.MessagesSnapshot
        await self.send(await sync_to_async(json.dumps)(message) if is_large else json.dumps(message))

    async def run_created(self, message):
        """Announces a run that was started elsewhere, unless this socket knows of it."""
        run_id = uuid.UUID(message["run_id"])
        if run_id not in self.announced:
            self.announced.add(run_id)
            reply = Message(pk=message["reply_id"], parent_id=message["message_id"])
            await self.send_json({"type": "run.created", **created_out(Run(pk=run_id, message=reply))})

    async def _get_run(self, command):
        if run_id := read_uuid(command.get("run_id")):
            runs = Run.objects.visible_to(self.user).filter(conversation_id=self.conversation_id)
            if run := await runs.filter(pk=run_id).afirst():
                return run
        raise Refused(gettext("This run is not part of the chat."), "not_found", 404)

    def _conversations(self):
        return Conversation.objects.visible_to(self.user).filter(pk=self.conversation_id)


def _type_of(command):
    """Returns the type of a parsed command, or None if it has none."""
    kind = command.get("type") if isinstance(command, dict) else None
    return kind if isinstance(kind, str) else None


def read_uuid(value: Any) -> uuid.UUID | None:
    """Returns the UUID, or None if the value is not one."""
    try:
        return uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        return None
