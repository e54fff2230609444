"""Staff find runs and read them."""

import re
from datetime import timedelta

import pytest

from chat.events import Finish, Text, Usage
from chat.models import Conversation, Run
from chat.providers import ProviderError
from tests.admin.pages import CONVERSATIONS, RUNS, change_url, column_values, get_page
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def test_runs_list_has_the_outcome_of_each(client_of, bob, script, ask):
    good = await ask(await script("good", Text("Yes."), Usage(1200, 34, 1234), Finish("stop")))
    await wait_for_run(good)
    await wait_for_run(await ask(await script("bad", ProviderError("No.", "overloaded"))))
    client = client_of(bob)

    async def column(name):
        return await column_values(client, path=RUNS, column=name)

    assert await column("status_badge") == ["failed", "completed"]
    assert await column("model") == ["scripted:bad", "scripted:good"]
    assert await column("assistant") == ["bad", "good"]
    assert await column("owner") == ["alice", "alice"]
    assert await column("tokens") == ["-", "1,234"]
    assert await column("error_code") == ["overloaded", "-"]
    assert all(re.fullmatch(r"\d+\.\d\d s", duration) for duration in await column("duration"))
    assert len(await column("created")) == 2


async def test_runs_filter_and_search(client_of, bob, charlie, script, ask):
    good = await ask(await script("good", Text("Yes."), Finish("stop")))
    bad = await ask(await script("bad", ProviderError("The model is overloaded.", "too_busy")))
    for run in (good, bad):
        await wait_for_run(run)
    await Run.objects.filter(pk=good.pk).aupdate(created_at=good.created_at - timedelta(days=400))
    await Conversation.objects.filter(pk=good.conversation_id).aupdate(owner=charlie)
    client = client_of(bob)
    for query in (
        "status__exact=failed",
        "model=scripted:bad",
        "owner=alice",
        f"assistant__id__exact={bad.assistant_id}",
        f"created_at__year={bad.created_at.year}&created_at__month={bad.created_at.month}",
        "q=overloaded",
        "q=too_busy",
        "q=alice",
        f"q={bad.pk}",
        f"q={bad.message_id}",
        f"q={bad.conversation_id}",
    ):
        assert await column_values(client, query, RUNS, "model") == ["scripted:bad"], query


async def test_run_page_has_every_detail(client_of, bob, script, ask):
    run = await ask(
        await script(
            "half", Text("Half"), Usage(7, 5, 12), Usage(20, 1, 21), ProviderError("Broken off.", "broken_off")
        )
    )
    await wait_for_run(run)
    html = await get_page(client_of(bob), change_url(run))
    details = (
        "failed",
        "Broken off.",
        "broken_off",
        "scripted:half: 7 input, 5 output, 12 total",
        "total: 27 input, 6 output, 33 total",
        str(run.pk),
        "alice",
        f'<a href="{change_url(run.conversation)}?message={run.message_id}#message-{run.message_id}">Hi</a>',
    )
    for text in details:
        assert text in html
    for duration in ("in queue", "to first token", "total"):
        assert re.search(rf"{duration} \d+\.\d", html), duration


async def test_run_page_hides_text_without_the_view_permission(client_of, staff_with, finished_run):
    run = await finished_run("one two three")
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(title="A secret question")
    html = await get_page(client_of(await staff_with("view_run")), change_url(run))
    assert str(run.conversation_id) in html
    for hidden in ("A secret question", "one two three", CONVERSATIONS):
        assert hidden not in html
