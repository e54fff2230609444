"""Staff read a conversation."""

import asyncio
import re
import time
from datetime import timedelta
from html import unescape
from io import BytesIO
from urllib.parse import quote

import pytest
from django.utils import timezone
from django.utils.translation import override

from chat import images
from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from chat.models import Assistant, Attachment, Conversation, Message, Run
from chat.providers import ProviderError
from chat.providers.errors import UNREACHABLE
from tests.admin.pages import ASSISTANTS, CONVERSATIONS, RUNS, change_url, column_values, count_queries, get_page
from tests.admin.rows import create_conversation, finish, long_conversation
from tests.images import PICTURE
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow


def transcript_rows(html):
    """Returns the rows of a transcript, from top to bottom, as (indent, place among siblings, text)."""
    lines = []
    for line in html.split('<li class="row ')[1:]:
        place = re.search(r'"row__siblings">(.*?)</span>', line, re.S)
        place = " ".join(re.sub("<[^>]+>|[←→]", "", place[1]).split()) if place else ""
        texts = re.findall(r'<div class="text" dir="auto">(.*?)</div>', line, re.S)
        lines.append((int(re.search(r"row--indent-(\d)", line)[1]), place, "".join(map(unescape, texts))))
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
    assert html.count(f'#message-{first.message_id}"') == 3  # its own, its sibling's, and that of “Two again”
    assert html.count(f'#message-{second.message_id}"') == 2


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
    assert 'src="https://example.com' not in html


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
    content = html[html.index('<ol class="transcript"') :].partition("</ol>")[0]
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


async def test_error_is_in_the_language_of_the_reader(client_of, bob, finished_run):
    run = await finished_run("one")
    japanese = "モデルのサーバーに接続できません。"
    with override("ja"):
        assert str(UNREACHABLE) == japanese
    failed = {"status": "failed", "error_code": "unreachable"}
    await Run.objects.aupdate(**failed, error_message=japanese, model="ollama:m")
    client = client_of(bob)
    for page in (change_url(run), change_url(run.conversation)):
        html = await get_page(client, page)
        assert "The model&#x27;s server cannot be reached." in html
        assert japanese not in html
    assert "Start the server, or correct OLLAMA_HOST." in await get_page(client, change_url(run))
    await Run.objects.aupdate(error_message="Our own words.")  # of the team's own provider
    assert "Our own words." in await get_page(client, change_url(run))
    await Run.objects.aupdate(error_code="interrupted", error_message="返答の途中でサーバーが停止しました。")
    assert "The server stopped while this answer was being written." in await get_page(client, change_url(run))


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


async def test_transcript_of_5000_messages_is_read_in_parts(client_of, alice, bob, script):
    assistant = await script("words")
    short, long = [await create_conversation(alice, title, assistant=assistant) for title in ("Short", "Long")]
    await long_conversation(short, 2)
    await long_conversation(long, 5000)
    page, client = change_url(long), client_of(bob)
    few = await count_queries(bob, change_url(short))
    assert await count_queries(bob, page) == few <= 9
    html = await get_page(client, page)
    assert [text for _, _, text in transcript_rows(html)] == [f"message {number}" for number in range(50)]
    assert 'href="?part=1"' in html
    middle = await get_page(client, f"{page}?part=50")
    assert [text for _, _, text in transcript_rows(middle)] == [f"message {number}" for number in range(2500, 2550)]
    assert 'href="?part=49"' in middle
    assert 'href="?part=51"' in middle
    newest = re.search(r'href="\?message=([0-9a-f-]+)#', html)[1]
    end = await get_page(client, f"{page}?message={newest}")
    assert transcript_rows(end)[-1][2] == "message 4999"
    assert f'id="message-{newest}"' in end
    start = time.process_time()  # unlike the clock, it does not count what other processes do
    await get_page(client, page)
    assert time.process_time() - start < 3  # 0.2 s on a fast machine


@pytest.mark.parametrize("query", ["part=-1", "part=x", "part=999999999", "message=x", "message=%00", "part=²"])
async def test_transcript_with_a_bad_query_shows_a_part(client_of, alice, bob, query):
    conversation = await create_conversation(alice, "Short")
    await long_conversation(conversation, 3)
    html = await get_page(client_of(bob), f"{change_url(conversation)}?{query}")
    assert len(transcript_rows(html)) == 3


async def test_search_links_to_the_message_found(client_of, alice, bob):
    conversation = await create_conversation(alice, "Long")
    await long_conversation(conversation, 120)
    found = await Message.objects.aget(text="message 77")
    html = await get_page(client_of(bob), f"{CONVERSATIONS}?q=77")
    link = f"{change_url(conversation)}?message={found.pk}#message-{found.pk}"
    assert f'<a href="{link}">message 77</a>' in html
    assert f'id="message-{found.pk}"' in await get_page(client_of(bob), link.partition("#")[0])
    assert "message found" not in (await get_page(client_of(bob), CONVERSATIONS)).lower()


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
