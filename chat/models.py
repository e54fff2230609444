"""The rows: who talks with what, what was said, and what each run did. Verbs that change rows live on them.

Async verbs are whole transactions, run in the caller's database thread. Everything a person may see is found through
`visible_to(user)`; another person's row simply does not exist there.
"""

import re
import secrets
import uuid
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models, transaction
from django.db.models import F, Q, lookups
from django.utils import timezone, translation
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import events


class Refused(Exception):
    """What was asked for cannot be done; carries the sentence for the person and the code and status for a program."""

    def __init__(self, message, code="invalid", status=400):
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


class AssistantQuerySet(models.QuerySet):
    def offered(self):
        return self.filter(is_enabled=True).order_by("-is_default", "name")

    def pick(self, slug=None):
        """The assistant of that slug, or the default one; raises Refused where there is none to pick."""
        if slug is None:
            assistant = self.offered().first()
            if assistant is None:
                raise Refused(gettext("No assistant is set up yet."), "no_assistant", 409)
            return assistant
        try:
            return self.get(slug=slug, is_enabled=True)
        except Assistant.DoesNotExist:
            sentence = gettext("There is no assistant called “%(slug)s”.") % {"slug": slug[:100]}
            raise Refused(sentence, "unknown_assistant") from None


class Assistant(models.Model):
    """What a person picks to talk with; staff edit it in the admin."""

    slug = models.SlugField(_("slug"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    description = models.CharField(_("description"), max_length=300, blank=True)
    model = models.CharField(
        _("model"), max_length=200, help_text=_("provider:model, such as openai:gpt-5-mini or demo:")
    )
    system_prompt = models.TextField(_("system prompt"), blank=True)
    tools = models.JSONField(_("tools"), default=list, blank=True, help_text=_('Names of tools, such as ["clock"].'))
    ask_first = models.JSONField(
        _("ask first"),
        default=list,
        blank=True,
        help_text=_("Which of them run only after the person said yes, besides those that always ask."),
    )
    params = models.JSONField(
        _("params"),
        default=dict,
        blank=True,
        help_text=_(
            'What goes to the model with each request, such as {"temperature": 0.2}. For openai: models, '
            "base_url and api_key_env (the name of the environment variable that holds the key) choose another server."
        ),
    )
    memory_turns = models.PositiveSmallIntegerField(
        _("memory turns"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Turns that the model is shown, this one included. Empty: all, or five with tools."),
    )
    max_model_calls = models.PositiveSmallIntegerField(
        _("max model calls"), default=3, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    sees_images = models.BooleanField(_("sees images"), default=False, help_text=_("Whether its model reads images."))
    starters = models.JSONField(
        _("starters"), default=list, blank=True, help_text=_('Prompts to begin with, such as ["Plan a trip to Kyoto"].')
    )
    is_default = models.BooleanField(_("is default"), default=False)
    is_enabled = models.BooleanField(_("is enabled"), default=True)

    TURNS_WITH_TOOLS = 5

    objects = AssistantQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("assistant"), _("assistants")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="one_default_assistant",
            )
        ]

    def __str__(self):
        return self.name

    def save(self, **kwargs):
        """The last one made the default is the default."""
        with transaction.atomic():
            if self.is_default:
                Assistant.objects.filter(is_default=True).exclude(pk=self.pk).update(is_default=False)
            super().save(**kwargs)

    def clean(self):
        for field, sentence in {
            "tools": _("Tools are a JSON list of names."),
            "ask_first": _("Tools are a JSON list of names."),
            "starters": _("Starters are a JSON list of texts."),
        }.items():
            texts = getattr(self, field)
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ValidationError({field: sentence})
        if not isinstance(self.params, dict):
            raise ValidationError({"params": _("Parameters are a JSON object.")})


class Offer(models.Model):
    """An assistant that was made because its model was found, by its slug: it is not made again when it is deleted."""

    slug = models.SlugField(primary_key=True)


class ToolServer(models.Model):
    """An MCP server whose tools assistants may use as `mcp:SLUG`. Its command runs here: only superusers set it."""

    STDIO, HTTP = "stdio", "http"

    slug = models.SlugField(_("slug"), max_length=30, unique=True)
    transport = models.CharField(
        _("transport"), max_length=10, choices={STDIO: "stdio", HTTP: "streamable HTTP"}, default=HTTP
    )
    command = models.JSONField(
        _("command"),
        default=list,
        blank=True,
        help_text=_('For stdio: the program and its arguments, such as ["uvx", "mcp-server-time"].'),
    )
    env = models.JSONField(
        _("env"),
        default=dict,
        blank=True,
        help_text=_("For stdio: environment variables; the site's own are not passed on."),
    )
    url = models.URLField(_("URL"), blank=True, help_text=_("For HTTP."))
    headers = models.JSONField(
        _("headers"), default=dict, blank=True, help_text=_("For HTTP: headers to send, such as Authorization.")
    )
    is_enabled = models.BooleanField(_("is enabled"), default=True)

    class Meta:
        verbose_name, verbose_name_plural = _("tool server"), _("tool servers")
        ordering = ["slug"]

    def __str__(self):
        return self.slug


class Preferences(models.Model):
    """How a person likes it; a person without a row likes everything as it is."""

    THEMES = {"": "as the device", "light": "light", "dark": "dark"}
    SEND_KEYS = {"enter": "Enter", "ctrl+enter": "Ctrl+Enter"}
    TRANSPORTS = {"sse": "server-sent events", "websocket": "WebSocket"}

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="preferences"
    )
    instructions = models.TextField(blank=True, help_text="What every assistant is told about this person.")
    language = models.CharField(max_length=10, blank=True, help_text="Empty: as the browser asks.")
    theme = models.CharField(max_length=10, blank=True, choices=THEMES)
    send_key = models.CharField(max_length=12, default="enter", choices=SEND_KEYS)
    transport = models.CharField(max_length=10, default="sse", choices=TRANSPORTS)
    shows_steps = models.BooleanField(default=True)

    class Meta:
        verbose_name, verbose_name_plural = _("preferences"), _("preferences")

    def __str__(self):
        return f"Preferences of {self.person}"


class ConversationQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(owner_id=user.pk, deleted_at=None)


class Conversation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations", verbose_name=_("owner")
    )
    assistant = models.ForeignKey(
        Assistant, null=True, on_delete=models.SET_NULL, related_name="conversations", verbose_name=_("assistant")
    )
    title = models.CharField(max_length=200, blank=True)
    title_by = models.CharField(
        max_length=10,
        blank=True,
        choices={"text": "the first words", "assistant": "the assistant", "person": "the person"},
        help_text="Whose the title is; a person's own stays as it is.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(_("last activity"), default=timezone.now, help_text="Last activity.")
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="Hidden since then, and gone soon after.")
    is_temporary = models.BooleanField(default=False, help_text="Listed nowhere, and gone when it ends.")
    leaf = models.ForeignKey(
        "Message",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The end of the branch that the person looks at; empty: the newest message.",
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("conversation"), _("conversations")
        ordering = ["-updated_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-updated_at", "-id"], name="conversation_by_activity"),
            models.Index(fields=["-updated_at", "-id"], name="all_conversations_by_activity"),
        ]

    def __str__(self):
        return self.title or gettext("New chat")

    @classmethod
    @sync_to_async
    def begin(cls, owner, text, assistant=None, **said):
        """A new conversation with its first message: gives the queued Run as `ask` does, or leaves nothing."""
        with transaction.atomic():
            return cls(owner=owner, assistant=Assistant.objects.pick(assistant))._ask(text, **said)

    @sync_to_async
    def ask(self, text, **said):
        """Keep what the person said and start an answer: gives the queued Run, its message and reply with it.

        `parent_id` is the message it answers (default: the end of the branch that is shown, or the newest), `instead`
        a message of the person's that it stands beside. `attachments` are ids of images, `documents` texts with a
        name, `time_zone` the person's, an IANA name. The same `key` again gives the same run; with another text,
        place or assistant it is Refused with 409. The caller hands the run to the engine.
        """
        return self._ask(text, **said)

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
            chosen = self._pick(assistant)
            parent = instead.parent if instead else self._parent(parent_id)
            images = self._images(attachments, chosen, instead)
            parts = [*map(Attachment.as_part, images), *documents, {"type": "text", "text": text}]
            message = Message(conversation=self, parent=parent, role=Message.USER, text=text, parts=parts)
            message.created_at = _after(parent)
            self.updated_at, self.assistant, self.archived_at, self.leaf = message.created_at, chosen, None, None
            if self._state.adding:
                self.title, self.title_by = _first_words(text), "text"
                self.save(force_insert=True)
            else:
                self.save(update_fields=["updated_at", "assistant", "archived_at", "leaf"])
                self._name_after(text)
            message.save(force_insert=True)
            if images:
                Attachment.objects.filter(pk__in=[image.pk for image in images]).update(message=message)
            return self._answer(message, chosen, key, time_zone=time_zone)

        def fits(run):
            asked = run.message.parent
            place = asked.parent_id == instead.parent_id if instead else parent_id in (None, asked.parent_id)
            return asked.text == text and place and assistant in (None, run.assistant and run.assistant.slug)

        return self.once(key, start, fits)

    def _name_after(self, text):
        """Its first words are the title, unless it has one or has got one since we read it."""
        title = {"title": _first_words(text), "title_by": "text"}
        if not self.title and Conversation.objects.filter(pk=self.pk, title="").update(**title):
            self.title, self.title_by = title.values()

    def _images(self, ids, assistant, instead):
        """The unused images of these ids, in this order; of those of the message that is edited, copies."""
        if not ids:
            return []
        if not assistant.sees_images:
            sentence = gettext("%(assistant)s does not see images. Choose another assistant.")
            raise Refused(sentence % {"assistant": assistant.name}, "sees_no_images")
        usable = Q(message=None) | Q(message=instead)
        found = Attachment.objects.filter(usable, owner_id=self.owner_id).in_bulk(ids)
        if len(found) < len(ids):
            raise Refused(
                gettext("One of the images is not there, or was sent already. Add it again."), "unknown_attachment"
            )
        return [found[id].copy() if found[id].message_id else found[id] for id in ids]

    @sync_to_async
    def share(self):
        """A Share: a copy of the branch that is shown, as it is now, without the steps to its answers."""
        leaf = self.leaf or self.messages.order_by("created_at", "id").last()
        if leaf is None:
            raise Refused(gettext("There is nothing to share yet."), "empty", 409)
        branch = leaf.branch()
        models.prefetch_related_objects(branch, "run__assistant")
        messages = [
            {
                "role": row.role,
                "name": run.assistant.name if (run := getattr(row, "run", None)) and run.assistant else "",
                "parts": [part for part in row.parts if part["type"] in Share.SHOWN],
                "created_at": row.created_at.isoformat(),
            }
            for row in branch
        ]
        return self.shares.create(pk=secrets.token_urlsafe(24), title=self.title, messages=messages)

    def once(self, key, start, fits):
        """What `start()` gives, or the run that this key started before, if it `fits`. Sync; one transaction.

        Who asks at the same time waits: there is one newest message to answer, and one run for a key. Of a conversation
        that is only now beginning nobody else knows.
        """
        with transaction.atomic(savepoint=False):
            still_there = Conversation.objects.filter(pk=self.pk, deleted_at=None)
            if not (self._state.adding or list(still_there.select_for_update().values_list("pk"))):
                raise Refused(gettext("This conversation does not exist any more."), "not_found", 404)
            if key is not None:
                runs = self.runs.select_related("conversation", "message__parent", "assistant")
                if run := runs.filter(idempotency_key=key).first():
                    if not fits(run):
                        raise Refused(
                            gettext("This Idempotency-Key was used for another message."), "idempotency_key_reused", 409
                        )
                    run.is_new = False
                    return run
            return start()

    def _stir(self):
        """It is active again, and its newest message is shown."""
        self.updated_at, self.leaf = timezone.now(), None
        self.save(update_fields=["updated_at", "leaf"])

    def _parent(self, parent_id):
        parent_id = parent_id or self.leaf_id
        if self._state.adding:
            return None
        if parent_id is None:
            return self.messages.order_by("-created_at", "-id").first()
        parent = self.messages.filter(pk=parent_id).first()
        if parent is None:
            raise Refused(gettext("The message to answer is not in this conversation."), "unknown_parent")
        return parent

    def _pick(self, slug):
        """The assistant of that slug, or the one of this conversation while it is offered, or the default one."""
        if slug is None and self.assistant and self.assistant.is_enabled:
            return self.assistant
        return Assistant.objects.pick(slug)

    def _answer(self, message, assistant, key=None, **fields):
        """An empty reply to `message` and its queued run; inside the caller's transaction."""
        most = settings.MAX_RUNS_PER_USER + settings.MAX_WAITING_PER_USER
        if Run.objects.filter(conversation__owner_id=self.owner_id, status__in=Run.OPEN).count() >= most:
            raise Refused(
                gettext("Too many of your answers are still being written. Try again soon."), "too_many_runs", 429
            )
        reply = self.messages.create(parent=message, role=Message.ASSISTANT, created_at=_after(message))
        run = Run(conversation=self, message=reply, assistant=assistant, idempotency_key=key, **fields)
        run.model, run.language = assistant.model, translation.get_language() or ""
        run.save(force_insert=True)
        return run


