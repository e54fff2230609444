"""Keeps a message and its parent in the same conversation.

Django has no foreign key over two columns. PostgreSQL has; SQLite cannot add one to a table, but has triggers.
"""

from django.db import migrations

POSTGRESQL = [
    (
        "ALTER TABLE chat_message ADD CONSTRAINT message_with_conversation UNIQUE (id, conversation_id)",
        "ALTER TABLE chat_message DROP CONSTRAINT message_with_conversation",
    ),
    (
        "ALTER TABLE chat_message ADD CONSTRAINT child_in_the_same_conversation "
        "FOREIGN KEY (parent_id, conversation_id) REFERENCES chat_message (id, conversation_id) "
        "DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE chat_message DROP CONSTRAINT child_in_the_same_conversation",
    ),
]
SQLITE = [
    (
        f"CREATE TRIGGER child_in_the_same_conversation_{name} BEFORE {event} ON chat_message "
        "WHEN NEW.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM chat_message AS parent "
        "WHERE parent.id = NEW.parent_id AND parent.conversation_id = NEW.conversation_id) "
        "BEGIN SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed: a child stays in its conversation'); END",
        f"DROP TRIGGER child_in_the_same_conversation_{name}",
    )
    for name, event in (("insert", "INSERT"), ("update", "UPDATE OF parent_id, conversation_id"))
]


def statements(schema_editor):
    return POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE


def create(apps, schema_editor):
    for create_statement, _drop_statement in statements(schema_editor):
        schema_editor.execute(create_statement)


def drop(apps, schema_editor):
    for _create_statement, drop_statement in reversed(statements(schema_editor)):
        schema_editor.execute(drop_statement)


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
