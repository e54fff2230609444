"""What the migrations promise to operators, see docs/upgrading.md."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField, CreateModel, RunPython

OWN_APPS = ("accounts", "chat")


def own_migrations():
    migrations = MigrationLoader(connection, ignore_no_migrations=True).disk_migrations
    return [migration for (app, _name), migration in sorted(migrations.items()) if app in OWN_APPS]


def added_fields():
    """(app, model, field) of every column that a migration adds to an older table."""
    for migration in own_migrations():
        for operation in migration.operations:
            if isinstance(operation, AddField):
                yield migration.app_label, operation.model_name, operation.name


@pytest.mark.django_db
def test_previous_release_can_insert_rows_into_new_tables(subtests):
    fields = list(added_fields())
    assert ("chat", "conversation", "outcome") in fields
    for app, model, name in fields:
        field = apps.get_model(app, model)._meta.get_field(name)
        with subtests.test(f"{app}.{model}.{name}"):
            assert field.null or field.has_db_default(), (
                "Rows that do not name this column are refused: add db_default."
            )


def new_references():
    """(app, model, field) of every reference from a table that was added after the first migration of its app."""
    for migration in own_migrations():
        for operation in migration.operations:
            if isinstance(operation, CreateModel) and not migration.initial:
                for name, field in operation.fields:
                    if field.is_relation and not field.many_to_many:
                        yield migration.app_label, operation.name, name


@pytest.mark.django_db
def test_previous_release_can_delete_what_new_tables_refer_to(subtests):
    references = list(new_references())
    assert ("chat", "SearchText", "message") in references
    for app, model, name in references:
        with subtests.test(f"{app}.{model}.{name}"):
            field = apps.get_model(app, model)._meta.get_field(name)
            assert not field.db_constraint, "Rows of this table keep the previous release from deleting others."


@pytest.mark.django_db
def test_interrupted_migrations_can_be_run_again(subtests):
    """Those that are not one transaction only run code, which may look at what is done already."""
    not_atomic = [migration for migration in own_migrations() if not migration.atomic]
    assert not_atomic
    for migration in not_atomic:
        with subtests.test(str(migration)):
            assert {type(operation) for operation in migration.operations} == {RunPython}
