"""Staff edit assistants, and read conversations and runs without changing them."""

import asyncio
import re
from datetime import timedelta
from html import unescape
from io import BytesIO
from urllib.parse import quote

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import engine, images
from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from chat.models import Assistant, Attachment, Conversation, Message, Run
from chat.providers import ProviderError
from tests.admin.pages import ASSISTANTS, CONVERSATIONS, DEMO, RUNS, change_url, get_page
from tests.images import PICTURE
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


async def column_values(client, query="", path=CONVERSATIONS, column="short_title"):
    """Returns the values of that column of the list, from top to bottom."""
    html = await get_page(client, f"{path}?{query}")
    return [
        unescape(re.sub("<[^>]+>", "", cell))
        for cell in re.findall(f'field-{column}(?: nowrap)?">(.*?)</t[dh]>', html, re.S)
    ]


async def search(client, words, path=CONVERSATIONS, column="short_title"):
    return await column_values(client, f"q={quote(words)}", path, column)


async def create_conversation(owner, title, *, assistant=None, hours_ago=0):
    time = timezone.now() - timedelta(hours=hours_ago)
    return await Conversation.objects.acreate(
        owner=owner, title=title, assistant=assistant, created_at=time, updated_at=time
    )


async def finish(run):
    await engine.start(run)
    await wait_for_run(run)
    return run


async def snapshot():
    """Returns every row that staff might try to change."""
    models = (Assistant, Conversation, Message, Run)
    return [[row async for row in model.objects.order_by("pk").values()] for model in models]


async def assistant_of(run):
    return await Assistant.objects.aget(pk=run.assistant_id)


@sync_to_async
def count_queries(user, path):
    client = Client()
    client.force_login(user)
    client.get(path)  # fills the caches of the process
    with CaptureQueriesContext(connection) as context:
        assert client.get(path).status_code == 200
    return len(context)


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
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|<[^>]+\s(style|on\w+)=", html), path


# Assistants -----------------------------------------------------------------------------------------------------------


async def test_assistant_is_created_and_edited(client_of, bob):
    client = client_of(bob)
    made = DEMO | {"tools": '["clock"]', "params": '{"temperature": 0.2, "stop": "終わり"}', "memory_turns": "4"}
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
    assert (await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {"tools": "", "params": ""})).status_code == 302
    assistant = await Assistant.objects.aget(slug="demo-two")
    assert (assistant.tools, assistant.params) == ([], {})


@pytest.mark.parametrize("model", ["gpt-5-mini", "nowhere:gpt", ":", "<b>:x"])
async def test_assistant_refuses_a_model_without_a_provider(client_of, bob, model):
    response = await client_of(bob).post(f"{ASSISTANTS}add/", DEMO | {"model": model})
    assert response.status_code == 200
    assert f"“{model}” does not name a provider. A model ID starts with one of " in unescape(response.content.decode())
    assert "<b>:x" not in response.content.decode()
    assert not await Assistant.objects.filter(slug="demo-two").aexists()


