"""Conversations that begin with turns from elsewhere, and what else a program says about the answer that it wants."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import models, transaction
from django.utils import timezone

from ..hooks import Addition
from ..parts import text_of
from .assistants import Assistant
from .attachments import Attachment
from .search_texts import SearchText
from .titles import first_words

if TYPE_CHECKING:
    from .conversations import Run


@dataclass(frozen=True, slots=True)
class GivenTurn:
    """A message from elsewhere: its role and parts, and the images in them, which no message has yet."""

    role: str
    parts: list[dict[str, Any]]
    images: Sequence[Attachment] = field(default=())


class WithGivenTurns(models.Model):
    """Adds `begin_with` to Conversation."""

    class Meta:
        abstract = True

    @classmethod
    @sync_to_async
    def begin_with(
        cls,
        owner: Any,
        turns: Sequence[GivenTurn],
        assistant: Assistant,
        *,
        is_temporary: bool,
        options: dict[str, Any],
    ) -> "Run":
        """Creates a conversation with these turns, of which the last is a question, and returns its queued Run.

        `options` are those of the run (`WithOptions`). One transaction.
        Raises Refused if a hook in RUN_CHECKS does; nothing is stored then.
        """
        title = next((text for turn in turns if turn.role == "user" and (text := text_of(turn.parts).strip())), "")
        conversation_model: Any = cls
        conversation = conversation_model(
            owner=owner, assistant=assistant, is_temporary=is_temporary, title=first_words(title), title_by="text"
        )
        with transaction.atomic():
            conversation.save(force_insert=True)
            question = conversation._add_given(turns)
            return conversation.start_reply(question, assistant, options=options)

    def _add_given(self, turns: Sequence[GivenTurn]) -> Any:
        """Saves the turns as one branch and returns the last message."""
        message_model: Any = self.messages.model  # type: ignore[attr-defined]
        start = timezone.now()
        rows: list[Any] = []
        for number, turn in enumerate(turns):
            time = start + timedelta(microseconds=number)  # messages are ordered by it, so no two may be equal
            row = message_model(conversation=self, parent=rows[-1] if rows else None, role=turn.role, created_at=time)
            row.parts, row.text = turn.parts, text_of(turn.parts)
            rows.append(row)
        message_model.objects.bulk_create(rows)
        if not self.is_temporary:  # type: ignore[attr-defined]  # nobody searches a temporary one
            SearchText.write(rows)
        for row, turn in zip(rows, turns, strict=True):
            if turn.images:
                Attachment.objects.filter(pk__in=[image.pk for image in turn.images]).update(message=row)
        return rows[-1]


class WithOptions(models.Model):
    """The column of a run with what a program asked for: `instructions`, which follow the assistant's own, and `params`
    that replace the assistant's.
    """

    options = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField()), blank=True, editable=False
    )

    class Meta:
        abstract = True

    def fields_for_repeat(self, assistant: Assistant) -> dict[str, Any]:
        """Returns the fields that a further run for the same question takes over: `options` and `time_zone`.

        The params were checked for this run's assistant, so another one is asked without them.
        """
        options = dict(self.options)
        if assistant.pk != self.assistant_id:  # type: ignore[attr-defined]
            options.pop("params", None)
        return {"options": options, "time_zone": self.time_zone}  # type: ignore[attr-defined]

    def given_additions(self) -> Collection[Addition]:
        instructions = self.options.get("instructions")
        return [Addition(instructions=instructions)] if instructions else []

    def answering_assistant(self) -> Assistant:
        """Returns the run's assistant with the params of the options, not to be saved; an empty one if it is gone."""
        assistant: Assistant = self.assistant or Assistant()  # type: ignore[attr-defined]
        if params := self.options.get("params"):
            adapted = Assistant(
                **{field.attname: getattr(assistant, field.attname) for field in assistant._meta.concrete_fields}
            )
            adapted.params = assistant.params | params
            return adapted
        return assistant
