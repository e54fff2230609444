"""The groups that a migration makes, and what a member of each can and cannot do."""

import re
from importlib import import_module

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chat.models import Assistant
from tests.admin.pages import ASSISTANTS, CONVERSATIONS, RUNS, assistant_of, change_url, count_queries, get_page
from tests.rows import all_rows, create_user

pytestmark = pytest.mark.slow

migration = import_module("chat.migrations.0009_staff_groups")
USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
TOOL_SERVERS = "/admin/chat/toolserver/"
LISTS = {ASSISTANTS, CONVERSATIONS, RUNS, USERS, GROUPS, TOOL_SERVERS}


def create_groups():
    migration.create_groups(apps, None)


@pytest.fixture
def member_of(transactional_db):
    """`await member_of("Reviewer")`: a member of staff in that group and no other."""

    @sync_to_async
    def make(*groups, name="dora", **fields):
        create_groups()
        member = create_user(name, is_staff=True, **fields)
        member.groups.set(Group.objects.filter(name__in=groups))
        return get_user_model().objects.get(pk=member.pk)

    return make


def account(user, **fields):
    """Returns the fields of a user's form as the page has them."""
    return {"username": user.username, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"} | fields


# The migration --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_groups_have_permissions_that_exist():
    Group.objects.all().delete()
    before = set(Permission.objects.values_list("pk", flat=True))
    create_groups()
    assert {group.name for group in Group.objects.all()} == {"Reviewer", "Assistant editor", "User manager"}
    assert set(Permission.objects.values_list("pk", flat=True)) == before
    for group in Group.objects.all():
        assert group.permissions.count() == len(migration.GROUPS[group.name])


@pytest.mark.django_db
def test_groups_that_an_operator_changed_stay_as_they_are():
    Group.objects.all().delete()
    Group.objects.create(name="Reviewer")
    create_groups()
    Group.objects.get(name="User manager").permissions.clear()
    create_groups()
    assert not Group.objects.get(name="Reviewer").permissions.exists()
    assert not Group.objects.get(name="User manager").permissions.exists()


@pytest.mark.django_db
def test_groups_are_complete_in_a_new_database():
    """Where Django has not created the permissions yet, the migration does, and Django adopts them."""
    Group.objects.all().delete()
    names = dict(Permission.objects.values_list("codename", "name"))
    Permission.objects.all().delete()
    state = MigrationExecutor(connection).loader.project_state([("chat", "0009_staff_groups")])
    migration.create_groups(state.apps, None)
    wanted = {permission.partition(".")[2] for group in migration.GROUPS.values() for permission in group}
    assert dict(Permission.objects.values_list("codename", "name")) == {name: names[name] for name in wanted}
    assert Group.objects.get(name="Reviewer").permissions.count() == 2


# What each sees -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "seen"),
    [
        ("Reviewer", {CONVERSATIONS, RUNS}),
        ("Assistant editor", {ASSISTANTS, TOOL_SERVERS}),
        ("User manager", {USERS}),
    ],
)
async def test_index_shows_a_member_only_what_they_may_see(client_of, member_of, group, seen):
    client = client_of(await member_of(group))
    html = await get_page(client, "/admin/")
    links = set(re.findall(r'href="(/admin/(?:auth|chat)/\w+/)"', html))
    assert links == seen
    for path in LISTS:
        assert (await client.get(path)).status_code == (200 if path in seen else 403)


async def test_reviewer_changes_nothing(client_of, member_of, finished_run, alice):
    run = await finished_run("one two three")
    client = client_of(await member_of("Reviewer"))
    assert "one two three" in await get_page(client, change_url(run.conversation))
    await get_page(client, change_url(run))
    before = await all_rows()
    for row in (run.conversation, run, await assistant_of(run), alice):
        base = change_url(row).removesuffix("change/")
        add = base.replace(str(row.pk), "add")
        for path in (change_url(row), f"{base}delete/", add):
            assert (await client.post(path, {"post": "yes", "name": "x", "username": "x"})).status_code == 403
    assert await all_rows() == before


# Assistant editors ----------------------------------------------------------------------------------------------------


async def test_assistant_editor_creates_and_deletes_assistants(client_of, member_of):
    client = client_of(await member_of("Assistant editor"))
    fields = {"name": "A", "slug": "a", "provider": "demo", "max_model_calls": "3", "is_enabled": "on"}
    assert (await client.post(f"{ASSISTANTS}add/", fields)).status_code == 302
    assistant = await Assistant.objects.aget(slug="a")
    assert (await client.post(f"{ASSISTANTS}{assistant.pk}/delete/", {"post": "yes"})).status_code == 302


# User managers --------------------------------------------------------------------------------------------------------


