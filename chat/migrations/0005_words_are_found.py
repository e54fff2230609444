from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# PostgreSQL finds parts of words by trigrams. It has none for two characters, which are a word in Japanese and Chinese,
# and, where the database's locale is C, none for their letters at all: their pairs have an index of their own.

FORWARDS = [
    "CREATE INDEX message_text_trigrams ON chat_message USING gin (UPPER(text) gin_trgm_ops)",
    "CREATE INDEX conversation_title_trigrams ON chat_conversation USING gin (UPPER(title) gin_trgm_ops)",
    r"""
    CREATE FUNCTION chat_pairs(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(array_agg(DISTINCT substr(run, place, 2)), '{}')
        FROM (
            SELECT (regexp_matches($1, '[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}', 'g'))[1] AS run
        ) AS runs, generate_series(1, length(run) - 1) AS place
    $$
    """,
    "CREATE INDEX message_text_pairs ON chat_message USING gin (chat_pairs(text))",
]
BACKWARDS = [
    "DROP INDEX message_text_pairs",
    "DROP FUNCTION chat_pairs(text)",
    "DROP INDEX conversation_title_trigrams",
    "DROP INDEX message_text_trigrams",
]


def on_postgresql(statements):
    def change(apps, schema_editor):
        for statement in statements if schema_editor.connection.vendor == "postgresql" else ():
            schema_editor.execute(statement)

    return change


class Migration(migrations.Migration):
    dependencies = [("chat", "0004_attachments_shares_and_preferences")]
    operations = [TrigramExtension(), migrations.RunPython(on_postgresql(FORWARDS), on_postgresql(BACKWARDS))]
