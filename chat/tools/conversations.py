from django.contrib.auth import get_user_model
from django.utils.translation import gettext

from ..models import Conversation, Message
from . import NOBODY, Context, ToolError

MOST_WORDS = 8
LONGEST_WORD = 100  # characters
LOOKED_AT = 100  # messages, the newest that hold the words
OF_ONE = 2  # passages of the same conversation, so that others are seen too
SHOWN = 8  # passages
BEFORE, LONG = 100, 300  # characters of a passage: before the first word found, and altogether


def search_conversations(words: str, context: Context = NOBODY) -> str:
    """Search the person's other conversations for words that all occur in one message, in any order.

    Gives passages with title, link, date and who said it, the newest first. Use few words that the text itself must
    contain, in the language of the conversation; a part of a word is enough.
    """
    if context.person is None:
        raise ToolError(gettext("Nobody is logged in here, so there are no conversations to search."))
    wanted = list(dict.fromkeys(words.replace("\0", "").encode("utf-8", "ignore").decode().split()))
    if not wanted or len(wanted) > MOST_WORDS or any(len(word) > LONGEST_WORD for word in wanted):
        raise ToolError(gettext("Search for one to %(most)s words.") % {"most": MOST_WORDS})
    person = get_user_model()(pk=context.person)
    said = Message.objects.visible_to(person).exclude(conversation=context.conversation)
    titled = Conversation.objects.visible_to(person).exclude(pk=context.conversation)
    for word in wanted:
        said, titled = said.filter(text__icontains=word), titled.filter(title__icontains=word)
    found = passages(said.select_related("conversation").order_by("-created_at", "-id")[:LOOKED_AT])
    seen = {message.conversation_id for message in found}
    lines = [
        f"{heading(message.conversation, message.created_at, context)}, {SPEAKERS[message.role]}:\n"
        f"{passage(message.text, wanted)}"
        for message in found
    ] + [
        f"{heading(conversation, conversation.updated_at, context)}: the title alone has the words."
        for conversation in titled.exclude(pk__in=seen)[: SHOWN - len(found)]
    ]
    return "\n\n".join(lines) or "Nothing was found. Other words may help, or fewer."


SPEAKERS = {Message.USER: "the person said", Message.ASSISTANT: "the assistant said"}


def passages(messages):
    """The messages to show, a few of each conversation."""
    chosen = {}
    for message in messages:
        chosen.setdefault(message.conversation_id, []).append(message)
    few = {message.pk for of_one in chosen.values() for message in of_one[:OF_ONE]}
    return [message for message in messages if message.pk in few][:SHOWN]


def heading(conversation, time, context):
    return f"“{conversation}” (/c/{conversation.pk}/), {time.astimezone(context.zone):%Y-%m-%d %H:%M}"


def passage(text, words):
    """The text around the first of the words in it, on one line."""
    text = " ".join(text.split())
    lower = text.lower()
    places = [place for word in words if (place := lower.find(word.lower())) >= 0]
    start = max(0, min(places, default=0) - BEFORE)
    cut = text[start : start + LONG]
    return f"{'…' if start else ''}{cut}{'…' if start + LONG < len(text) else ''}"
