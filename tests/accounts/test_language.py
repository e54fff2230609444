"""People are spoken to in the language that they chose, or that their browser asks for; so are their runs."""

import asyncio
import json
import re
import threading

import pytest
from asgiref.sync import sync_to_async

from accounts.models import Preferences
from chat import engine, tools
from chat.asgi.bodies import limit_body
from chat.engine import journal, recovery
from chat.events import Finish, Text
from chat.models import Assistant, Conversation, Run
from chat.providers import ProviderError
from chat.tools.functions import function_tool
from tests.clients import Client, asgi_request, asgi_response
from tests.waiting import wait_for_run, wait_until

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
ASKS = {"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"}
GOOD = {"username": "alice", "password": "correct horse battery"}


def language_of(answer):
    return re.search(r'<html lang="(\w+)"', answer.content.decode())[1], answer["Content-Language"]


async def likes(user, language):
    await Preferences.objects.aupdate_or_create(user=user, defaults={"language": language})


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asks", "speaks"),
    [("ja", "ja"), ("ja-JP,ja;q=0.9,en;q=0.5", "ja"), ("en-GB,en", "en"), ("fr", "en"), ("", "en"), ("ja;q=x\0", "en")],
)
async def test_browser_language_is_used_without_a_preference(client_of, transactional_db, asks, speaks):
    answer = await client_of().get("/accounts/login/", headers={"Accept-Language": asks})
    assert language_of(answer) == (speaks, speaks)
    assert ("ログイン" in answer.content.decode()) == (speaks == "ja")
    assert "Accept-Language" in answer["Vary"]
    assert "django_language" not in answer.cookies


async def test_preference_overrides_the_browser_from_the_next_request(client_of, alice):
    client = client_of(alice)
    answer = await client.send("PATCH", "/api/me", {"language": "ja"})
    cookie = answer.cookies["django_language"]
    assert (cookie.value, cookie["samesite"], cookie["max-age"] > 30_000_000) == ("ja", "Lax", True)
    assert language_of(await client.get("/", headers={"Accept-Language": "en"})) == ("ja", "ja")
    await client.send("PATCH", "/api/me", {"language": "en"})
    assert language_of(await client.get("/", headers=ASKS)) == ("en", "en")
    answer = await client.send("PATCH", "/api/me", {"language": ""})
    assert answer.cookies["django_language"].value == ""
    assert language_of(await client.get("/", headers=ASKS)) == ("ja", "ja")


async def test_change_of_another_preference_keeps_the_language(client_of, alice):
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"language": "ja"})
    answer = await client.send("PATCH", "/api/me", {"theme": "dark"})
    assert "django_language" not in answer.cookies
    assert (await Preferences.objects.aget()).language == "ja"


async def test_login_sets_the_cookie_to_the_preference(client_of, alice):
    await likes(alice, "ja")
    client = client_of()
    answer = await client.post("/accounts/login/", GOOD)
    assert answer.cookies["django_language"].value == "ja"
    assert language_of(await client.get("/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/")) == ("ja", "ja")  # a page of ours


async def test_login_deletes_the_cookie_of_the_user_before(client_of, alice):
    client = client_of()
    client.cookies["django_language"] = "ja"
    answer = await client.post("/accounts/login/", GOOD)
    assert answer.cookies["django_language"].value == ""
    assert language_of(await client.get("/")) == ("en", "en")


async def test_page_follows_a_preference_changed_on_another_device(client_of, alice):
    client = client_of(alice)
    await client.get("/")
    await likes(alice, "ja")
    answer = await client.get("/")
    assert language_of(answer) == ("ja", "ja")
    assert answer.cookies["django_language"].value == "ja"
    assert "django_language" not in (await client.get("/")).cookies  # it is known now


async def test_cookie_with_an_unknown_language_is_ignored(client_of, transactional_db):
    client = client_of()
    client.cookies["django_language"] = "../../etc"
    assert language_of(await client.get("/accounts/login/")) == ("en", "en")


async def test_admin_is_in_the_language(client_of, bob):
    client = client_of(bob)
    for path, words in {
        "/admin/": ["チャット管理", "アシスタント", "会話"],
        "/admin/chat/assistant/add/": ["システムプロンプト", "返答の仕方"],
        "/admin/chat/conversation/": ["最終更新", "所有者"],
    }.items():
        html = (await client.get(path, headers=ASKS)).content.decode()
        assert all(word in html for word in words), path


