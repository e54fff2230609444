"""What an earlier release has stored is found, too."""

from contextlib import closing
from importlib import import_module
from itertools import count

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.models import QuerySet

from chat import search
from chat.models import Conversation, Message, SearchText, batches
from tests.rows import all_rows

texts_migration = import_module("chat.migrations.0016_fold_texts")
names_migration = import_module("chat.migrations.0022_fill_file_names")


def migrate_texts():
    with connection.schema_editor(atomic=False) as editor:
        texts_migration.fold_messages(apps, editor)
        texts_migration.fold_titles(apps, editor)


def migrate_names():
    with connection.schema_editor(atomic=False) as editor:
        names_migration.add_file_names(apps, editor)


def migrate():
    migrate_texts()
    migrate_names()


def update_search_index():
    call_command("update_search_index")


def stored():
    return async_to_sync(all_rows)()


@pytest.fixture
def complete(alice, monkeypatch):
    """Rows of this release: 8 questions with a file, 4 without, and 3 answers that have a text. Returns all rows."""
    monkeypatch.setattr(batches, "ROWS", 3)
    for number in range(4):
        row = Conversation.objects.create(owner=alice, title=f"Tîtle {number}")
        text = {"type": "text", "text": f"**Quéstion** {number}"}
        file = {"type": "file" if number % 2 else "document", "name": f"Plän {number}.pdf"}
        row.messages.create(role=Message.USER, text=text["text"], parts=[file, text])
        row.messages.create(role=Message.USER, parts=[file])
        row.messages.create(role=Message.USER, text='"type": "file"', parts=[text | {"text": '"type": "file"'}])
        row.messages.create(role=Message.ASSISTANT, text=f"**Ánswer** {number}" if number else "")
    return stored()


@pytest.fixture
def unfolded(complete):
    """Makes these rows those of an earlier release."""
    SearchText.objects.all().delete()
    QuerySet(Conversation).update(folded_title="")


def found(user, words):
    return search.matching_conversations(Conversation.objects.visible_to(user), words, 100)


@pytest.mark.parametrize("fill", [migrate, update_search_index])
def test_rows_of_an_earlier_release_are_found(alice, complete, unfolded, fill):
    assert found(alice, "title") == found(alice, "answer") == found(alice, "plan") == []
    fill()
    assert [len(found(alice, word)) for word in ("title", "question", "answer", "plan")] == [4, 4, 3, 4]
    assert stored() == complete
    fill()
    assert stored() == complete


def test_titles_that_an_earlier_release_has_changed_are_found(alice, complete):
    QuerySet(Conversation).filter(title="Tîtle 3").update(title="Nêw name")
    update_search_index()
    assert len(found(alice, "new name")) == 1
    assert len(found(alice, "title")) == 3


def test_messages_that_an_earlier_release_has_deleted_are_forgotten(alice, complete):
    deleted = Message.objects.filter(text="**Quéstion** 3").values_list("pk", flat=True).get()
    with connection.cursor() as cursor:  # that release does not know the other table
        cursor.execute(
            "DELETE FROM chat_message WHERE id = %s", [Message._meta.pk.get_db_prep_value(deleted, connection)]
        )
    connection.check_constraints()
    assert SearchText.objects.filter(message_id=deleted).exists()
    update_search_index()
    assert not SearchText.objects.filter(message_id=deleted).exists()
    assert len(found(alice, "question")) == 3


def interrupt(batch):
    """Returns an execute wrapper that interrupts the saving of this batch, counted from 1."""
    numbers = count(1)

    def execute_or_interrupt(execute, sql, *arguments):
        if sql.startswith("INSERT") and "chat_searchtext" in sql and next(numbers) == batch:
            raise KeyboardInterrupt
        return execute(sql, *arguments)

    return execute_or_interrupt


@pytest.mark.parametrize("fill", [migrate, update_search_index])
def test_filling_goes_on_after_an_interruption(complete, unfolded, fill):
    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupt(batch=3)):
        fill()
    assert SearchText.objects.count() == 6
    fill()
    assert stored() == complete


def test_file_names_are_not_added_twice_after_an_interruption(complete, unfolded):
    migrate_texts()
    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupt(batch=2)):
        migrate_names()
    with_names = SearchText.objects.exclude(file_names="")
    assert with_names.update(text="done before") == 3
    migrate_names()
    assert with_names.count() == 8
    assert with_names.filter(text="done before").count() == 3


@pytest.mark.parametrize("fill", [migrate_texts, migrate_names, update_search_index])
def test_messages_cannot_be_deleted_between_being_read_and_being_saved(complete, unfolded, fill):
    other, refusals = connection.copy(), []
    other.settings_dict["OPTIONS"]["timeout"] = 0  # SQLite's
    limit = "SET LOCAL lock_timeout = '50ms';" if connection.vendor == "postgresql" else ""

    def execute_and_delete(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if "chat_message" in sql and sql.startswith("SELECT") and not refusals:
            with pytest.raises(OperationalError) as refusal, other.cursor() as cursor:
                cursor.execute(f"{limit} DELETE FROM chat_message")
            refusals.append(refusal)
        return result

    with closing(other), connection.execute_wrapper(execute_and_delete):
        fill()
    assert len(refusals) == 1
