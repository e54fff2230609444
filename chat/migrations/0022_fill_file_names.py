"""Adds the names of the files of earlier messages to their search texts. If it is interrupted, it goes on where it was."""

from django.db import migrations
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from chat.folding import fold
from chat.models import plain_text
from chat.models.batches import in_batches
from chat.parts import file_names

HAS_FILES = Q(json__contains='"type": "file"') | Q(json__contains='"type": "document"')
LACKS_NAMES = Q(search_text=None) | Q(search_text__file_names="")


def add_file_names(apps, schema_editor):
    alias = schema_editor.connection.alias
    messages = apps.get_model("chat", "Message").objects.using(alias).only("conversation", "role", "text", "parts")
    search_texts = apps.get_model("chat", "SearchText").objects.using(alias)

    def save(rows):
        texts = [_search_text(search_texts.model, row) for row in rows]
        search_texts.bulk_create(
            [text for text in texts if text.file_names],
            update_conflicts=True,
            unique_fields=["message"],
            update_fields=["text", "file_names"],
        )

    in_batches(messages.alias(json=Cast("parts", TextField())).filter(HAS_FILES, LACKS_NAMES, role="user"), save)


def _search_text(model, message):
    names = file_names(message.parts)
    text = fold(f"{plain_text(message)} {names}".strip())
    return model(message_id=message.pk, conversation_id=message.conversation_id, text=text, file_names=names)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("chat", "0021_assistant_position")]
    operations = [migrations.RunPython(add_file_names, migrations.RunPython.noop)]