@pytest.mark.parametrize(
    "field, value, sentence",
    [
        ("tools", '["clock", "rm -rf"]', "There is no tool called “rm -rf”."),
        ("tools", "{}", "Tools must be a JSON list of names."),
        ("tools", '"clock"', "Tools must be a JSON list of names."),
        ("tools", '[["clock"]]', "Tools must be a JSON list of names."),
        ("tools", "clock", "Enter a valid JSON."),
        ("params", "[]", "Parameters must be a JSON object."),
        ("params", "0", "Parameters must be a JSON object."),
        ("params", '{"temperature": 0.2', "Enter a valid JSON."),
        ("params", '{"temperature": NaN}', "Enter a valid JSON."),
        ("params", '{"temperature": 1e999}', "Enter a valid JSON."),
        ("params", '{"stop": "\\u0000"}', "Enter a valid JSON."),
        ("params", '{"stop": "\\ud800"}', "Enter a valid JSON."),
        ("params", f'{{"seed": {"9" * 5000}}}', "Enter a valid JSON."),
        ("params", "[" * 20_000, "Enter a valid JSON."),
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


# Finding a conversation -----------------------------------------------------------------------------------------------


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


async def test_conversations_filter_by_run_status_lists_none_twice(client_of, bob, script, ask):
    failed = await ask(await script("failing", ProviderError("No.")), "Failing")
    await wait_for_run(failed)
    await finish(await failed.message.regenerate())
    good = await ask(await script("good", Text("Yes."), Finish("stop")), "Good")
    await wait_for_run(good)
    client = client_of(bob)
    assert await column_values(client, "status=failed") == ["Failing"]
    assert await column_values(client, "status=completed") == ["Good"]
    assert await column_values(client, "status=queued") == []


async def test_conversations_search_by_text_lists_none_twice(client_of, bob, finished_run):
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


# Reading a conversation -----------------------------------------------------------------------------------------------


async def long_conversation(conversation, length):
    """Writes that many messages, each a reply to the one before, as rows."""
    messages, time, parent = [], timezone.now(), None
    for number in range(length):
        text = f"message {number}"
        message = Message(
            conversation=conversation,
            parent=parent,
            role=Message.ASSISTANT if number % 2 else Message.USER,
            text=text,
            parts=[{"type": "text", "text": text}],
            created_at=time + timedelta(seconds=number),
        )
        messages.append(message)
        parent = message
    await Message.objects.abulk_create(messages)
    ended = {"status": Run.COMPLETED, "finished_at": time, "last_seq": 5, "model": "demo:"}
    whose = {"conversation": conversation, "assistant_id": conversation.assistant_id}
    runs = [Run(message=message, **whose, **ended) for message in messages[1::2]]
    await Run.objects.abulk_create(runs)


def transcript_rows(html):
    """Returns the rows of a transcript, from top to bottom, as (indent, place among siblings, text)."""
    lines = []
    for line in html.split('<li class="row ')[1:]:
        place = re.search(r'"row__siblings">(.*?)</span>', line, re.S)
        place = " ".join(re.sub("<[^>]+>|[←→]", "", place[1]).split()) if place else ""
        said = re.findall(r'<div class="text" dir="auto">(.*?)</div>', line, re.S)
        lines.append((int(re.search(r"row--indent-(\d)", line)[1]), place, "".join(map(unescape, said))))
    return lines


async def test_transcript_has_every_branch_in_order(client_of, bob, script, ask):
    def speech(request):
        question = request.turns[-1][1][0]["text"]
        return [Text(f"To {question}"), Finish("stop")]

    first = await ask(await script("speech", speech), "One")
    await wait_for_run(first)
    conversation = first.conversation
    second = await finish(await first.message.regenerate())
    one = await finish(await conversation.ask("Two", parent_id=first.message_id))
    await finish(await conversation.ask("Three", parent_id=one.message_id))
    await finish(await conversation.ask("Two again", parent_id=first.message_id))
    assert transcript_rows(await get_page(client_of(bob), change_url(conversation))) == [
        (0, "", "One"),
        (1, "answer 1 of 2 · latest branch", "To One"),
        (2, "version 1 of 2", "Two"),
        (2, "", "To Two"),
        (2, "", "Three"),
        (2, "", "To Three"),
        (2, "version 2 of 2 · latest branch", "Two again"),
        (2, "", "To Two again"),
        (1, "answer 2 of 2", "To One"),
    ]
    html = await get_page(client_of(bob), change_url(conversation))
    assert html.count(f'href="#message-{first.message_id}"') == 3  # its own, its sibling's, and that of “Two again”
    assert html.count(f'href="#message-{second.message_id}"') == 2


async def test_transcript_of_an_empty_conversation(client_of, alice, bob):
    assert "No messages yet." in await get_page(client_of(bob), change_url(await create_conversation(alice, "Empty")))


async def test_pages_escape_hostile_text(client_of, bob, script, ask):
    evil = "<script>alert(1)</script>"
    assistant = await script(
        "evil",
        Reasoning(evil),
        ToolCallStart("1", evil),
        ToolCallArgs("1", evil),
        ToolCallEnd("1"),
        ToolCallResult("1", evil),
        ToolCallStart("2", "clock"),
        ToolCallEnd("2"),
        ToolCallResult("2", evil, metadata={"error": True}),
        Text(evil),
        ProviderError(evil, evil),
    )
    await Assistant.objects.filter(pk=assistant.pk).aupdate(name=evil)
    run = await ask(assistant, evil)
    await wait_for_run(run)
    await run.conversation.arefresh_from_db()
    assert run.conversation.title == evil
    await run.message.regenerate()  # a sibling is quoted
    client = client_of(bob)
    for path in (CONVERSATIONS, RUNS, ASSISTANTS, *map(change_url, (run.conversation, run, assistant))):
        html = await get_page(client, path)
        assert "<script>alert" not in html, path
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html, path
    for path in (CONVERSATIONS, RUNS):
        assert "<script>alert" not in await get_page(client, f"{path}?q={quote(evil)}&owner={quote(evil)}")


async def test_transcript_keeps_line_breaks_and_draws_no_markdown(client_of, bob, script, ask):
    text = "# Title\n\n  - **one**\n![](https://example.com/x.png)"
    run = await ask(await script("lines", Text(text), Finish("stop")))
    await wait_for_run(run)
    html = await get_page(client_of(bob), change_url(run.conversation))
    assert f'<div class="text" dir="auto">{text}</div>' in html
    assert "https://example.com" not in html.replace(text, "")


async def test_transcript_folds_reasoning_and_tool_calls(client_of, bob, script, ask):
    steps = [
        Reasoning("I look at the clock."),
        ToolCallStart("1", "clock"),
        ToolCallArgs("1", '{"time_zone":"Asia/Tokyo","言葉":"東京"}'),
        ToolCallEnd("1"),
        ToolCallResult("1", "noon"),
        ToolCallStart("2", "clock"),
        ToolCallArgs("2", '{"time_zone":'),
        ToolCallEnd("2"),
        ToolCallResult("2", "There is no such zone.", metadata={"error": True}),
        Text("It is noon."),
        Finish("stop"),
    ]
    run = await ask(await script("clock", *steps))
    await wait_for_run(run)
    html = await get_page(client_of(bob), change_url(run.conversation))
    content = html[html.index('<ol class="transcript">') :].partition("</ol>")[0]
    folded = "".join(re.findall(r"<details>.*?</details>", content, re.S))
    for text in ("I look at the clock.", "noon", "There is no such zone.", "failed", "{&quot;time_zone&quot;:"):
        assert text in folded
    assert '{\n  "time_zone": "Asia/Tokyo",\n  "言葉": "東京"\n}' in unescape(folded)
    assert "It is noon." not in folded
    assert "It is noon." in content


async def test_transcript_has_attachments_and_feedback(client_of, alice, bob, charlie, finished_run):
    run = await finished_run("An answer")
    image = await images.save(alice, BytesIO(PICTURE))
    question = await Message.objects.aget(pk=run.message.parent_id)
    document = {"type": "document", "name": "<b>.txt", "text": "<i>long</i>"}
    question.parts = [image.as_part(), document, *question.parts]
    await question.asave()
    await Attachment.objects.aupdate(message=question)
    feedback = {"rating": "down", "reason": "wrong", "comment": "<script>It is two."}
    result = {"type": "tool_result", "id": "c", "result": None, "error": "No."}
    await Message.objects.filter(pk=run.message_id).aupdate(feedback=feedback, parts=[result, *run.message.parts])
    html = await get_page(client_of(bob), f"{CONVERSATIONS}{run.conversation_id}/change/")
    for text in ("&lt;b&gt;.txt", "&lt;i&gt;long", "Bad answer", "wrong", "&lt;script&gt;It is two.", "No."):
        assert text in html
    path = f"/api/attachments/{image.pk}"
    assert f'src="{path}"' in html
    assert (await client_of(bob).get(path)).status_code == 200
    charlie.is_staff = True  # without the permission to read conversations
    await charlie.asave()
    assert (await client_of(charlie).get(path)).status_code == 404
    assert await column_values(client_of(bob), "rating=down") == ["Hi"]
    assert await column_values(client_of(bob), "rating=up") == []


async def test_admin_hides_deleted_and_temporary_conversations(client_of, bob, finished_run):
    for fields in ({"deleted_at": timezone.now()}, {"is_temporary": True}):
        run = await finished_run("An answer")
        await Conversation.objects.filter(pk=run.conversation_id).aupdate(**fields)
        client = client_of(bob)
        assert await column_values(client) == []
        assert (await client.get(f"{CONVERSATIONS}{run.conversation_id}/change/")).status_code == 302
        assert (await client.get(f"/admin/chat/run/{run.pk}/change/")).status_code == 302


async def test_transcript_shows_an_unknown_part_as_json(client_of, alice, bob):
    conversation = await create_conversation(alice, "Picture")
    part = {"type": "image", "media": "写真.png"}
    await Message.objects.acreate(conversation=conversation, role=Message.USER, parts=[part])
    html = await get_page(client_of(bob), change_url(conversation))
    assert "<summary>image</summary>" in html
    assert "写真.png" in html


async def test_transcript_has_the_figures_of_a_run(client_of, bob, script, ask):
    steps = [Text("Half"), Usage(1200, 34, 1234), Finish("length")]
    run = await ask(await script("half", *steps))
    await wait_for_run(run)
    start = timezone.now()
    times = {"started_at": start + timedelta(seconds=0.5), "first_token_at": start + timedelta(seconds=2)}
    await Run.objects.filter(pk=run.pk).aupdate(created_at=start, finished_at=start + timedelta(seconds=95), **times)
    html = await get_page(client_of(bob), change_url(run.conversation))
    footer = html[html.index('<footer class="row__run">') :].partition("</footer>")[0]
    footer = re.sub(r"<[^>]+>", " ", footer)
    for text in ("completed", "scripted:half", "length", "The answer reached its length limit."):
        assert text in footer
    assert "1,200 input, 34 output, 1,234 total" in footer
    assert re.search(r"In queue\s+0\.50 s\s+To first token\s+1\.50 s\s+Total\s+1 min 35 s", footer)
    assert f'href="{change_url(run)}"' in html


async def test_transcript_has_the_error_of_a_failed_run(client_of, bob, script, ask):
    run = await ask(await script("failing", ProviderError("The model is overloaded.", "overloaded")))
    await wait_for_run(run)
    html = await get_page(client_of(bob), change_url(run.conversation))
    assert "The model is overloaded. <code>overloaded</code>" in html
    assert "No text." in html


async def test_transcript_marks_an_answer_in_progress(client_of, bob, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", gate.wait, Text("one"), Finish("stop")))
    assert "Still being written." in await get_page(client_of(bob), change_url(run.conversation))
    gate.set()
    await wait_for_run(run)


async def test_transcript_of_300_messages_takes_few_queries(client_of, alice, bob, script):
    assistant = await script("words")
    short, long = [await create_conversation(alice, title, assistant=assistant) for title in ("Short", "Long")]
    await long_conversation(short, 2)
    await long_conversation(long, 300)
    few = await count_queries(bob, change_url(short))
    assert await count_queries(bob, change_url(long)) == few <= 8
    lines = transcript_rows(await get_page(client_of(bob), change_url(long)))
    assert lines == [(0, "", f"message {number}") for number in range(300)]


async def test_transcript_needs_only_the_view_permission(client_of, staff_with, finished_run):
    run = await finished_run("one two three")
    html = await get_page(client_of(await staff_with("view_conversation")), change_url(run.conversation))
    assert "one two three" in html
    assert "completed" in html
    assert RUNS not in html  # they may not see runs


async def test_transcript_of_an_unknown_conversation_redirects(client_of, bob):
    for name in ("11111111-1111-4111-8111-111111111111", "nonsense", "%00"):
        response = await client_of(bob).get(f"{CONVERSATIONS}{name}/change/")
        assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


# Runs -----------------------------------------------------------------------------------------------------------------


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
        "in queue 0.",
        "to first token 0.",
        "total 0.",
        str(run.pk),
        "alice",
        f'<a href="{change_url(run.conversation)}#message-{run.message_id}">Hi</a>',
    )
    for text in details:
        assert text in html


async def test_run_page_hides_text_without_the_view_permission(client_of, staff_with, finished_run):
    run = await finished_run("one two three")
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(title="A secret question")
    html = await get_page(client_of(await staff_with("view_run")), change_url(run))
    assert str(run.conversation_id) in html
    for hidden in ("A secret question", "one two three", CONVERSATIONS):
        assert hidden not in html


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
