"""The rows: who talks with what, what was said, and what each run did. Verbs that change rows live on them.

Async verbs are whole transactions, run in the caller's database thread. Everything a person may see is found through
`visible_to(user)`; another person's row simply does not exist there.
"""

import uuid
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.text import Truncator

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
                raise Refused("No assistant is set up yet.", "no_assistant", 409)
            return assistant
        assistant = self.offered().filter(slug=slug).first()
        if assistant is None:
            raise Refused(f"There is no assistant called “{slug[:100]}”.", "unknown_assistant")
        return assistant


class Assistant(models.Model):
    """What a person picks to talk with; staff edit it in the admin."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    model = models.CharField(max_length=200, help_text="provider:model, such as openai:gpt-5-mini or demo:")
    system_prompt = models.TextField(blank=True)
    tools = models.JSONField(default=list, blank=True, help_text='Names of tools, such as ["clock"].')
    params = models.JSONField(
        default=dict,
        blank=True,
        help_text='What goes to the model with each request, such as {"temperature": 0.2}. For openai: models, '
        "base_url and api_key_env (the name of the environment variable that holds the key) choose another server.",
    )
    memory_turns = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many turns the model is shown, this one included; empty: the whole conversation.",
    )
    max_model_calls = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    is_default = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
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
        if not isinstance(self.tools, list) or not all(isinstance(name, str) for name in self.tools):
            raise ValidationError({"tools": "Tools are a JSON list of names."})
        if not isinstance(self.params, dict):
            raise ValidationError({"params": "Parameters are a JSON object."})


class ConversationQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(owner_id=user.pk)

    def containing(self, words):
        return self.filter(Q(title__icontains=words) | Q(messages__text__icontains=words)).distinct()


class Conversation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    assistant = models.ForeignKey(Assistant, null=True, on_delete=models.SET_NULL, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now, help_text="Last activity.")

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-updated_at", "-id"], name="conversation_by_activity"),
            models.Index(fields=["-updated_at", "-id"], name="all_conversations_by_activity"),
        ]

    def __str__(self):
        return self.title or "New chat"

    @classmethod
    @sync_to_async
    def begin(cls, owner, text, assistant=None):
        """A new conversation with its first message: gives the queued Run as `ask` does, or leaves nothing."""
        with transaction.atomic():
            return cls.objects.create(owner=owner, assistant=Assistant.objects.pick(assistant))._ask(text)

    @sync_to_async
    def ask(self, text, *, parent_id=None, assistant=None, key=None):
        """Keep what the person said and start an answer: gives the queued Run, its message and reply with it.

        `parent_id` is the message it answers (default: the newest). The same `key` again gives the same run; with
        another text, parent or assistant it is Refused with 409. The caller hands the run to the engine.
        """
        return self._ask(text, parent_id, assistant, key)

    def _ask(self, text, parent_id=None, assistant=None, key=None):
        def start():
            chosen = self._pick(assistant)
            parent = self._parent(parent_id)
            parts = [{"type": "text", "text": text}]
            message = self.messages.create(
                parent=parent, role=Message.USER, text=text, parts=parts, created_at=_after(parent)
            )
            if not self.title:
                self.title = Truncator(" ".join(text.split())).chars(60)
            self.updated_at, self.assistant = message.created_at, chosen
            self.save(update_fields=["title", "updated_at", "assistant"])
            return self._answer(message, chosen, key)

        def fits(run):
            asked = run.message.parent
            return (
                asked.text == text
                and parent_id in (None, asked.parent_id)
                and assistant in (None, run.assistant and run.assistant.slug)
            )

        return self.once(key, start, fits)

    def once(self, key, start, fits):
        """What `start()` gives, or the run that this key started before, if it `fits`. Sync; one transaction.

        Who asks at the same time waits: there is one newest message to answer, and one run for a key.
        """
        with transaction.atomic():
            if not list(Conversation.objects.select_for_update().filter(pk=self.pk).values_list("pk")):
                raise Refused("This conversation does not exist any more.", "not_found", 404)
            if key is not None:
                runs = self.runs.select_related("conversation", "message__parent", "assistant")
                if run := runs.filter(idempotency_key=key).first():
                    if not fits(run):
                        raise Refused(
                            "This Idempotency-Key was used for another message.", "idempotency_key_reused", 409
                        )
                    run.is_new = False
                    return run
            return start()

    def _parent(self, parent_id):
        if parent_id is None:
            return self.messages.order_by("-created_at", "-id").first()
        parent = self.messages.filter(pk=parent_id).first()
        if parent is None:
            raise Refused("The message to answer is not in this conversation.", "unknown_parent")
        return parent

    def _pick(self, slug):
        """The assistant of that slug, or the one of this conversation while it is offered, or the default one."""
        if slug is None and self.assistant and self.assistant.is_enabled:
            return self.assistant
        return Assistant.objects.pick(slug)

    def _answer(self, message, assistant, key=None):
        """An empty reply to `message` and its queued run; inside the caller's transaction."""
        most = settings.MAX_RUNS_PER_USER + settings.MAX_WAITING_PER_USER
        if Run.objects.filter(conversation__owner_id=self.owner_id, status__in=Run.OPEN).count() >= most:
            raise Refused("Too many of your answers are still being written. Try again soon.", "too_many_runs", 429)
        reply = self.messages.create(parent=message, role=Message.ASSISTANT, created_at=_after(message))
        run = Run(conversation=self, message=reply, assistant=assistant, model=assistant.model, idempotency_key=key)
        run.save(force_insert=True)
        return run


def _after(message):
    """Now, but never before the message that one answers: the order of messages is theirs, whatever the clock does."""
    return max(timezone.now(), message.created_at + timedelta(microseconds=1)) if message else timezone.now()


class MessageQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(conversation__owner_id=user.pk)


class Message(models.Model):
    """One utterance. Messages form a tree: edits and regenerations are siblings."""

    USER, ASSISTANT = "user", "assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    # That a parent is of the same conversation is kept by the database: see migration 0002.
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=10, choices={USER: "user", ASSISTANT: "assistant"})
    parts = models.JSONField(default=list, help_text="See chat.events.fold for the shapes.")
    text = models.TextField(blank=True, help_text="The text parts alone, for searching.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = MessageQuerySet.as_manager()

    class Meta:
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
            raise Refused("Only an answer can be regenerated.", "not_an_answer")
        conversation = Conversation.objects.select_related("assistant").filter(pk=self.conversation_id).first()
        if conversation is None:
            raise Refused("This conversation does not exist any more.", "not_found", 404)

        def start():
            chosen = conversation._pick(assistant)
            conversation.updated_at = timezone.now()
            conversation.save(update_fields=["updated_at"])
            return conversation._answer(self.parent, chosen, key)

        def fits(run):
            return run.message.parent_id == self.parent_id and run.message_id != self.pk

        return conversation.once(key, start, fits)

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
        return self.filter(conversation__owner_id=user.pk)

    def open(self):
        return self.filter(status__in=Run.OPEN)


class Run(models.Model):
    """One generation: what became of one reply."""

    QUEUED, IN_PROGRESS, COMPLETED = "queued", "in_progress", "completed"
    FAILED, CANCELLED, INTERRUPTED = "failed", "cancelled", "interrupted"
    OPEN = (QUEUED, IN_PROGRESS)
    STATUSES = {status: status for status in (*OPEN, COMPLETED, FAILED, CANCELLED, INTERRUPTED)}
    NOTICES = {
        "length": "The answer reached its length limit.",
        "content_filter": "The provider's content filter ended the answer.",
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="run")
    assistant = models.ForeignKey(Assistant, null=True, on_delete=models.SET_NULL, related_name="runs")
    model = models.CharField(max_length=200)
    status = models.CharField(max_length=20, choices=STATUSES, default=QUEUED)
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True, help_text="The sentence the person sees.")
    finish_reason = models.CharField(max_length=50, blank=True)
    usage = models.JSONField(
        default=list, blank=True, help_text="Per model call: provider, model and counts named as AG-UI's TokenUsage."
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(max_length=200, null=True)
    worker_id = models.UUIDField(null=True, help_text="The process that writes it while it is in progress.")
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False, help_text="Another process asked its worker to stop it.")
    last_seq = models.PositiveIntegerField(null=True, help_text="The terminal event's, once there is one.")

    objects = RunQuerySet.as_manager()
    is_new = True  # False where an idempotency key found the run of an earlier request

    class Meta:
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
        return f"{self.model} {self.status}"

    @property
    def is_open(self):
        return self.status in self.OPEN

    @property
    def events_url(self):
        return f"/api/runs/{self.pk}/events"

    @property
    def error(self):
        return {"code": self.error_code, "message": self.error_message} if self.error_code else None

    @property
    def notice(self):
        """A sentence about an end that is no error but that the person should know of."""
        return self.NOTICES.get(self.finish_reason)

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
        result = {"finishReason": self.finish_reason or None, "notice": self.notice}
        return events.RunFinished(str(self.conversation_id), str(self.pk), outcome, result, usage)

    def end(self, status, *, error=None, finish_reason="", usage=(), last_seq, first_token_at=None):
        """Say in memory how it ended; `settle` makes it so. `error` is (code, sentence)."""
        self.status, self.finish_reason, self.usage, self.last_seq = status, finish_reason or "", list(usage), last_seq
        self.error_code, self.error_message = error or ("", "")
        self.first_token_at, self.finished_at = first_token_at, timezone.now()

    def settle(self, parts, was):
        """Make `end` so, with the message's parts, if the run still is as `was` says; the second changes nothing.

        Runs inside the caller's transaction and tells whether it was you. `was` are the conditions, such as
        `{"status": "in_progress", "worker_id": …}`.
        """
        names = ["status", "finish_reason", "usage", "last_seq", "error_code", "error_message"]
        values = {name: getattr(self, name) for name in [*names, "first_token_at", "finished_at"]}
        if Run.objects.filter(pk=self.pk, **was).update(**values, worker_id=None) != 1:
            return False
        Message.objects.filter(pk=self.message_id).update(parts=parts, text=events.text_of(parts))
        Conversation.objects.filter(pk=self.conversation_id).update(updated_at=self.finished_at)
        return True

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
        unanswered = Message.objects.filter(pk=self.message.parent.parent_id, run__status__in=self.OPEN)
        queued = Run.objects.filter(pk=self.pk, status=self.QUEUED).exclude(models.Exists(unanswered))
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


class RunEvent(models.Model):
    """The journal: the durable copy of a run's events. (run, seq) is the key, so no number is ever written twice."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    data = models.TextField(help_text="The event's JSON, as it is sent.")

    class Meta:
        ordering = ["run_id", "seq"]

    @classmethod
    def write(cls, run_id, log, after):
        """Write these events behind position `after`."""
        rows = [cls(run_id=run_id, seq=seq, data=events.to_json(event)) for seq, event in enumerate(log, after + 1)]
        cls.objects.bulk_create(rows)


class Worker(models.Model):
    """A server process that writes runs. It counts `beat` up while it lives."""

    id = models.UUIDField(primary_key=True)
    beat = models.PositiveBigIntegerField(default=0)
    seen_at = models.DateTimeField(default=timezone.now)
