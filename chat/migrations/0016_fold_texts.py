"""Folds what is stored, and lets PostgreSQL's indexes for searching be of the folded texts: see 0003_search_indexes.

A migration that was interrupted goes on where it was.
"""

from django.db import migrations

from chat.folding import fold
from chat.models import plain_text
from chat.models.batches import in_batches

FORWARDS = [
    "CREATE INDEX IF NOT EXISTS search_text_trigrams ON chat_searchtext USING gin (text gin_trgm_ops)",
    "CREATE INDEX IF NOT EXISTS search_text_pairs ON chat_searchtext USING gin (chat_pairs(text))",
    "CREATE INDEX IF NOT EXISTS folded_title_trigrams ON chat_conversation USING gin (folded_title gin_trgm_ops)",
    "DROP INDEX IF EXISTS message_text_trigrams",
    "DROP INDEX IF EXISTS message_text_pairs",
    "DROP INDEX IF EXISTS conversation_title_trigrams",
]
BACKWARDS = [
    "CREATE INDEX IF NOT EXISTS conversation_title_trigrams ON chat_conversation USING gin (UPPER(title) gin_trgm_ops)",
    "CREATE INDEX IF NOT EXISTS message_text_pairs ON chat_message USING gin (chat_pairs(text))",
    "CREATE INDEX IF NOT EXISTS message_text_trigrams ON chat_message USING gin (UPPER(text) gin_trgm_ops)",
    "DROP INDEX IF EXISTS folded_title_trigrams",
    "DROP INDEX IF EXISTS search_text_pairs",
    "DROP INDEX IF EXISTS search_text_trigrams",
]


def fold_messages(apps, schema_editor):
    alias = schema_editor.connection.alias
    messages = apps.get_model("chat", "Message").objects.using(alias).only("conversation", "role", "text")
    search_texts = apps.get_model("chat", "SearchText").objects.using(alias)

    def save(rows):
        texts = [(row.pk, row.conversation_id, fold(plain_text(row))) for row in rows]
        folded = [search_texts.model(message_id=pk, conversation_id=id, text=text) for pk, id, text in texts]
        search_texts.bulk_create(folded, ignore_conflicts=True)

    in_batches(messages.filter(search_text=None).exclude(text=""), save)


def fold_titles(apps, schema_editor):
    conversations = apps.get_model("chat", "Conversation").objects.using(schema_editor.connection.alias)

    def save(rows):
        for row in rows:
            row.folded_title = fold(row.title)
        conversations.bulk_update(rows, ["folded_title"])

    in_batches(conversations.filter(folded_title="").exclude(title="").only("title"), save)


def on_postgresql(statements):
    def change(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            for statement in statements:
                schema_editor.execute(statement)

    return change


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("chat", "0015_search_text")]
    operations = [
        migrations.RunPython(fold_messages, migrations.RunPython.noop),
        migrations.RunPython(fold_titles, migrations.RunPython.noop),
        migrations.RunPython(on_postgresql(FORWARDS), on_postgresql(BACKWARDS)),
    ]
