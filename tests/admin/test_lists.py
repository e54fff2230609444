"""Staff find conversations in the lists of the admin."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from chat.events import Finish, Text
from chat.providers import ProviderError
from tests.admin.pages import CONVERSATIONS, RUNS, assistant_of, column_values, count_queries, get_page
from tests.admin.rows import create_conversation, finish, long_conversation
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def search(client, words, path=CONVERSATIONS, column="short_title"):
    return await column_values(client, f"q={quote(words)}", path, column)


async def test_conversations_list_has_the_newest_activity_first(client_of, alice, bob, finished_run):
    await create_conversation(alice, "Older", hours_ago=2)
    await create_conversation(alice, "Oldest", hours_ago=3)
    await finished_run("one two three")
    client = client_of(bob)
    assert await column_values(client) == ["Hi", "Older", "Oldest"]
    assert await column_values(client, column="owner") == ["alice"] * 3
    assert await column_values(client, column="assistant") == ["words", "-", "-"]
    assert await column_values(client, column="message_count") == ["2", "0", "0"]
    assert await column_values(client, column="last_status") == ["completed", "-", "-"]
    assert len(await column_values(client, column="updated")) == 3


async def test_conversations_list_shows_the_status_of_the_last_run(client_of, bob, script, ask):
    run = await ask(await script("first", ProviderError("No.")))
    await wait_for_run(run)
    await script("first", Text("Yes."), Finish("stop"))
    await finish(await run.message.regenerate())
    assert await column_values(client_of(bob), column="last_status") == ["completed"]


async def test_conversations_filter_by_owner(client_of, alice, bob, charlie):
    await create_conversation(alice, "Of Alice")
    await create_conversation(charlie, "Of Charlie")
    client = client_of(bob)
    assert await column_values(client, "owner=alice") == ["Of Alice"]
    assert await column_values(client, "owner=Charlie") == ["Of Charlie"]
    assert await column_values(client, "owner=char") == []
    assert await search(client, "charl") == ["Of Charlie"]


async def test_owner_filter_keeps_the_other_filters(client_of, alice, bob):
    await create_conversation(alice, "Bread")
    html = await get_page(client_of(bob), f"{CONVERSATIONS}?owner=%3Cb%3E&q=Bread&status=failed")
    form = html[html.index('class="owner-filter"') :].partition("</form>")[0]
    assert '<input type="hidden" name="q" value="Bread">' in form
    assert '<input type="hidden" name="status" value="failed">' in form
    assert 'name="owner" value="&lt;b&gt;"' in form


async def test_conversations_filter_by_assistant(client_of, alice, bob, script):
    one, other = await script("one"), await script("other")
    await create_conversation(alice, "With one", assistant=one)
    await create_conversation(alice, "With the other", assistant=other)
    assert await column_values(client_of(bob), f"assistant__id__exact={one.pk}") == ["With one"]


async def test_conversations_filter_by_date(client_of, alice, bob):
    new, old = await create_conversation(alice, "New"), await create_conversation(alice, "Old", hours_ago=24 * 400)
    client = client_of(bob)
    for conversation in (new, old):
        day = conversation.updated_at
        query = f"updated_at__year={day.year}&updated_at__month={day.month}&updated_at__day={day.day}"
        assert await column_values(client, query) == [conversation.title]
    assert await column_values(client, quote(f"updated_at__gte={new.updated_at - timedelta(days=7)}", safe="=")) == [
        "New"
    ]


async def test_conversations_filter_by_run_status_has_no_duplicates(client_of, bob, script, ask):
    failed = await ask(await script("failing", ProviderError("No.")), "Failing")
    await wait_for_run(failed)
    await finish(await failed.message.regenerate())
    good = await ask(await script("good", Text("Yes."), Finish("stop")), "Good")
    await wait_for_run(good)
    client = client_of(bob)
    assert await column_values(client, "status=failed") == ["Failing"]
    assert await column_values(client, "status=completed") == ["Good"]
    assert await column_values(client, "status=queued") == []


async def test_conversations_search_by_text_has_no_duplicates(client_of, bob, finished_run):
    run = await finished_run("東京は 晴れです。100% sure")
    await finish(await run.conversation.ask("明日の東京の天気は？"))
    client = client_of(bob)
    assert await search(client, "東京") == ["Hi"]
    assert await search(client, "天気") == ["Hi"]
    assert await search(client, "晴れです SURE") == ["Hi"]
    assert await search(client, "“東京” 大阪") == []
    assert await search(client, '"は 晴れ"') == ["Hi"]
    assert await search(client, '"晴れ は"') == []
    assert await search(client, "0%") == ["Hi"]
    assert await search(client, "_%") == []


async def test_conversations_search_by_title_and_id(client_of, alice, bob):
    bread, _ = await create_conversation(alice, "Bread"), await create_conversation(alice, "Butter")
    client = client_of(bob)
    assert await search(client, "brea") == ["Bread"]
    assert await search(client, str(bread.pk)) == ["Bread"]
    assert await search(client, bread.pk.hex) == ["Bread"]


NONSENSE = """
    q=%00 owner=%00 status=%00 status__exact=%00 model=%00 q=' q=%22 status=nonsense p=9999999 p=x o=99 nonsense=1
    updated_at__year=x updated_at__year=99999 created_at__year=99999 created_at__year__gt=99999 id__exact=x
    assistant__id__exact=x assistant__id__exact=99999999999999999999
"""


@pytest.mark.parametrize("path", [CONVERSATIONS, RUNS])
async def test_list_with_a_bad_query_causes_no_500(client_of, bob, finished_run, path):
    await finished_run("one two three")
    client = client_of(bob)
    for query in NONSENSE.split():
        response = await client.get(f"{path}?{query}")
        assert response.status_code in (200, 302), query


async def test_shortcut_to_a_page_of_a_row_does_not_exist(client_of, bob):
    assert (await client_of(bob).get("/admin/r/1/abc/")).status_code == 404


async def test_runs_list_cannot_be_filtered_by_text(client_of, staff_with, finished_run):
    await finished_run("one two three")
    response = await client_of(await staff_with("view_run")).get(f"{RUNS}?message__text__startswith=one")
    assert response.status_code == 400


async def test_list_takes_the_same_queries_at_any_length(bob, alice, finished_run):
    run = await finished_run("one two three")
    few = [await count_queries(bob, path) for path in (CONVERSATIONS, RUNS)]
    for number in range(20):
        await long_conversation(
            await create_conversation(alice, f"Talk {number}", assistant=await assistant_of(run)), 4
        )
    assert [await count_queries(bob, path) for path in (CONVERSATIONS, RUNS)] == few
    assert max(few) <= 12