async def test_user_manager_creates_a_user_and_sets_a_password(client_of, member_of):
    client = client_of(await member_of("User manager"))
    passwords = {"usable_password": "true", "password1": "quite long words", "password2": "quite long words"}
    response = await client.post(f"{USERS}add/", {"username": "emil", **passwords})
    assert response.status_code == 302
    emil = await get_user_model().objects.aget(username="emil")
    change = {**passwords, "password1": "other long words", "password2": "other long words"}
    assert (await client.post(f"{USERS}{emil.pk}/password/", change)).status_code == 302
    await emil.arefresh_from_db()
    assert await sync_to_async(emil.check_password)("other long words")
    assert (await client.post(change_url(emil), account(emil, first_name="Emil"))).status_code == 302
    await emil.arefresh_from_db()
    assert (emil.first_name, emil.is_active) == ("Emil", False)


async def test_user_manager_cannot_make_anybody_a_superuser(client_of, member_of, alice):
    dora = await member_of("User manager")
    client = client_of(dora)
    rights = [permission.pk async for permission in Permission.objects.all()]
    for user in (alice, dora):
        html = await get_page(client, change_url(user))
        assert "is_superuser" not in html
        assert "user_permissions" not in html
        fields = account(user, is_active="on", is_staff="on", is_superuser="on", user_permissions=rights)
        assert (await client.post(change_url(user), fields)).status_code == 302
        user = await get_user_model().objects.aget(pk=user.pk)
        assert not user.is_superuser
        assert not await user.user_permissions.aexists()


async def test_user_manager_assigns_only_groups_whose_rights_they_have(client_of, member_of, alice):
    dora = await member_of("User manager")
    plain = await Group.objects.acreate(name="Legal department")
    manager, reviewer = [await Group.objects.aget(name=name) for name in ("User manager", "Reviewer")]
    client = client_of(dora)
    html = await get_page(client, change_url(alice))
    assert "Legal department" in html
    assert "Reviewer" not in html
    for user in (alice, dora):
        fields = account(user, is_active="on", is_staff="on")
        response = await client.post(change_url(user), {**fields, "groups": [reviewer.pk]})
        assert response.status_code == 200
        assert "Select a valid choice" in response.content.decode()
    assert (
        await client.post(change_url(alice), {**fields, "username": "alice", "groups": [plain.pk, manager.pk]})
    ).status_code == 302
    assert {group.name async for group in alice.groups.all()} == {"Legal department", "User manager"}


@pytest.mark.parametrize("kind", ["superuser", "inactive superuser", "reviewer", "inactive reviewer", "permission"])
async def test_user_manager_cannot_change_an_account_with_more_rights(client_of, member_of, bob, kind):
    client = client_of(await member_of("User manager"))
    if kind.endswith("superuser"):
        other = bob
    else:
        other = await member_of("Reviewer" if "reviewer" in kind else "none", name="rita")
    if kind == "permission":
        await other.user_permissions.aadd(await Permission.objects.aget(codename="view_run"))
    other.is_active = "inactive" not in kind
    await other.asave()
    before = await all_rows()
    assert other.username in await get_page(client, change_url(other))
    passwords = {"usable_password": "true", "password1": "quite long words", "password2": "quite long words"}
    base = f"{USERS}{other.pk}"
    for path, fields in (
        ("change", account(other, first_name="X")),
        ("password", passwords),
        ("delete", {"post": "yes"}),
    ):
        assert (await client.post(f"{base}/{path}/", fields)).status_code == 403, path
    await client.post(USERS, {"action": "delete_selected", "_selected_action": other.pk, "post": "yes"})
    assert await all_rows() == before


async def test_user_manager_deletes_a_user_and_sees_what_else_is_deleted(client_of, member_of, finished_run, alice):
    await finished_run("one two three")
    client = client_of(await member_of("User manager"))
    html = re.sub(r"\s+", " ", await get_page(client, f"{USERS}{alice.pk}/delete/"))
    for row in ("Users: 1", "Conversations: 1", "Messages: 2", "Runs: 1"):
        assert f"<li>{row}</li>" in html
    assert "one two three" not in html
    assert (await client.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})).status_code == 302
    assert not await get_user_model().objects.filter(pk=alice.pk).aexists()


async def test_user_manager_cannot_delete_themselves(client_of, member_of):
    dora = await member_of("User manager")
    assert (await client_of(dora).post(f"{USERS}{dora.pk}/delete/", {"post": "yes"})).status_code == 403


async def test_groups_are_changed_only_by_superusers(client_of, bob, staff_with):
    group = await Group.objects.acreate(name="Legal department")
    client = client_of(await staff_with("view_group", "add_group", "change_group", "delete_group"))
    fields = {"name": "Mine", "permissions": [permission.pk async for permission in Permission.objects.all()]}
    await get_page(client, GROUPS)
    for path in (f"{GROUPS}add/", f"{GROUPS}{group.pk}/change/", f"{GROUPS}{group.pk}/delete/"):
        assert (await client.post(path, {**fields, "post": "yes"})).status_code == 403
    assert (await client_of(bob).post(f"{GROUPS}add/", fields)).status_code == 302


async def test_list_of_users_takes_the_same_queries_at_any_length(client_of, bob, member_of):
    few = await count_queries(bob, USERS)
    for number in range(15):
        await member_of("Reviewer", name=f"rita{number}")
    assert await count_queries(bob, USERS) == few <= 12
