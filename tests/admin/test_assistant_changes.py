"""Staff create, edit and delete assistants."""

from html import unescape

import pytest

from chat.models import Assistant
from tests.admin.pages import ASSISTANTS, DEMO, change_url, column_values, get_page
from tests.admin.rows import snapshot

pytestmark = pytest.mark.slow


async def test_assistant_is_created_and_edited(client_of, bob):
    client = client_of(bob)
    made = DEMO | {
        "tool_choice_use": ["clock"],
        "other_params": '{"temperature": 0.2, "stop": "終わり"}',
        "memory_turns": "4",
    }
    assert (await client.post(f"{ASSISTANTS}add/", made)).status_code == 302
    assistant = await Assistant.objects.aget(slug="demo-two")
    assert (assistant.name, assistant.model, assistant.memory_turns) == ("Demo", "demo:", 4)
    assert (assistant.tools, assistant.params) == (["clock"], {"temperature": 0.2, "stop": "終わり"})

    assert "終わり" in await get_page(client, change_url(assistant))
    assert (await client.post(change_url(assistant), made | {"name": "Renamed"})).status_code == 302
    await assistant.arefresh_from_db()
    assert assistant.name == "Renamed"
    assert "Renamed" in await column_values(client, path=ASSISTANTS, column="name")


async def test_assistant_needs_no_tools_and_no_params(client_of, bob):
    assert (await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {"other_params": ""})).status_code == 302
    assistant = await Assistant.objects.aget(slug="demo-two")
    assert (assistant.tools, assistant.params) == ([], {})


@pytest.mark.parametrize("provider", ["nowhere", "", "<b>"])
async def test_assistant_refuses_an_unknown_provider(client_of, bob, provider):
    response = await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {"provider": provider})
    assert response.status_code == 200
    assert [*response.context["adminform"].form.errors] == ["provider"]
    assert not await Assistant.objects.filter(slug="demo-two").aexists()


@pytest.mark.parametrize(
    "field, value, sentence",
    [
        ("tool_choice_use", "rm -rf", "There is no tool called “rm -rf”."),
        ("tool_choice_ask", "mcp:nowhere", "There is no tool server called “nowhere”."),
        ("other_params", "[]", "Parameters must be a JSON object."),
        ("other_params", "0", "Parameters must be a JSON object."),
        ("other_params", '{"temperature": 0.2', "Enter a valid JSON."),
        ("other_params", '{"temperature": NaN}', "Enter a valid JSON."),
        ("other_params", '{"temperature": 1e999}', "Enter a valid JSON."),
        ("other_params", '{"stop": "\\u0000"}', "Enter a valid JSON."),
        ("other_params", '{"stop": "\\ud800"}', "Enter a valid JSON."),
        ("other_params", f'{{"seed": {"9" * 5000}}}', "Enter a valid JSON."),
        ("other_params", "[" * 20_000, "Enter a valid JSON."),
    ],
)
async def test_assistant_refuses_bad_json(client_of, bob, field, value, sentence):
    response = await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {field: value})
    assert response.status_code == 200
    html = unescape(response.content.decode())
    assert sentence in html
    assert value in html  # to be corrected, not typed again
    assert not await Assistant.objects.filter(slug="demo-two").aexists()


async def test_assistant_chosen_last_is_the_only_default(client_of, bob):
    first = await Assistant.objects.filter(is_default=True).afirst()
    first = first or await Assistant.objects.acreate(slug="first", name="First", model="demo:", is_default=True)
    assert (await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {"is_default": "on"})).status_code == 302
    assert [a.slug async for a in Assistant.objects.filter(is_default=True)] == ["demo-two"]


async def test_assistants_have_no_bulk_delete(client_of, bob, finished_run):
    run = await finished_run("one two three")
    before = await snapshot()
    action = {"action": "delete_selected", "_selected_action": run.assistant_id, "post": "yes"}
    await client_of(bob).post(ASSISTANTS, action)
    assert await snapshot() == before


async def test_assistant_deletion_keeps_its_messages(client_of, bob, finished_run):
    run = await finished_run("one two three")
    response = await client_of(bob).post(f"{ASSISTANTS}{run.assistant_id}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not await Assistant.objects.filter(pk=run.assistant_id).aexists()
    html = await get_page(client_of(bob), change_url(run.conversation))
    assert "one two three" in html
    assert "scripted:words" in html


async def test_assistant_is_read_only_without_the_change_permission(client_of, staff_with, script):
    assistant = await script("words")
    client = client_of(await staff_with("view_assistant"))
    before = await snapshot()
    assert "scripted:words" in await get_page(client, change_url(assistant))
    assert (await client.post(change_url(assistant), DEMO)).status_code == 403
    assert (await client.post(f"{ASSISTANTS}add/", DEMO)).status_code == 403
    assert (await client.post(f"{ASSISTANTS}{assistant.pk}/delete/", {"post": "yes"})).status_code == 403
    assert await snapshot() == before
