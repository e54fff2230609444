from django.db import migrations

# What 0005 made counts each pair's place from the beginning of its run: 100,000 letters without a break took 19 s. This
# gives the same pairs, so the index stays as it is.

FORWARDS = r"""
    CREATE OR REPLACE FUNCTION chat_pairs(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(array_agg(DISTINCT pair), '{}')
        FROM (
            SELECT letter || lead(letter) OVER (PARTITION BY number ORDER BY place) AS pair
            FROM regexp_matches($1, '[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}', 'g')
                    WITH ORDINALITY AS runs(run, number),
                unnest(string_to_array(run[1], NULL)) WITH ORDINALITY AS letters(letter, place)
        ) AS pairs
        WHERE pair IS NOT NULL
    $$
"""


def change(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORWARDS)


class Migration(migrations.Migration):
    dependencies = [("chat", "0008_a_row_holds_the_events_of_a_tick")]
    operations = [migrations.RunPython(change, migrations.RunPython.noop)]
