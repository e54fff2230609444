r"""Indexes for searching titles and messages on PostgreSQL. SQLite scans.

PostgreSQL finds parts of words by trigrams. There are no trigrams of two characters, which are a word in Japanese and
Chinese, and none at all of their letters if the database's locale is C. So pairs of these letters have an index of their
own. `chat_pairs` numbers the letters of each run of them once, which is linear: 100,000 letters without a break take
0.1 s. Counting each pair's place from the beginning of its run took 19 s.
"""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

FORWARDS = [
    "CREATE INDEX message_text_trigrams ON chat_message USING gin (UPPER(text) gin_trgm_ops)",
    "CREATE INDEX conversation_title_trigrams ON chat_conversation USING gin (UPPER(title) gin_trgm_ops)",
    r"""
    CREATE FUNCTION chat_pairs(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(array_agg(DISTINCT pair), '{}')
        FROM (
            SELECT letter || lead(letter) OVER (PARTITION BY number ORDER BY place) AS pair
            FROM regexp_matches($1, '[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}', 'g')
                    WITH ORDINALITY AS runs(run, number),
                unnest(string_to_array(run[1], NULL)) WITH ORDINALITY AS letters(letter, place)
        ) AS pairs
        WHERE pair IS NOT NULL
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
        if schema_editor.connection.vendor == "postgresql":
            for statement in statements:
                schema_editor.execute(statement)

    return change


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_tree_constraint")]
    operations = [TrigramExtension(), migrations.RunPython(on_postgresql(FORWARDS), on_postgresql(BACKWARDS))]
