"""Conversation, Message and Run: what was said, and what each run did. The verbs that change these rows are here.

The three are one aggregate: a message never leaves its conversation, and a run belongs to one message. Async verbs
are whole transactions, run in the caller's database thread. Everything a user may see is found through
`visible_to(user)`, which does not contain the rows of others.
"""

import dataclasses
import uuid
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import models, transaction
from django.db.models import OuterRef, Q
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import events, hooks
from ..errors import SEES_NO_IMAGES, Refused
from ..events import Event
from ..parts import attachment_id, for_model, text_of
from .activity import WithActivity
from .allowed_tools import WithAllowedTools
from .approvals import WithApprovals
from .assistants import Assistant
from .attachments import Attachment
from .ending import Ending, WithEnding
from .files import StoredFile
from .given_turns import WithGivenTurns, WithOptions
from .journal import RunEvent
from .run_ownership import WithOwner
from .search_texts import SearchText
from .shares import Share
from .titles import TitledQuerySet, WithTitle, first_words
from .tree import MAX_PATH_LENGTH, path_to_root
from .wakeups import notify_run_queued


class ConversationQuerySet(TitledQuerySet):
    def visible_to(self, user):
        return self.filter(owner_id=user.pk, deleted_at=None)

    def with_activity(self):
        """Looks up `is_answering` in the same query. For long lists, use `load_activity`."""
        return self.annotate(is_answering=models.Exists(Run.objects.open().filter(conversation_id=OuterRef("pk"))))

    def lock(self, pk):
        """Locks this conversation until the transaction ends; returns whether it is among these rows."""
        return bool(self.select_for_update().filter(pk=pk).values_list("pk"))


