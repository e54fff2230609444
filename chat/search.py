"""Full-text search in conversations: which contain the words, and the text around them. Sync.

A conversation matches if its title or one of its messages contains all the words, or parts of words, in any order and
spelling (see chat.folding). Messages are read without their Markdown.
"""

from django.db.models import OuterRef, Q, QuerySet, Subquery

from .folding import find_in_original, fold, fold_words
from .markdown_to_text import excerpt_to_text
from .models import Conversation, Message, SearchText, contains

NEWEST = ("-updated_at", "-id")
SCAN_LIMIT = 150  # conversations that are read one by one before the index is used
LONG_LENGTH = 20_000  # characters of a message, of which only a part is converted
EXCERPT_LENGTH = 4_000  # characters of that part on each side of the match: more than any caller shows
SNIPPET_CONTEXT_LENGTH = 60  # characters on each side of the match


def title_contains(words: str) -> Q:
    """Returns the condition that the title of a conversation contains all the words."""
    return contains(words, "folded_title")


def matching_conversations(rows: QuerySet, words: str, limit: int) -> list[Conversation]:
    """Returns the newest `limit` of these conversations that match.

    Frequent words are soon found by reading from the newest conversation back, where an index would return half the
    table; rare words only an index finds. So the newest conversations are read first, and the index is used if they
    give too few results.
    """
    texts = SearchText.objects.containing(words)
    any_text = Subquery(texts.filter(conversation_id=OuterRef("pk")).values("pk")[:1])
    matching = rows.alias(match_id=any_text).filter(title_contains(words) | Q(match_id__isnull=False))
    oldest = rows.order_by(*NEWEST).values_list("updated_at", flat=True)[SCAN_LIMIT - 1 : SCAN_LIMIT].first()
    if oldest is None:
        return list(matching.order_by(*NEWEST)[:limit])
    results = list(matching.filter(updated_at__gte=oldest).order_by(*NEWEST)[:limit])
    if len(results) < limit:
        indexed = texts.narrowed_by_pairs(words).values("conversation")  # SQLite reads all texts, one after the other
        ids = set(rows.order_by().filter(pk__in=indexed).values_list("pk", flat=True))
        results = list(rows.filter(title_contains(words) | Q(pk__in=ids)).order_by(*NEWEST)[:limit])
    return results


def snippets(conversations: list[Conversation], words: str) -> dict:
    """Returns {conversation id: {"before", "match", "after", "message_id"}}, of the newest message that matches, else
    of the title.
    """
    texts = _newest_texts([row.pk for row in conversations], words)
    by_conversation = {}
    for row in conversations:
        text = texts.get(row.pk)
        snippet = _snippet(text_near(text, words) if text else row.title, words)
        by_conversation[row.pk] = {**snippet, "message_id": text and text.pk}
    return by_conversation


def _newest_texts(conversation_ids: list, words: str) -> dict:
    """Returns {conversation id: the search text of its newest message that matches}, without the folded text.

    Looks up the texts of the messages from the newest back, so that few are read if the words are frequent.
    """
    messages = Message.objects.filter(contains(words, "search_text__text"), conversation_id=OuterRef("pk"))
    newest = Subquery(messages.order_by("-created_at").values("pk")[:1])
    ids = Conversation.objects.order_by().filter(pk__in=conversation_ids).values_list(newest, flat=True)
    texts = SearchText.objects.filter(pk__in=ids).select_related("message")
    texts = texts.only("conversation_id", "file_names", "message__role", "message__text")
    return {text.conversation_id: text for text in texts}


def text_near(row: SearchText, words: str) -> str:
    """Returns the text of a message without Markdown, on one line; of a long one, what is around the first match.

    To take the Markdown out of a million characters takes 0.4 s.
    """
    text = row.message.text
    if len(text) > LONG_LENGTH:
        start, end = _first_match(text, words)
        excerpt = excerpt_to_text(text, start, EXCERPT_LENGTH, is_typed=row.message.role == Message.USER)
        if end and _first_match(excerpt, words)[1]:  # not if it was in what the reader does not see
            return excerpt
    return row.plain_text


def _snippet(text: str, words: str) -> dict[str, str]:
    start, end = _first_match(text, words)
    before = text[max(0, start - SNIPPET_CONTEXT_LENGTH) : start]
    after = text[end : end + SNIPPET_CONTEXT_LENGTH]
    return {
        "before": ("…" if start > SNIPPET_CONTEXT_LENGTH else "") + before.lstrip(),
        "match": text[start:end],
        "after": after.rstrip() + ("…" if len(text) > end + SNIPPET_CONTEXT_LENGTH else ""),
    }


def passage(text: str, words: str, length: int, context_length: int) -> str:
    """Returns `length` characters of a text without line breaks, from `context_length` before the first match."""
    start = max(0, _first_match(text, words)[0] - context_length)
    end = start + length
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _first_match(text: str, words: str) -> tuple[int, int]:
    """Returns where the first of the words starts and ends in the text; (0, 0) if there is none."""
    folded = fold(text)
    found = [(start, -len(word)) for word in fold_words(words) if (start := folded.find(word)) >= 0]
    if not found:
        return 0, 0
    start, negative_length = min(found)  # the longest of those that start first
    return find_in_original(text, start, start - negative_length)