MARKS = re.compile(r"```\w*|\*\*|`|^[ \t]*(?:#{1,6}|>|[-*+])[ \t]", re.MULTILINE)  # Markdown's


def _first_words(text):
    words = " ".join(MARKS.sub(" ", text).split()) or " ".join(text.split())
    return Truncator(words).chars(60)


def _after(message):
    """Now, but never before the message that one answers: the order of messages is theirs, whatever the clock does."""
    return max(timezone.now(), message.created_at + timedelta(microseconds=1)) if message else timezone.now()


# The letters that migration 0005 keeps pairs of, for PostgreSQL has no trigrams of a word of two.
PAIRS = re.compile("[々\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")


@models.CharField.register_lookup
@models.TextField.register_lookup
class IContains(lookups.IContains):
    """Django's, which on SQLite knows the two cases of ASCII letters alone; there Python compares the others."""

    def as_sqlite(self, compiler, connection):
        word = self.rhs
        if isinstance(word, str) and not word.isascii() and word.lower() != word.upper():
            return lookups.IRegex(self.lhs, re.escape(word)).as_sql(compiler, connection)
        return self.as_sql(compiler, connection)


class MessageQuerySet(models.QuerySet):
    def containing(self, words):
        """Those whose text holds all of these words, or parts of words, in any order."""
        return self.filter(*(Q(text__icontains=word) for word in words.split()))

    def with_pairs(self, words):
        """The same rows, found by the index of pairs where there is one and the words are written so."""
        pairs = {run[place : place + 2] for run in PAIRS.findall(words) for place in range(len(run) - 1)}
        if connections[self.db].vendor != "postgresql" or not pairs:
            return self
        kept = models.Func("text", function="chat_pairs", output_field=ArrayField(models.TextField()))
        return self.alias(pairs=kept).filter(pairs__contains=sorted(pairs))

    def visible_to(self, user):
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at=None)