async def test_offline_page_is_in_the_language(client_of, transactional_db):
    english, japanese = client_of(), client_of()
    japanese.cookies["django_language"] = "ja"
    workers = [(await client.get("/worker.js")).content for client in (english, japanese)]
    assert workers[0] != workers[1]
    page = re.search(r'PAGE = "(.*?)"', workers[1].decode())[1].encode().decode("unicode_escape")
    assert language_of(await japanese.get(page)) == ("ja", "ja")


# Sentences ------------------------------------------------------------------------------------------------------------


async def test_api_errors_are_in_the_language_with_the_same_codes(client_of, alice, script):
    client = client_of(alice)
    blind = await script("blind")
    row = await Conversation.objects.acreate(owner=alice, assistant=blind)
    messages = f"/api/conversations/{row.pk}/messages"
    for method, path, body, code in [
        ("GET", "/api/nothing", None, "not_found"),
        ("GET", "/api/runs/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b", None, "not_found"),
        ("PUT", "/api/conversations", {}, "method_not_allowed"),
        ("POST", messages, {}, "invalid"),
        ("POST", messages, {"text": " "}, "invalid"),
        ("POST", messages, {"text": "x" * 100_001}, "invalid"),
        ("POST", messages, {"text": "Hi", "assistant": "nobody"}, "unknown_assistant"),
        ("GET", "/api/conversations?limit=0", None, "invalid"),
        ("GET", "/api/conversations?cursor=x", None, "bad_cursor"),
        ("PATCH", "/api/me", {"theme": "pink"}, "invalid"),
        ("PATCH", "/api/me", {"language": "fr"}, "invalid"),
    ]:
        english = (await client.send(method, path, body)).json()["error"]
        japanese = (await client.send(method, path, body, **ASKS)).json()["error"]
        assert (english["code"], japanese["code"]) == (code, code), path
        assert JAPANESE.search(japanese["message"]), japanese
        assert not JAPANESE.search(english["message"])
    assert JAPANESE.search((await client_of().send("GET", "/api/me", **ASKS)).json()["error"]["message"])


async def test_body_errors_before_django_are_in_the_language(echo, settings):
    settings.MAX_BODY_BYTES = 10
    for name, value in ((b"accept-language", b"ja"), (b"cookie", b"a=b; django_language=ja")):
        answer = await asgi_response(asgi_request(limit_body(echo), (name, value), (b"content-length", b"11")))
        assert json.loads(answer[2])["error"]["message"] == "リクエストが大きすぎます。"


async def test_socket_errors_are_in_the_language(socket_of, alice, script):
    row = await Conversation.objects.acreate(owner=alice, assistant=await script("no", ProviderError("No.")))
    async with socket_of(alice, row, **{"accept-language": "ja"}) as socket:
        for order in ("{", {"type": "dance"}, {"type": "message.create"}, {"type": "run.cancel", "run_id": "x"}):
            await socket.send_command(order)
            assert JAPANESE.search((await socket.receive_event("error"))["error"]["message"]), order
        await socket.send_command({"type": "message.create", "text": "Hi"})
        run = await Run.objects.aget(pk=(await socket.receive_event("run.created"))["run_id"])
        assert run.language == "ja"
        await wait_for_run(run)


async def test_default_assistants_are_described_in_the_language(client_of, alice):
    await Assistant.objects.acreate(slug="own", name="Own", model="demo:", description="Ours alone.")
    items = (await client_of(alice).send("GET", "/api/assistants", **ASKS)).json()["items"]
    descriptions = {item["slug"]: item["description"] for item in items}
    assert JAPANESE.search(descriptions["demo"])
    assert descriptions["own"] == "Ours alone."


async def test_exported_markdown_is_in_the_language(client_of, alice, finished_run):
    run = await finished_run("one two")
    path = f"/api/conversations/{run.conversation_id}/export?format=markdown"
    response = await client_of(alice).get(path, headers=ASKS)
    assert "## あなた\n" in b"".join([piece async for piece in response]).decode()


# Runs -----------------------------------------------------------------------------------------------------------------


async def asked_in(language, user, assistant):
    """The ended run of a question by somebody whose browser asks for that language, and its last event."""
    answer = await Client(user).send(
        "POST", "/api/chat", {"text": "Hi", "assistant": assistant.slug}, **{"Accept-Language": language}
    )
    run = await Run.objects.aget(pk=answer.json()["run_id"])
    return run, (await wait_for_run(run))[-1][1]