class Conversation(WithTitle, WithActivity, WithAllowedTools, WithGivenTurns):
    """A dialogue with an assistant, owned by one user."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations", verbose_name=_("owner")
    )
    assistant = models.ForeignKey(
        Assistant, null=True, on_delete=models.SET_NULL, related_name="conversations", verbose_name=_("assistant")
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(_("last activity"), default=timezone.now)
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Time of deletion. The conversation can be restored for a short time.")
    )
    is_temporary = models.BooleanField(
        default=False, help_text=_("Hidden from the list, and deleted when the user leaves the conversation.")
    )
    leaf = models.ForeignKey(
        "Message",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Last message of the branch that the user is viewing. Empty: the newest message."),
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("conversation"), _("conversations")
        ordering = ["-updated_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-updated_at", "-id"], name="conversation_by_activity"),
            models.Index(fields=["-updated_at", "-id"], name="all_conversations_by_activity"),
            models.Index(fields=["updated_at"], condition=Q(is_temporary=True), name="temporary_by_activity"),
        ]

    def __str__(self):
        return self.title or gettext("New chat")

    @classmethod
    def load_activity(cls, rows: Collection["Conversation"]) -> None:
        """Looks up `is_answering` of these conversations, in one query. Sync."""
        open_runs = Run.objects.open().filter(conversation_id__in=[row.pk for row in rows])
        answering = set(open_runs.values_list("conversation_id", flat=True))
        for row in rows:
            row.is_answering = row.pk in answering

    @classmethod
    @sync_to_async
    def begin(cls, owner, text, assistant=None, **message):
        """Creates a conversation with its first message and returns the queued Run, as `ask` does; or nothing."""
        with transaction.atomic():
            return cls(owner=owner, assistant=Assistant.objects.pick(assistant))._ask(text, **message)

    @sync_to_async
    def ask(self, text, **message):
        """Stores the user's message with an empty reply and returns the reply's queued Run, to hand to the engine.

        `parent_id` is the message it answers (default: the end of the visible branch, or the newest message),
        `instead` a message of the user that this one is a new version of. `attachments` are ids of images and
        files, `documents` parts of that kind, `time_zone` an IANA name. The same `key` again returns the same run; with
        another text, place or assistant it is Refused with 409.
        """
        return self._ask(text, **message)

    def _ask(
        self,
        text,
        *,
        parent_id=None,
        instead=None,
        assistant=None,
        key=None,
        attachments=(),
        documents=(),
        time_zone="",
    ):
        def start():
            chosen = self.choose_assistant(assistant)
            parent = instead.parent if instead else self._parent(parent_id)
            attached = Attachment.objects.to_attach(self.owner_id, attachments, chosen, instead)
            parts = [*map(Attachment.as_part, attached), *documents, {"type": "text", "text": text}]
            message = Message(conversation=self, parent=parent, role=Message.USER, text=text, parts=parts)
            message.created_at = _time_after(parent)
            self.updated_at = message.created_at
            self.assistant = chosen
            self.archived_at = None
            self.leaf = None
            self.seen_at = self.updated_at
            self.outcome = ""
            if self._state.adding:
                self.title = first_words(text)
                self.title_by = self.TitleBy.TEXT
                self.save(force_insert=True)
            else:
                self.save(update_fields=["updated_at", "assistant", "archived_at", "leaf", "seen_at", "outcome"])
                self.set_title_if_empty(text)
            message.save(force_insert=True)
            if attached:
                Attachment.objects.filter(pk__in=[row.pk for row in attached]).update(message=message)
            return self.start_reply(message, chosen, key, time_zone=time_zone)

        def is_same(run):
            question = run.message.parent
            if instead:
                is_same_place = question.parent_id == instead.parent_id
            else:
                is_same_place = parent_id in (None, question.parent_id) or self._is_withdrawn(parent_id)
            is_same_assistant = assistant in (None, run.assistant and run.assistant.slug)
            return question.text == text and is_same_place and is_same_assistant

        return self.run_once(key, start, is_same)

    @sync_to_async
    def share(self):
        """Creates a Share: a copy of the visible branch as it is now, without the steps before its answers."""
        if self.is_temporary:
            raise Refused(gettext("A temporary chat cannot be shared."), "temporary", 409)
        leaf = self.leaf or self.messages.order_by("created_at", "id").last()
        if leaf is None:
            raise Refused(gettext("There is nothing to share yet."), "empty", 409)
        return Share.of(self, leaf.branch())

    @sync_to_async
    def change(
        self,
        *,
        title: str | None = None,
        assistant: str | None = None,
        is_pinned: bool | None = None,
        is_archived: bool | None = None,
        leaf_id: uuid.UUID | None = None,
        is_seen: bool | None = None,
        allowed_tools: Collection[str] | None = None,
    ) -> None:
        """Writes what is given and no other column, so that changes of two tabs do not undo each other.

        `assistant` is a slug, `leaf_id` the last message of the branch to show. Of the allowed tools those in
        `allowed_tools` stay; the others ask again. No tool becomes allowed: only the answer to its question does that.
        """
        values: dict[str, Any] = {}
        if title is not None:
            values |= {"title": title, "title_by": self.TitleBy.USER}
        if assistant is not None:
            values["assistant"] = Assistant.objects.pick(assistant)
        if is_pinned is not None:
            values["pinned_at"] = timezone.now() if is_pinned else None
        if is_archived is not None:
            values["archived_at"] = timezone.now() if is_archived else None
        if leaf_id is not None:
            if not self.messages.filter(pk=leaf_id).exists():
                raise Refused(gettext("This message is not part of the chat."), "unknown_message")
            values["leaf_id"] = leaf_id
        if is_seen is not None:
            values["seen_at"] = timezone.now() if is_seen else None
        if values:
            Conversation.objects.filter(pk=self.pk).update(**values)
        if allowed_tools is not None:
            with transaction.atomic():
                Conversation.objects.lock(self.pk)
                self.keep_allowed_tools(allowed_tools)
        for name, value in values.items():
            setattr(self, name, value)

    @sync_to_async
    def remove(self) -> None:
        """Hides the conversation until it can no longer be restored; deletes a temporary one at once.

        Locks the conversation and its runs first: a concurrent write either commits before the deletion or fails after
        it.
        """
        with transaction.atomic():
            self.runs.lock()
            Conversation.objects.lock(self.pk)
            if self.is_temporary or not settings.UNDO_SECONDS:
                self.delete()
            else:
                Conversation.objects.filter(pk=self.pk).update(deleted_at=timezone.now())

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes the conversation with its files; what fails of this, the retention tries again. Sync."""
        attached = Attachment.objects.filter(message__conversation=self).exclude(file=None)
        files = list(attached.order_by().values_list("file", flat=True))
        deleted = super().delete(*args, **kwargs)
        if files:
            transaction.on_commit(lambda: StoredFile.objects.discard(files), robust=True)
        return deleted

    async def restore(self) -> None:
        """Undoes `remove`."""
        await Conversation.objects.filter(pk=self.pk).aupdate(deleted_at=None)

    def run_once(self, key: str | None, start: Callable[[], "Run"], is_same: Callable[["Run"], bool]) -> "Run":
        """Returns the run that `start()` creates, or the one that this key created before. Sync; one transaction.

        Refused if that earlier run is not what `is_same(run)` asks for. Concurrent callers queue on the row lock, so a
        key starts at most one run. A new conversation needs no lock: nobody else has its id yet.
        """
        with transaction.atomic(savepoint=False):
            if not (self._state.adding or Conversation.objects.filter(deleted_at=None).lock(self.pk)):
                raise Refused(gettext("This chat no longer exists."), "not_found", 404)
            if key is not None:
                runs = self.runs.select_related("conversation", "message__parent", "assistant")
                if run := runs.filter(idempotency_key=key).first():
                    if not is_same(run):
                        raise Refused(
                            gettext("This Idempotency-Key has already been used for another message."),
                            "idempotency_key_reused",
                            409,
                        )
                    run.is_new = False
                    return run
            return start()

    def touch(self) -> None:
        """Marks the conversation as active now, and makes the branch of its newest message the visible one."""
        self.updated_at = self.seen_at = timezone.now()
        self.leaf = None
        self.outcome = ""
        self.save(update_fields=["updated_at", "leaf", "seen_at", "outcome"])

    def _parent(self, parent_id):
        parent_id = parent_id or self.leaf_id
        if self._state.adding:
            return None
        if parent_id is None:
            return self.messages.order_by("-created_at", "-id").first()
        parent = self.messages.filter(pk=parent_id).first()
        if parent is None:
            raise Refused(gettext("The message to reply to is not part of the chat."), "unknown_parent")
        return parent

    def _is_withdrawn(self, message_id):
        return not self.messages.filter(pk=message_id).exists()  # what followed it has moved up

    def choose_assistant(self, slug: str | None) -> Assistant:
        """Returns the assistant with that slug, else the conversation's own while it is enabled, else the default."""
        if slug is None and self.assistant and self.assistant.is_enabled:
            return self.assistant
        return Assistant.objects.pick(slug)

    def start_reply(
        self, message: "Message | None", assistant: Assistant, key: str | None = None, **fields: Any
    ) -> "Run":
        """Creates an empty reply to `message` and its queued run, in the caller's transaction."""
        hooks.check_run(self, assistant)
        reply = self.messages.create(parent=message, role=Message.ASSISTANT, created_at=_time_after(message))
        run = Run(conversation=self, message=reply, assistant=assistant, idempotency_key=key, **fields)
        run.model = assistant.model
        run.language = translation.get_language() or ""
        run.save(force_insert=True)
        notify_run_queued()
        return run