class Message(models.Model):
    """One utterance. Messages form a tree: edits and regenerations are siblings."""

    USER, ASSISTANT = "user", "assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    # That a parent is of the same conversation is kept by the database: see migration 0002.
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=10, choices={USER: _("user"), ASSISTANT: _("assistant")})
    parts = models.JSONField(default=list, help_text="See chat.events.fold for the shapes.")
    text = models.TextField(blank=True, help_text="The text parts alone, for searching.")
    created_at = models.DateTimeField(default=timezone.now)
    feedback = models.JSONField(
        null=True,
        blank=True,
        help_text='What the person thinks of it: {"rating": "up" or "down", "reason", "comment"}.',
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
        return f"{self.role}: {Truncator(self.text).chars(60)}"

    @sync_to_async
    def regenerate(self, assistant=None, key=None):
        """Start another answer to the same question, beside this one: gives the queued Run."""
        if self.role != Message.ASSISTANT:
            raise Refused(gettext("Only an answer can be regenerated."), "not_an_answer")
        conversation = Conversation.objects.select_related("assistant").filter(pk=self.conversation_id).first()
        if conversation is None:
            raise Refused(gettext("This conversation does not exist any more."), "not_found", 404)

        def start():
            chosen = conversation._pick(assistant)
            conversation._stir()
            run = self.run
            fields = {"time_zone": run.time_zone, "resumes_id": run.resumes_id, "answers": self._answered(run)}
            return conversation._answer(self.parent, chosen, key, **fields)

        def fits(run):
            return run.message.parent_id == self.parent_id and run.message_id != self.pk

        return conversation.once(key, start, fits)

    @sync_to_async
    def go_on(self, key=None):
        """Let the assistant go on where this answer broke off: gives the queued Run of a reply behind it."""
        runs = Run.objects.select_related("conversation__assistant", "assistant")
        run = runs.filter(message_id=self.pk).first()
        if run is None or run.is_open or not run.is_unfinished:
            raise Refused(gettext("Only an answer that broke off can go on."), "not_broken_off", 409)
        conversation = run.conversation

        def start():
            if Message.objects.filter(parent_id=self.pk).exists():
                raise Refused(gettext("The conversation has gone on after this answer."), "superseded", 409)
            chosen = run.assistant if run.assistant and run.assistant.is_enabled else conversation._pick(None)
            conversation._stir()
            return conversation._answer(self, chosen, key, time_zone=run.time_zone)

        return conversation.once(key, start, lambda run: run.message.parent_id == self.pk)

    @sync_to_async
    def take_back(self):
        """Delete what nobody has begun to answer, with its empty reply; Refused if that is too late."""
        run = Run.objects.filter(message__parent_id=self.pk).first()
        if self.role != Message.USER or run is None or not run.cancel_in_line():
            raise Refused(gettext("This is being answered already."), "begun", 409)
        with transaction.atomic():
            list(Conversation.objects.select_for_update().filter(pk=self.conversation_id).values_list("pk"))
            # What waits behind it goes on without it, and its images may be sent again.
            Message.objects.filter(parent__parent=self).update(parent=self.parent)
            self.attachments.update(message=None)
            self.delete()
        return run

    def _answered(self, run):
        """What the person answered before this reply; a tool that has run on their yes does not run once more."""
        used = {part["id"]: part for part in self.parts if part["type"] == "tool_result"}
        return run.answers | {
            id: {"result": used[id]["result"], "error": used[id]["error"]} for id in run.answers if id in used
        }

    def branch(self):
        """The messages from the root down to this one, oldest first."""
        if self.parent and self.parent.parent_id is None:
            return [self.parent, self]  # the first question of all
        parents = dict(Message.objects.filter(conversation_id=self.conversation_id).values_list("id", "parent_id"))
        path, step = [], self.pk
        while step in parents:
            path.append(step)
            step = parents[step]
        rows = Message.objects.in_bulk(path)
        return [rows[pk] for pk in reversed(path) if pk in rows]


class RunQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at=None)

    def open(self):
        return self.filter(status__in=Run.OPEN)