async def test_run_error_is_in_the_language_of_the_question(alice, bob, script):
    silent = await script("silent", Text("Half"))  # breaks off
    for user, language in ((alice, "ja"), (bob, "en")):
        run, end = await asked_in(language, user, silent)
        assert (run.status, run.error_code, run.language) == ("interrupted", "broken_off", language)
        assert bool(JAPANESE.search(run.error_message)) == (language == "ja")
        assert end.message == run.error_message


async def test_notice_is_in_the_readers_language(client_of, alice, script):
    run, end = await asked_in("ja", alice, await script("long", Text("So"), Finish("length")))
    assert end.result["notice"] == "返答が長さの上限に達しました。"
    for language, words in (("ja", "返答が長さの上限"), ("en", "The answer reached")):
        answer = await client_of(alice).send("GET", f"/api/runs/{run.pk}", **{"Accept-Language": language})
        assert answer.json()["notice"].startswith(words)


async def test_run_error_of_a_bug_is_in_the_language(alice, script):
    run, _ = await asked_in("ja", alice, await script("broken", Text("Half"), RuntimeError("secret")))
    assert run.error_code == "internal"
    assert JAPANESE.search(run.error_message)


async def test_run_error_of_a_recovered_run_is_in_the_language(orphan):
    run = await orphan("half")
    await Run.objects.filter(pk=run.pk).aupdate(language="ja")
    end = (await wait_for_run(run))[-1][1]
    assert run.status == "interrupted"
    assert end.message == run.error_message == "返答の途中でサーバーが停止しました。"


async def test_run_error_of_an_unwritable_run_is_in_the_language(alice, script):
    assistant = await script("words", Text("Hi"), Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    run = await row.ask("Hi")
    run.language, run.status, run.process_id, run.attempts = "ja", Run.IN_PROGRESS, row.pk, 9
    await run.asave()
    await sync_to_async(recovery.interrupt)(run, journal.UNWRITABLE_ERROR)
    await run.arefresh_from_db()
    assert JAPANESE.search(run.error_message)


async def test_regenerated_answer_takes_the_language_of_the_new_request(client_of, alice, finished_run):
    run = await finished_run("one")
    assert run.language == "en"
    again = (await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate", **ASKS)).json()
    again = await Run.objects.aget(pk=again["run_id"])
    await wait_for_run(again)
    assert again.language == "ja"


async def test_tool_error_in_a_thread_is_in_the_language(transactional_db):
    from django.utils import translation

    def sums(x: int) -> str:
        """Add."""
        raise tools.ToolError(translation.gettext("Division by zero."))

    with translation.override("ja"):
        tool = function_tool("sums", sums, tools.ANONYMOUS)
        with pytest.raises(tools.ToolError, match="0で割る"):
            await tool.use({"x": 1})
        with pytest.raises(tools.ToolError, match="引数が正しくありません"):
            await tool.use({"x": "many"})


def shout(messages, send):
    send(Text(f"{threading.current_thread().name}"))
    raise RuntimeError


async def weep(messages, send):
    raise RuntimeError


@pytest.mark.parametrize("name", ["shout", "weep"])
async def test_python_provider_error_is_in_the_language(alice, settings, name):
    settings.PYTHON_PROVIDERS = [__name__]
    assistant = await Assistant.objects.acreate(slug=name, name=name, model=f"python:{__name__}.{name}")
    run, _ = await asked_in("ja", alice, assistant)
    assert run.error_message == f"{__name__}.{name}で問題が発生しました。ここまでの返答は保存されています。"


async def test_concurrent_runs_keep_their_languages(alice, bob, script):
    """Two runs at once, each in its own."""
    gate = asyncio.Event()
    waits = await script("waits", Text("So"), gate.wait)
    rows = [await Conversation.objects.acreate(owner=user, assistant=waits) for user in (alice, bob)]
    runs = []
    for user, row, language in zip((alice, bob), rows, ("ja", "en"), strict=True):
        path, headers = f"/api/conversations/{row.pk}/messages", {"Accept-Language": language}
        answer = await Client(user).send("POST", path, {"text": "Hi"}, **headers)
        runs.append(await Run.objects.select_related("conversation", "message").aget(pk=answer.json()["run_id"]))
    await wait_until(lambda: all(len(engine.current().live[run.pk].log) > 2 for run in runs))
    gate.set()
    for run, is_japanese in zip(runs, (True, False), strict=True):
        await wait_for_run(run)
        assert bool(JAPANESE.search(run.error_message)) == is_japanese
