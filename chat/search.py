"""Full-text search in conversations: which contain the words, and the text around them. Sync.

A conversation matches if its title or one of its messages contains all the words, or parts of words, in any order.
"""

import re

from django.db.models import OuterRef, Q, QuerySet, Subquery

from .models import Conversation, Message

NEWEST = ("-updated_at", "-id")
SCAN_LIMIT = 150  # conversations that are read one by one before the index is used
SNIPPET_CONTEXT_LENGTH = 60  # characters on each side of the match


def title_contains(words: str) -> Q:
    """Returns the condition that the title of a conversation contains all the words."""
    return Q(*(Q(title__icontains=word) for word in words.split()))


def matching_conversations(rows: QuerySet, words: str, limit: int) -> list[Conversation]:
    """Returns the newest `limit` of these conversations that match.

    Frequent words are soon found by reading from the newest conversation back, where an index would return half the
    table; rare words only an index finds. So the newest conversations are read first, and the index is used if they
    give too few results.
    """
    messages = Message.objects.containing(words).order_by()
    newest_ids = list(rows.order_by(*NEWEST).values_list("pk", flat=True)[:SCAN_LIMIT])
    any_message = Subquery(messages.filter(conversation_id=OuterRef("pk")).values("pk")[:1])
    newest = rows.filter(pk__in=newest_ids).annotate(match_id=any_message)
    results = list(newest.filter(title_contains(words) | Q(match_id__isnull=False)).order_by(*NEWEST)[:limit])
    if len(results) < limit and len(newest_ids) == SCAN_LIMIT:
        indexed = messages.narrowed_by_pairs(words).filter(conversation__in=rows.order_by().values("pk"))
        ids = set(indexed.values_list("conversation_id", flat=True))
        results = list(rows.filter(title_contains(words) | Q(pk__in=ids)).order_by(*NEWEST)[:limit])
    return results


def snippets(conversations: list[Conversation], words: str) -> dict:
    """Returns {conversation id: {"before", "match", "after", "message_id"}}, of the newest message that matches, else
    of the title.
    """
    messages = Message.objects.containing(words).filter(conversation_id=OuterRef("pk")).order_by("-created_at")
    rows = Conversation.objects.filter(pk__in=[row.pk for row in conversations]).order_by()
    message_ids = dict(rows.annotate(match_id=Subquery(messages.values("pk")[:1])).values_list("pk", "match_id"))
    texts = Message.objects.only("text").in_bulk([pk for pk in message_ids.values() if pk])
    by_conversation = {}
    for row in conversations:
        message = texts.get(message_ids.get(row.pk))
        snippet = _snippet(message.text if message else row.title, words)
        by_conversation[row.pk] = {**snippet, "message_id": message and message.pk}
    return by_conversation


def _snippet(text: str, words: str) -> dict[str, str]:
    start, end = _first_match(text, words)
    before = text[max(0, start - SNIPPET_CONTEXT_LENGTH) : start]
    after = text[end : end + SNIPPET_CONTEXT_LENGTH]
    return {
        "before": ("…" if start > SNIPPET_CONTEXT_LENGTH else "") + _one_line(before).lstrip(),
        "match": _one_line(text[start:end]),
        "after": _one_line(after).rstrip() + ("…" if len(text) > end + SNIPPET_CONTEXT_LENGTH else ""),
    }


def passage(text: str, words: str, length: int, context_length: int) -> str:
    """Returns `length` characters of the text on one line, from `context_length` before the first match."""
    text = _one_line(text).strip()
    start = max(0, _first_match(text, words)[0] - context_length)
    end = start + length
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _first_match(text: str, words: str) -> tuple[int, int]:
    """Returns where the first of the words starts and ends in the text; (0, 0) if there is none."""
    lowercase = _lower(text)
    found = [(lowercase.find(word), len(word)) for word in _lower(words).split()]
    start, length = min((match for match in found if match[0] >= 0), default=(0, 0))
    return start, start + length


def _lower(text: str) -> str:
    """Returns the text in lower case, with every character at the place it had: "İ" would become two."""
    lowercase = text.lower()
    if len(lowercase) != len(text):
        lowercase = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return lowercase


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