APPROVED = {  # what answers the question whether a tool may run, as JSON Schema
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
}


class Run(models.Model):
    """One generation: what became of one reply."""

    QUEUED, IN_PROGRESS, COMPLETED = "queued", "in_progress", "completed"
    FAILED, CANCELLED, INTERRUPTED = "failed", "cancelled", "interrupted"
    OPEN = (QUEUED, IN_PROGRESS)
    STATUSES = {
        QUEUED: _("queued"),
        IN_PROGRESS: _("in progress"),
        COMPLETED: _("completed"),
        FAILED: _("failed"),
        CANCELLED: _("cancelled"),
        INTERRUPTED: _("interrupted"),
    }
    NOTICES = {
        "length": _("The answer reached its length limit."),
        "content_filter": _("The provider's content filter ended the answer."),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="runs", verbose_name=_("conversation")
    )
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="run")
    assistant = models.ForeignKey(
        Assistant, null=True, on_delete=models.SET_NULL, related_name="runs", verbose_name=_("assistant")
    )
    model = models.CharField(_("model"), max_length=200)
    status = models.CharField(_("status"), max_length=20, choices=STATUSES, default=QUEUED)
    error_code = models.CharField(_("error code"), max_length=50, blank=True)
    error_message = models.TextField(_("error"), blank=True, help_text=_("The sentence the person sees."))
    finish_reason = models.CharField(_("finish reason"), max_length=50, blank=True)
    usage = models.JSONField(
        default=list, blank=True, help_text="Per model call: provider, model and counts named as AG-UI's TokenUsage."
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=200, null=True)
    worker_id = models.UUIDField(
        _("worker"), null=True, help_text=_("The process that writes it while it is in progress.")
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    cancel_requested = models.BooleanField(
        _("cancel requested"), default=False, help_text=_("Another process asked its worker to stop it.")
    )
    last_seq = models.PositiveIntegerField(
        _("last seq"), null=True, help_text=_("The terminal event's, once there is one.")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, help_text=_("The person's, an IANA name."))
    language = models.CharField(
        _("language"), max_length=10, blank=True, help_text=_("The person's, in which it speaks of itself.")
    )
    interrupts = models.JSONField(
        _("interrupts"),
        default=list,
        blank=True,
        help_text=_("What it waits for from the person, as AG-UI's interrupts."),
    )
    resumes = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="resumed_by", verbose_name=_("resumes")
    )
    answers = models.JSONField(
        _("answers"),
        default=dict,
        blank=True,
        help_text=_("For a run that resumes another: tool call -> the person's yes or no, or its result."),
    )

    objects = RunQuerySet.as_manager()
    is_new = True  # False where an idempotency key found the run of an earlier request

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
                condition=~Q(status="in_progress") | Q(worker_id__isnull=False), name="a_live_run_has_a_worker"
            ),
        ]

    def __str__(self):
        return f"{self.model} {self.get_status_display()}"

    @property
    def is_open(self):
        return self.status in self.OPEN

    @property
    def is_unfinished(self):
        """Whether there is more to say than the message holds, and the assistant can be asked for it."""
        return self.status in (self.INTERRUPTED, self.CANCELLED) or self.finish_reason == "length"

    @property
    def is_repeatable(self):
        """Whether it may be begun again where it has shown nothing: a tool that a person allowed runs once."""
        return True not in self.answers.values()

    def in_its_language(self):
        """A context in which sentences are the person's who asked."""
        return translation.override(self.language or settings.LANGUAGE_CODE)

    @property
    def events_url(self):
        return f"/api/runs/{self.pk}/events"

    @property
    def error(self):
        return {"code": self.error_code, "message": self.error_message} if self.error_code else None

    @property
    def notice(self):
        """A sentence about an end that is no error but that the person should know of."""
        return str(self.NOTICES[self.finish_reason]) if self.finish_reason in self.NOTICES else None

    @property
    def total_usage(self):
        """The counts of all model calls together, or None where nothing was told."""
        total = {}
        for call in self.usage:
            for name, count in call.items():
                if name.endswith("_tokens"):
                    total[name] = total.get(name, 0) + count
        return total or None

    def terminal_event(self):
        """The event that ends the log of this ended run."""
        usage = [{events.camel(name): value for name, value in call.items()} for call in self.usage] or None
        if self.error_code:
            return events.RunError(self.error_message, self.error_code, usage)
        outcome = {"type": "cancelled" if self.status == self.CANCELLED else "success"}
        if self.interrupts:
            outcome = {"type": "interrupt", "interrupts": self.interrupts}
        result = {"finishReason": self.finish_reason or None, "notice": self.notice}
        return events.RunFinished(str(self.conversation_id), str(self.pk), outcome, result, usage)

    def end(self, status, *, error=None, finish_reason="", usage=(), last_seq, first_token_at=None, approvals=()):
        """Say in memory how it ended; `settle` makes it so. `error` is (code, sentence).

        `approvals` are the tool calls that wait for the person's yes.
        """
        self.status, self.finish_reason, self.usage, self.last_seq = status, finish_reason or "", list(usage), last_seq
        expires = (timezone.now() + timedelta(seconds=settings.APPROVAL_SECONDS)).isoformat(timespec="seconds")
        self.interrupts = [
            {
                "id": f"{self.pk}:{number}",
                "reason": "tool_call",
                "message": approval.message,
                "toolCallId": approval.tool_call_id,
                "responseSchema": APPROVED,
                "expiresAt": expires,
            }
            for number, approval in enumerate(approvals, 1)
        ]
        self.error_code, self.error_message = map(str, error or ("", ""))
        self.first_token_at, self.finished_at = first_token_at, timezone.now()

    def settle(self, parts, was):
        """Make `end` so, with the message's parts, if the run still is as `was` says; the second changes nothing.

        Runs inside the caller's transaction and tells whether it was you. `was` are the conditions, such as
        `{"status": "in_progress", "worker_id": …}`.
        """
        names = ["status", "finish_reason", "usage", "last_seq", "error_code", "error_message", "interrupts"]
        values = {name: getattr(self, name) for name in [*names, "first_token_at", "finished_at"]}
        if Run.objects.filter(pk=self.pk, **was).update(**values, worker_id=None) != 1:
            return False
        Message.objects.filter(pk=self.message_id).update(parts=parts, text=events.text_of(parts))
        Conversation.objects.filter(pk=self.conversation_id).update(updated_at=self.finished_at)
        return True

    @sync_to_async
    def resume(self, told):
        """Go on with what the person answered: gives the queued Run that continues this one.

        `told` is yes or no to each interrupt, by its id. The same again gives the same run; another answer, or one
        that comes too late, is Refused.
        """
        asked = {one["id"]: one["toolCallId"] for one in self.interrupts}
        if not asked:
            raise Refused(gettext("This run waits for no answer."), "not_waiting", 409)
        if told.keys() != asked.keys():
            sentence = gettext("Answer all of these interrupts at once: %(interrupts)s.")
            raise Refused(sentence % {"interrupts": ", ".join(asked)}, "not_all_answered")
        answers = {call: told[id] for id, call in asked.items()}
        conversation = Conversation.objects.filter(pk=self.conversation_id).first()
        if conversation is None:
            raise Refused(gettext("This conversation does not exist any more."), "not_found", 404)

        def start():
            if any(datetime.fromisoformat(one["expiresAt"]) < timezone.now() for one in self.interrupts):
                raise Refused(gettext("It is too late to answer this. Ask again."), "expired", 410)
            if Message.objects.filter(parent_id=self.message_id).exists():
                raise Refused(gettext("The conversation has gone on without this answer."), "superseded", 409)
            if self.assistant is None or not self.assistant.is_enabled:
                raise Refused(gettext("The assistant that asked is not there any more."), "no_assistant", 409)
            conversation._stir()
            fields = {"resumes": self, "answers": answers, "time_zone": self.time_zone}
            return conversation._answer(self.message, self.assistant, f"resume:{self.pk}", **fields)

        def fits(run):
            if run.answers != answers:
                raise Refused(gettext("This was answered already, and otherwise."), "already_answered", 409)
            return True

        return conversation.once(f"resume:{self.pk}", start, fits)

    def cancel_in_line(self):
        """Cancel it while nobody has begun it; tells whether that was so. Sync, one transaction."""
        self.end(self.CANCELLED, last_seq=2)
        log = [events.RunStarted(str(self.conversation_id), str(self.pk)), self.terminal_event()]
        with transaction.atomic():
            won = self.settle([], was={"status": self.QUEUED})
            if won:
                RunEvent.write(self.pk, log, after=0)
        return won

    def claim(self, worker_id):
        """Begin it here, if nobody else has and the answer it builds on is there; tells whether it was you."""
        queued = Run.objects.filter(pk=self.pk, status=self.QUEUED)
        if before := self.message.parent.parent_id:
            queued = queued.exclude(models.Exists(Message.objects.filter(pk=before, run__status__in=self.OPEN)))
        now = timezone.now()
        won = queued.update(
            status=self.IN_PROGRESS,
            worker_id=worker_id,
            started_at=now,
            attempts=F("attempts") + 1,
            cancel_requested=False,
        )
        if won:
            self.status, self.worker_id, self.started_at = self.IN_PROGRESS, worker_id, now
            self.attempts += 1
        return won == 1

    def hand_back(self, worker_id):
        """Put a begun run that has shown nothing back in line, for whoever is free; inside the caller's transaction."""
        mine = Run.objects.filter(pk=self.pk, status=self.IN_PROGRESS, worker_id=worker_id)
        if mine.update(status=self.QUEUED, worker_id=None, started_at=None) != 1:
            return False
        RunEvent.objects.filter(run_id=self.pk).delete()
        return True


