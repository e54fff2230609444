"""Who may open the admin, and that reading changes nothing."""

import re

import pytest

from chat.models import Run
from tests.admin.pages import ASSISTANTS, CONVERSATIONS, RUNS, assistant_of, change_url, get_page
from tests.admin.rows import snapshot

pytestmark = pytest.mark.slow


# Who may come in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ASSISTANTS, CONVERSATIONS, RUNS])
async def test_list_redirects_other_users_to_the_login(client_of, charlie, path):
    for client in (client_of(), client_of(charlie)):
        response = await client.get(path)
        assert response.status_code == 302
        assert response.headers["Location"] == f"/admin/login/?next={path}"


async def test_change_page_redirects_its_owner_to_login(client_of, alice, finished_run):
    run = await finished_run("one two three")
    for row in (run.conversation, run):
        assert (await client_of(alice).get(change_url(row))).status_code == 302


@pytest.mark.parametrize("model", ["assistant", "conversation", "run"])
async def test_staff_see_only_models_they_may_view(client_of, staff_with, finished_run, model):
    run = await finished_run("one two three")
    client = client_of(await staff_with(f"view_{model}"))
    rows = {"assistant": await assistant_of(run), "conversation": run.conversation, "run": run}
    for name, row in rows.items():
        expected = 200 if name == model else 403
        assert (await client.get(f"/admin/chat/{name}/")).status_code == expected
        assert (await client.get(change_url(row))).status_code == expected


async def test_pages_have_no_inline_scripts_or_styles(client_of, bob, finished_run):
    run = await finished_run("one two three")
    client, assistant = client_of(bob), await assistant_of(run)
    paths = [
        ASSISTANTS,
        f"{ASSISTANTS}add/",
        CONVERSATIONS,
        RUNS,
        *map(change_url, (assistant, run.conversation, run)),
    ]
    for path in paths:
        response = await client.get(path)
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        html = response.content.decode()
        assert not re.search(r"<script(?![^>]*(\ssrc=|json))|<style|<[^>]+\s(style|on\w+)=", html), path


# Nothing is changed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["conversation", "run"])
async def test_conversations_and_runs_cannot_be_changed(client_of, alice, bob, finished_run, model):
    run = await finished_run("one two three")
    row = run if model == "run" else run.conversation
    client, base = client_of(bob), f"/admin/chat/{model}/"
    before = await snapshot()
    change = {"title": "Other", "owner": alice.pk, "status": "failed", "post": "yes", "_save": "Save"}
    for path in (change_url(row), f"{base}{row.pk}/delete/", f"{base}add/"):
        assert (await client.post(path, change)).status_code == 403
    assert (await client.get(f"{base}add/")).status_code == 403
    assert (await client.get(f"{base}{row.pk}/delete/")).status_code == 403
    await client.post(base, {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"})
    await client.post(
        base, {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "_save": "Save", "form-0-id": str(row.pk)}
    )
    assert await snapshot() == before


async def test_change_permissions_allow_only_reading(client_of, staff_with, finished_run):
    run = await finished_run("one two three")
    rights = [f"{verb}_{model}" for verb in ("add", "change", "delete") for model in ("conversation", "run")]
    client = client_of(await staff_with(*rights))
    before = await snapshot()
    for row in (run.conversation, run):
        assert (await client.get(change_url(row))).status_code == 200
        assert (await client.post(change_url(row), {"title": "Other"})).status_code == 403
    assert await snapshot() == before


async def test_run_shows_tool_results_only_to_staff_who_may_read_conversations(
    client_of, bob, staff_with, finished_run
):
    run = await finished_run("one two")
    await Run.objects.aupdate(decisions={"call": {"result": "a secret of hers", "error": False}})
    assert "a secret of hers" in await get_page(client_of(bob), change_url(run))
    page = await get_page(client_of(await staff_with("view_run")), change_url(run))
    assert "a secret of hers" not in page
    assert "Usage" in page