def _time_after(message):
    """Returns the current time, or one just after this message, so that a clock set back does not change the order."""
    return max(timezone.now(), message.created_at + timedelta(microseconds=1)) if message else timezone.now()


class MessageQuerySet(models.QuerySet):
    def containing(self, words):
        """Returns the messages whose text has all of these words, or parts of words, in any order and spelling.

        All texts are searched first. To look into the messages of a few conversations, filter by their search texts.
        """
        return self.filter(pk__in=SearchText.objects.containing(words).narrowed_by_pairs(words).values("pk"))

    def visible_to(self, user):
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at=None)


class Message(models.Model):
    """A message of the user or the assistant. Messages form a tree: edits and regenerations are siblings."""

    class Role(models.TextChoices):
        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")

    USER = Role.USER
    ASSISTANT = Role.ASSISTANT

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    # The database keeps parent and child in one conversation: see migration 0002_tree_constraint.
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=10, choices=Role)
    parts = models.JSONField(default=list, help_text=_("Message parts. See chat.parts for their types."))
    text = models.TextField(blank=True, help_text=_("The text parts as one text, for search."))
    created_at = models.DateTimeField(default=timezone.now)
    feedback = models.JSONField(
        null=True,
        blank=True,
        help_text=_('The owner\'s rating: {"rating": "up" or "down", "reason", "comment"}.'),
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("message"), _("messages")
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["conversation", "created_at"], name="message_by_conversation")]
        constraints = [
            models.CheckConstraint(condition=Q(role__in=["user", "assistant"]), name="message_role"),
        ]

    def __str__(self):
        return f"{self.role}: {events.shorten(self.text, 60)}"

    def save(self, **options: Any) -> None:
        fields = options.get("update_fields")
        with transaction.atomic(savepoint=False):
            super().save(**options)
            if fields is None or "text" in fields:
                SearchText.write([self])

    @sync_to_async
    def regenerate(self, assistant: str | None = None, key: str | None = None, instruction: str = "") -> "Run":
        """Starts another answer to the same question, beside this one, and returns its queued Run.

        With an `instruction`, such as "Make it shorter.", the model sees this answer and writes another one.
        """
        if self.role != Message.ASSISTANT:
            raise Refused(gettext("Only an answer can be regenerated."), "not_an_answer")
        conversation = Conversation.objects.select_related("assistant").filter(pk=self.conversation_id).first()
        if conversation is None:
            raise Refused(gettext("This chat no longer exists."), "not_found", 404)

        def start():
            chosen = conversation.choose_assistant(assistant)
            conversation.touch()
            fields: dict[str, Any] = {}
            if instruction:
                fields = {"instruction": instruction, "revises": self}
            if run := Run.objects.filter(message_id=self.pk).first():  # an imported answer has none
                decisions = self._decisions_for_retry(run)
                fields |= run.fields_for_repeat(chosen) | {"resumes_id": run.resumes_id, "decisions": decisions}
            return conversation.start_reply(self.parent, chosen, key, **fields)

        def is_same(run):
            is_same_place = run.message.parent_id == self.parent_id and run.message_id != self.pk
            return is_same_place and run.instruction == instruction

        return conversation.run_once(key, start, is_same)

    @sync_to_async
    def continue_reply(self, key: str | None = None) -> "Run":
        """Starts a reply that continues this unfinished answer, and returns its queued Run."""
        runs = Run.objects.select_related("conversation__assistant", "assistant")
        run = runs.filter(message_id=self.pk).first()
        if run is None or run.is_open or not run.is_broken_off:
            raise Refused(gettext("Only an unfinished answer can be continued."), "not_broken_off", 409)
        conversation = run.conversation

        def start():
            if Message.objects.filter(parent_id=self.pk).exists():
                raise Refused(
                    gettext("Newer messages follow this answer, so it cannot be continued."), "superseded", 409
                )
            chosen = run.assistant
            if chosen is None or not chosen.is_enabled:
                chosen = conversation.choose_assistant(None)
            conversation.touch()
            return conversation.start_reply(self, chosen, key, **run.fields_for_repeat(chosen))

        return conversation.run_once(key, start, lambda run: run.message.parent_id == self.pk)

    @sync_to_async
    def withdraw(self) -> "Run":
        """Deletes a question that waits for its answer, with the empty reply, and returns the cancelled Run.

        Refused once the answer has begun.
        """
        run = Run.objects.filter(message__parent_id=self.pk).first()
        with transaction.atomic():
            Conversation.objects.lock(self.conversation_id)
            if self.role != Message.USER or run is None or not run.cancel_queued():
                raise Refused(gettext("This message is already being answered."), "begun", 409)
            # Questions behind it keep waiting without it, and its images and files can be sent again.
            Message.objects.filter(parent__parent=self).update(parent=self.parent)
            self.attachments.update(message=None)
            self.delete()
        return run

    async def rate(self, rating: str | None, reason: str = "", comment: str = "") -> None:
        """Stores what the user thinks of this answer, "up" or "down"; None removes it. Refused for a question."""
        if self.role != Message.ASSISTANT:
            raise Refused(gettext("Only answers can be rated."), "not_an_answer")
        feedback = {"rating": rating, "reason": reason, "comment": comment} if rating else None
        await Message.objects.filter(pk=self.pk).aupdate(feedback=feedback)

    def answer_text(self) -> str:
        """Returns the text of this answer with what continued it, in its newest version. Sync."""
        text = self.text
        reply: Message | None = self
        while reply and len(text) < settings.MAX_REPLY_LENGTH:
            reply = Message.objects.filter(parent_id=reply.pk, role=self.ASSISTANT).order_by("created_at").last()
            text += reply.text if reply else ""
        return text

    def _decisions_for_retry(self, run):
        """Returns the user's decisions before this reply, with the result of each tool that has run already.

        With its result in place, a tool that the user allowed does not run a second time.
        """
        decisions = dict(run.decisions)
        for part in self.parts:
            if part["type"] == "tool_result" and part["id"] in decisions:
                decisions[part["id"]] = {"result": part["result"], "error": part["error"]}
        return decisions

    def parts_for_model(self, *, with_images: bool = True) -> list[dict[str, Any]]:
        """Returns the parts as providers know them, images with their data in base64, files with their text. Sync.

        An image that is gone is left out. In place of one that is not wanted stands a short text.
        """
        if any(attachment_id(part) for part in self.parts):
            return for_model(self.attachments.fill(self.parts, with_images=with_images))
        return for_model(self.parts)

    def branch(self) -> list["Message"]:
        """Returns the messages from the root down to this one, oldest first."""
        if self.parent and self.parent.parent_id is None:
            return [self.parent, self]  # an answer to the first question
        path = self.path_to_root()
        rows = Message.objects.in_bulk(path)
        return [rows[pk] for pk in reversed(path) if pk in rows]

    def path_to_root(self, limit: int = MAX_PATH_LENGTH) -> list[uuid.UUID]:
        """Returns the ids of this message and of those above it, at most `limit` of them, this one first."""
        return path_to_root(self, limit)