class RunEventQuerySet(models.QuerySet):
    def told(self):
        """(number, event) of the events in these rows of one run."""
        return [told for seq, data in self.values_list("seq", "data") for told in enumerate(events.unpack(data), seq)]


class RunEvent(models.Model):
    """The journal: the durable copy of a run's events, those of one tick in a row.

    `seq` is the number of the row's first event. Whoever writes begins where it knows that the log ends, and (run, seq)
    is the key: so no number is ever written twice.
    """

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    data = models.TextField(help_text="The events' JSON: see chat.events.pack.")

    objects = RunEventQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("event"), _("events")
        ordering = ["run_id", "seq"]

    @classmethod
    def write(cls, run_id, log, after):
        """Write these events behind position `after`."""
        cls(run_id=run_id, seq=after + 1, data=events.pack(log)).save(force_insert=True)


class Worker(models.Model):
    """A server process that writes runs. It counts `beat` up while it lives."""

    id = models.UUIDField(primary_key=True)
    beat = models.PositiveBigIntegerField(default=0)
    seen_at = models.DateTimeField(default=timezone.now)


class AttachmentQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(owner_id=user.pk)


class Attachment(models.Model):
    """An image that a person gave, re-encoded by us; only its owner, reviewers and the model see it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    message = models.ForeignKey(Message, null=True, on_delete=models.CASCADE, related_name="attachments")
    data = models.BinaryField()
    media_type = models.CharField(max_length=50)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("attachment"), _("attachments")
        ordering = ["created_at"]

    def __str__(self):
        return f"{self.media_type} {self.width} × {self.height}"

    def copy(self):
        """Another one of the same image, unused."""
        names = ("owner_id", "data", "media_type", "width", "height")
        return Attachment.objects.create(**{name: getattr(self, name) for name in names})

    def as_part(self):
        names = ("media_type", "width", "height")
        return {"type": "image", "id": str(self.pk), **{name: getattr(self, name) for name in names}}


class Share(models.Model):
    """A read-only copy of a conversation as it was, for whoever has its link, until it is revoked."""

    SHOWN = ("text", "document", "image")

    token = models.CharField(primary_key=True, max_length=40, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="shares")
    title = models.CharField(max_length=200, blank=True)
    messages = models.JSONField(help_text="What is shown: role, parts, assistant's name and time of each.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("share"), _("shares")
        ordering = ["-created_at"]

    def __str__(self):
        return self.title or gettext("Shared chat")
