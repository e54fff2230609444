"""Conversations of one user: many, in whose texts some words are frequent and some rare, or a long one.

`python -m bench.sample_conversations USERNAME CONVERSATIONS MESSAGES` adds them to the database that
DATABASE_URL names, so many messages in each, and prints the newest one's id.
"""

import os
import random
import sys
from datetime import timedelta
from itertools import accumulate

from bench.document import document

WORDS = 60  # of each message
SEARCHES = {  # what is looked for, and the words
    "the list": "",
    "a frequent word": "token",
    "a rare word": "kumquat",
    "two rare words": "quince kumquat",
    "two common Japanese characters": "東京",
    "two rare Japanese characters": "茶碗",
    "a word that is nowhere": "xylophagous",
}


def texts(count):
    """So many texts of English-looking words as frequent as words are, every fifth with a Japanese sentence."""
    dice = random.Random(count)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "on", "us")]
    words = ["token", *("".join(dice.choices(syllables, k=dice.randint(1, 4))) for _ in range(20_000))]
    weights = list(accumulate(1 / place for place in range(1, len(words) + 1)))
    for number in range(count):
        text = " ".join(dice.choices(words, cum_weights=weights, k=WORDS))
        if number % 5 == 0:
            text += " 今日は東京の天気について質問します。明日の会議は大阪です。"
        if number == count // 10:  # long ago
            text += " The quince is not a kumquat, and 茶碗 is no 茶筅."
        yield text


def pages(count):
    """So many texts as a user and a model write them, each with its number."""
    for number in range(count):
        yield (f"And what about this, which is number {number}." if number % 2 == 0 else section(number)).strip()


def section(number):
    return f"{document(1500)}\n\nThat was number {number}."


def fill(name, count, each):
    from django.contrib.auth import get_user_model
    from django.db import transaction
    from django.utils import timezone

    from chat.models import Conversation, Message, SearchText

    user, now = get_user_model().objects.get(username=name), timezone.now()
    contents = texts(count * each) if count > 1 else pages(each)
    with transaction.atomic():
        for age in reversed(range(count)):
            then = now - timedelta(hours=age)
            title = f"About number {age}"
            row = Conversation.objects.create(owner=user, title=title, created_at=then, updated_at=then)
            parent, messages = None, []
            for place in range(each):
                role, text = (Message.ASSISTANT if place % 2 else Message.USER), next(contents)
                parts = [{"type": "text", "text": text}]
                moment = then + timedelta(seconds=place)
                parent = Message(conversation=row, parent=parent, role=role, text=text, parts=parts, created_at=moment)
                messages.append(parent)
            Message.objects.bulk_create(messages)
            SearchText.write(messages)
    print(row.pk)


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "chatsite.settings"
    django.setup()
    fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
