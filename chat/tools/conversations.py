from datetime import datetime

from django.contrib.auth import get_user_model
from django.utils.translation import gettext

from .. import search
from ..events import clean_text
from ..models import Conversation, Message
from . import ANONYMOUS, Context, ToolError

MAX_WORDS = 8
MAX_WORD_LENGTH = 100  # characters
MAX_CANDIDATES = 100  # messages that are read: the newest that contain the words
MAX_PER_CONVERSATION = 2  # passages, so that other conversations are seen as well
MAX_PASSAGES = 8
PASSAGE_LENGTH = 300  # characters
CONTEXT_LENGTH = 100  # characters of a passage before the first word
SPEAKERS: dict[str, str] = {Message.USER: "the user said", Message.ASSISTANT: "the assistant said"}


def search_conversations(words: str, context: Context = ANONYMOUS) -> str:
    """Searches the user's other conversations for words that all occur in one message, in any order.

    Returns passages with title, link, date and speaker, newest first. Use few words that the text itself must contain,
    in the language of the conversation; a part of a word is enough.
    """
    if context.user_id is None:
        raise ToolError(gettext("No user is logged in, so there are no chats to search."))
    text = clean_text(words).replace("\ufffd", "")  # replaced surrogates, which match nothing
    terms = list(dict.fromkeys(text.split()))
    if not terms or len(terms) > MAX_WORDS or any(len(term) > MAX_WORD_LENGTH for term in terms):
        raise ToolError(gettext("Search for one to %(limit)s words.") % {"limit": MAX_WORDS})
    user = get_user_model()(pk=context.user_id)
    words = " ".join(terms)
    by_text = Message.objects.visible_to(user).filter(conversation__is_temporary=False)
    by_text = by_text.exclude(conversation=context.conversation).containing(words)
    by_title = Conversation.objects.visible_to(user).filter(is_temporary=False).exclude(pk=context.conversation)
    by_title = by_title.filter(search.title_contains(words))
    candidates = by_text.select_related("conversation", "search_text").defer("search_text__text")
    candidates = candidates.order_by("-created_at", "-id")[:MAX_CANDIDATES]
    messages = _select(list(candidates))
    lines = []
    for message in messages:
        heading = _heading(message.conversation, message.created_at, context)
        passage = search.passage(search.text_near(message.search_text, words), words, PASSAGE_LENGTH, CONTEXT_LENGTH)
        lines.append(f"{heading}, {SPEAKERS[message.role]}:\n{passage}")
    by_title = by_title.exclude(pk__in={message.conversation_id for message in messages})
    for conversation in by_title[: MAX_PASSAGES - len(messages)]:
        lines.append(f"{_heading(conversation, conversation.updated_at, context)}: only the title contains the words.")
    return "\n\n".join(lines) or "No results. Try other or fewer words."


def _select(messages: list[Message]) -> list[Message]:
    """Returns the first messages, but only a few of each conversation."""
    counts: dict[object, int] = {}
    selected: list[Message] = []
    for message in messages:
        count = counts.get(message.conversation_id, 0)
        if count < MAX_PER_CONVERSATION and len(selected) < MAX_PASSAGES:
            selected.append(message)
        counts[message.conversation_id] = count + 1
    return selected


def _heading(conversation: Conversation, time: datetime, context: Context) -> str:
    return f"“{conversation}” (/c/{conversation.pk}/), {time.astimezone(context.zone):%Y-%m-%d %H:%M}"
