"""A title for a conversation after its first answer, by the model that gave it; the first words stay if it cannot."""

import asyncio
import functools

from django.conf import settings
from django.utils.text import Truncator

from .. import events, providers
from ..models import Assistant, Conversation, Run
from . import speech

PATIENCE = 30  # seconds
LONGEST = 80  # characters
READ = 2_000  # characters of question and answer each that the model is shown
TASK = (
    "Give the conversation below a title of two to six words, in the language of its first message. "
    "Answer with the title alone: no quotation marks, no full stop, no explanation."
)


async def give(desk, answered):
    """Ask for a title if this live run gave the first answer and nobody has given a title; tells whether there is one.

    `desk` runs a function in a database thread.
    """
    run, conversation, question = answered.run, answered.run.conversation, answered.run.message.parent
    text = events.text_of(events.fold(answered.log.events))
    is_first = question.parent_id is None and run.status == Run.COMPLETED and conversation.title_by == "text"
    if not (settings.AUTO_TITLES and is_first and text and run.assistant and providers.is_model(run.model)):
        return False
    if conversation.is_temporary or answered.engine.pulse.adopts:  # a terminal leaves before a title comes
        return False
    turns = [("user", [{"type": "text", "text": f"{question.text[:READ]}\n\n---\n\n{text[:READ]}"}])]
    asking = Assistant(system_prompt=TASK, params=run.assistant.params)
    live = speech.Speech(f"{run.pk} (title)", "title")
    try:
        async with asyncio.timeout(PATIENCE):
            await live.give(run.model, speech.request(asking, run.model, turns))
    except TimeoutError:
        return False
    title = _tidy(events.text_of(events.fold(live.log.events)))
    if live.narrator.finish_reason != "stop" or not title:
        return False
    nobodys = Conversation.objects.filter(pk=conversation.pk, title_by="text")
    return await desk(0, functools.partial(nobodys.update, title=title, title_by="assistant")) == 1


MARKS = " #*_`\"'“”„「」『』《》.。"


def _tidy(text):
    """The first line that says something, without quotation marks, Markdown and a full stop around it."""
    line = next((line for line in text.splitlines() if line.strip(MARKS)), "")
    return Truncator(" ".join(line.strip(MARKS).removeprefix("Title:").split()).strip(MARKS)).chars(LONGEST)