class RunQuerySet(models.QuerySet):
    def ready(self):
        """Returns the queued runs whose answer right before has ended; `Run.claim` also looks at those before it."""
        answer_before = Run.objects.filter(message_id=OuterRef("message__parent__parent_id"), status__in=Run.OPEN)
        return self.filter(status=Run.QUEUED).exclude(models.Exists(answer_before))

    def visible_to(self, user):
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at=None)

    def open(self):
        return self.filter(status__in=Run.OPEN)

    def lock(self):
        """Locks these runs until the transaction ends, always in the same order, so that nobody deadlocks."""
        return list(self.select_for_update().order_by("pk").values_list("pk", flat=True))


class Run(WithEnding, WithOwner, WithApprovals, WithOptions):
    """One generation of one reply, from the queue to its end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="runs", verbose_name=_("conversation")
    )
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="run")
    assistant = models.ForeignKey(
        Assistant, null=True, on_delete=models.SET_NULL, related_name="runs", verbose_name=_("assistant")
    )
    model = models.CharField(_("model"), max_length=200)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    idempotency_key = models.CharField(_("idempotency key"), max_length=200, null=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("The user's time zone, as an IANA name.")
    )
    language = models.CharField(
        _("language"), max_length=10, blank=True, help_text=_("Language of the run's own notices.")
    )
    resumes = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="resumed_by", verbose_name=_("resumed run")
    )
    instruction = models.TextField(
        _("instruction"),
        blank=True,
        default="",
        db_default="",
        help_text=_("How another version of an answer should differ from it."),
    )
    revises = models.ForeignKey(
        Message, null=True, editable=False, on_delete=models.SET_NULL, related_name="revised_by"
    )  # the answer that the instruction is about

    objects = RunQuerySet.as_manager()
    is_new = True  # False if an idempotency key led to the run of an earlier request

    class Meta:
        verbose_name, verbose_name_plural = _("run"), _("runs")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status"], condition=Q(status__in=["queued", "in_progress"]), name="run_open"),
            models.Index(fields=["finished_at"], name="run_finished_at"),
            models.Index(fields=["-created_at"], name="run_created_at"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["conversation", "idempotency_key"], name="one_run_per_idempotency_key"),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "in_progress"])
                | Q(finished_at__isnull=False, last_seq__isnull=False),
                name="an_ended_run_has_an_end",
            ),
            models.CheckConstraint(
                condition=~Q(status="in_progress") | Q(process_id__isnull=False), name="a_run_in_progress_has_a_process"
            ),
        ]

    def __str__(self):
        return f"{self.model} {self.get_status_display()}"

    def shows_images_of(self, message: Message) -> bool:
        """Returns whether the model gets the images of this message. Sync.

        It does not if it cannot see, as staff say, or if its server has said so since they were sent: otherwise one
        image would make all later requests of the conversation fail.
        """
        if self.assistant is None or not self.assistant.sees_images:
            return False
        runs = Run.objects.filter(conversation_id=self.conversation_id, model=self.model)
        return not runs.filter(error_code=SEES_NO_IMAGES, created_at__gt=message.created_at).exists()

    def in_its_language(self):
        """Returns a context manager that activates the language of the user who asked."""
        return translation.override(self.language or settings.LANGUAGE_CODE)

    @property
    def events_url(self):
        return f"/api/runs/{self.pk}/events"

    def terminal_event(self, ending: Ending | None = None) -> Event:
        """Returns the event that ends the log, for this ending or the one in the row."""
        return (ending or self.ending).as_event(str(self.conversation_id), str(self.pk))

    def finish(
        self, ending: Ending, parts: list[dict[str, Any]], *, last_seq: int, process_id: uuid.UUID | None
    ) -> bool:
        """Ends the run with its message's parts, unless it has ended otherwise; returns whether it did.

        The same call again, after a commit whose answer was lost, returns True as well.
        Runs in the caller's transaction. `process_id` is the process that writes the run, None for one that is queued.
        """
        status = self.IN_PROGRESS if process_id else self.QUEUED
        values = {field.name: getattr(ending, field.name) for field in dataclasses.fields(ending)}
        values |= {"last_seq": last_seq, "process_id": None}
        if Run.objects.filter(pk=self.pk, status=status, process_id=process_id).update(**values) != 1:
            ended_so = {"status": ending.status, "finished_at": ending.finished_at, "last_seq": last_seq}
            if not Run.objects.filter(pk=self.pk, **ended_so).exists():
                return False
        for name, value in values.items():
            setattr(self, name, value)
        text = text_of(parts)
        Message.objects.filter(pk=self.message_id).update(parts=parts, text=text)
        message = Message(pk=self.message_id, conversation_id=self.conversation_id, role=Message.ASSISTANT, text=text)
        SearchText.write([message])
        lasting = Conversation.objects.filter(pk=self.conversation_id, is_temporary=False)  # the others: by their pages
        lasting.update(updated_at=ending.finished_at, **Conversation.activity_after(ending))
        return True

    @sync_to_async
    def resume(self, decisions: dict[str, bool], always: Collection[str] = ()) -> "Run":
        """Continues with the user's decisions and returns the queued Run that resumes this one.

        `decisions` maps the id of each interrupt to whether the user allows its tool call. The tools of those in
        `always` may run without asking from now on in this conversation. The same again returns the same run and
        allows nothing more; different decisions, or late ones, are Refused.
        """
        by_call = self.decisions_by_call(decisions)
        conversation = Conversation.objects.filter(pk=self.conversation_id).first()
        if conversation is None:
            raise Refused(gettext("This chat no longer exists."), "not_found", 404)

        def start():
            if self.is_approval_expired:
                raise Refused(gettext("This approval request has expired. Send your message again."), "expired", 410)
            if Message.objects.filter(parent_id=self.message_id).exists():
                raise Refused(gettext("The chat continued before you responded to this request."), "superseded", 409)
            if self.assistant is None or not self.assistant.is_enabled:
                raise Refused(gettext("The assistant that asked is no longer available."), "no_assistant", 409)
            if tools := self.tools_of(always):
                conversation.allow_tools(tools)
            conversation.touch()
            fields = {"resumes": self, "decisions": by_call, **self.fields_for_repeat(self.assistant)}
            return conversation.start_reply(self.message, self.assistant, f"resume:{self.pk}", **fields)

        def is_same(run):
            if run.decisions != by_call:
                raise Refused(gettext("A different decision has already been recorded."), "already_answered", 409)
            return True

        return conversation.run_once(f"resume:{self.pk}", start, is_same)

    def cancel_queued(self) -> bool:
        """Cancels the run if it is still queued; returns whether it was. Sync, one transaction."""
        ending = Ending(self.CANCELLED)
        log = [events.RunStarted(str(self.conversation_id), str(self.pk)), self.terminal_event(ending)]
        with transaction.atomic():
            is_cancelled = self.finish(ending, [], last_seq=len(log), process_id=None)
            if is_cancelled:
                RunEvent.write(self.pk, log, after=0)
                notify_run_queued()  # what waited for this one can begin
        return is_cancelled
