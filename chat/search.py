"""Looking for words in a person's conversations: which hold them, and where."""

import re

from django.db.models import OuterRef, Q, Subquery

from .models import Conversation, Message

NEWEST = ("-updated_at", "-id")
NEAR = 150  # conversations that are read through, before the index is asked
AROUND = 60  # characters of text on each side


def find(rows, words, limit):
    """The first `limit` of these conversations with all the words, or parts of words, in the title or in one message.

    Sync. What is frequent is soon met from the newest conversation back, while an index would bring up half the table;
    what is rare, only an index finds. So the newest ones are read, and if that gives too few, the index is asked.
    """
    in_title = Q(*(Q(title__icontains=word) for word in words.split()))
    said = Message.objects.containing(words).order_by()
    near = list(rows.order_by(*NEWEST).values_list("pk", flat=True)[:NEAR])
    here = Subquery(said.filter(conversation_id=OuterRef("pk")).values("pk")[:1])
    met = rows.filter(pk__in=near).annotate(said=here).filter(in_title | Q(said__isnull=False))
    found = list(met.order_by(*NEWEST)[:limit])
    if len(found) < limit and len(near) == NEAR:
        everywhere = said.with_pairs(words).filter(conversation__in=rows.order_by().values("pk"))
        met = set(everywhere.values_list("conversation_id", flat=True))
        found = list(rows.filter(in_title | Q(pk__in=met)).order_by(*NEWEST)[:limit])
    return found


def snippets(conversations, words):
    """Conversation's id -> {"before", "match", "after", "message_id"}: in the newest message, else the title. Sync."""
    newest = Message.objects.containing(words).filter(conversation_id=OuterRef("pk")).order_by("-created_at")
    rows = Conversation.objects.filter(pk__in=[row.pk for row in conversations])
    said = dict(rows.order_by().annotate(said=Subquery(newest.values("pk")[:1])).values_list("pk", "said"))
    messages = Message.objects.only("text").in_bulk([pk for pk in said.values() if pk])
    found = {}
    for row in conversations:
        message = messages.get(said.get(row.pk))
        found[row.pk] = _around(message.text if message else row.title, words) | {"message_id": message and message.pk}
    return found


def _around(text, words):
    """The first place where one of the words stands, on one line."""
    place = re.search("|".join(map(re.escape, words.split())), text, re.IGNORECASE)
    begin, end = place.span() if place else (0, 0)
    before, after = text[max(0, begin - AROUND) : begin], text[end : end + AROUND]
    return {
        "before": ("…" if begin > AROUND else "") + _one_line(before).lstrip(),
        "match": _one_line(text[begin:end]),
        "after": _one_line(after).rstrip() + ("…" if len(text) > end + AROUND else ""),
    }


def _one_line(text):
    return re.sub(r"\s+", " ", text)
