"""People are spoken to in the language that they chose, or that their browser asks for; so are their runs."""

import asyncio
import json
import re
import threading

import pytest
from asgiref.sync import sync_to_async

from chat import engine, server, tools
from chat.engine import journal
from chat.events import Finish, Text
from chat.models import Assistant, Conversation, Preferences, Run
from chat.providers import ProviderError

from .conftest import Client, over, until
from .test_recover import fast, orphan  # noqa: F401  fixtures
from .test_server import answer_of, echo, request  # noqa: F401  a fixture among them
from .test_websocket import socket_of  # noqa: F401  a fixture

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
ASKS = {"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"}
GOOD = {"username": "alice", "password": "correct horse battery"}


def language_of(answer):
    return re.search(r'<html lang="(\w+)"', answer.content.decode())[1], answer["Content-Language"]


async def likes(person, language):
    await Preferences.objects.aupdate_or_create(person=person, defaults={"language": language})


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asks", "speaks"),
    [("ja", "ja"), ("ja-JP,ja;q=0.9,en;q=0.5", "ja"), ("en-GB,en", "en"), ("fr", "en"), ("", "en"), ("ja;q=x\0", "en")],
)
async def test_a_browser_is_answered_in_the_language_it_asks_for(client_of, transactional_db, asks, speaks):
    answer = await client_of().get("/accounts/login/", headers={"Accept-Language": asks})
    assert language_of(answer) == (speaks, speaks)
    assert ("ログイン" in answer.content.decode()) == (speaks == "ja")
    assert "Accept-Language" in answer["Vary"]
    assert "django_language" not in answer.cookies


async def test_a_choice_counts_from_the_next_request_on_and_more_than_the_browser(client_of, alice):
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


async def test_another_wish_does_not_touch_the_language(client_of, alice):
    client = client_of(alice)
    await client.send("PATCH", "/api/me", {"language": "ja"})
    answer = await client.send("PATCH", "/api/me", {"theme": "dark"})
    assert "django_language" not in answer.cookies
    assert (await Preferences.objects.aget()).language == "ja"


async def test_a_login_brings_the_choice_to_this_browser(client_of, alice):
    await likes(alice, "ja")
    client = client_of()
    answer = await client.post("/accounts/login/", GOOD)
    assert answer.cookies["django_language"].value == "ja"
    assert language_of(await client.get("/c/0b6e9a52-7b0c-4a5e-9a53-6c4f0e1f2a3b/")) == ("ja", "ja")  # a page of ours


async def test_a_login_takes_away_what_the_person_before_chose(client_of, alice):
    client = client_of()
    client.cookies["django_language"] = "ja"
    answer = await client.post("/accounts/login/", GOOD)
    assert answer.cookies["django_language"].value == ""
    assert language_of(await client.get("/")) == ("en", "en")


async def test_the_page_learns_of_a_choice_made_elsewhere(client_of, alice):
    client = client_of(alice)
    await client.get("/")
    await likes(alice, "ja")
    answer = await client.get("/")
    assert language_of(answer) == ("ja", "ja")
    assert answer.cookies["django_language"].value == "ja"
    assert "django_language" not in (await client.get("/")).cookies  # it is known now


async def test_an_unknown_language_in_the_cookie_is_nobodys(client_of, transactional_db):
    client = client_of()
    client.cookies["django_language"] = "../../etc"
    assert language_of(await client.get("/accounts/login/")) == ("en", "en")


async def test_the_administration_speaks_it_too(client_of, bob):
    client = client_of(bob)
    for path, words in {
        "/admin/": ["チャット管理", "アシスタント", "会話"],
        "/admin/chat/assistant/add/": ["システムプロンプト", "使えるもの"],
        "/admin/chat/conversation/": ["最終更新", "所有者"],
    }.items():
        html = (await client.get(path, headers=ASKS)).content.decode()
        assert all(word in html for word in words), path


async def test_what_is_kept_for_the_day_without_a_network_is_in_it(client_of, transactional_db):
    english, japanese = client_of(), client_of()
    japanese.cookies["django_language"] = "ja"
    workers = [(await client.get("/worker.js")).content for client in (english, japanese)]
    assert workers[0] != workers[1]
    page = re.search(r'PAGE = "(.*?)"', workers[1].decode())[1].encode().decode("unicode_escape")
    assert language_of(await japanese.get(page)) == ("ja", "ja")


# Sentences ------------------------------------------------------------------------------------------------------------


async def test_errors_are_told_in_the_language_and_keep_their_codes(client_of, alice, script):
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


async def test_a_body_that_no_view_sees_is_refused_in_the_language(echo, settings):  # noqa: F811
    settings.MAX_BODY_BYTES = 10
    for name, value in ((b"accept-language", b"ja"), (b"cookie", b"a=b; django_language=ja")):
        told = await answer_of(request(server.bounded_body(echo), (name, value), (b"content-length", b"11")))
        assert json.loads(told[2])["error"]["message"] == "リクエストが大きすぎます。"


async def test_a_socket_speaks_it(socket_of, alice, script):  # noqa: F811
    row = await Conversation.objects.acreate(owner=alice, assistant=await script("no", ProviderError("No.")))
    async with socket_of(alice, row, **{"accept-language": "ja"}) as socket:
        for order in ("{", {"type": "dance"}, {"type": "message.create"}, {"type": "run.cancel", "run_id": "x"}):
            await socket.say(order)
            assert JAPANESE.search((await socket.hear("error"))["error"]["message"]), order
        await socket.say({"type": "message.create", "text": "Hi"})
        run = await Run.objects.aget(pk=(await socket.hear("run.created"))["run_id"])
        assert run.language == "ja"
        await over(run)


async def test_our_own_assistants_describe_themselves_in_it(client_of, alice):
    await Assistant.objects.acreate(slug="own", name="Own", model="demo:", description="Ours alone.")
    items = (await client_of(alice).send("GET", "/api/assistants", **ASKS)).json()["items"]
    told = {item["slug"]: item["description"] for item in items}
    assert JAPANESE.search(told["demo"])
    assert told["own"] == "Ours alone."


async def test_an_exported_conversation_is_told_in_it(client_of, alice, finished_run):
    run = await finished_run("one two")
    path = f"/api/conversations/{run.conversation_id}/export?format=markdown"
    assert "## あなた\n" in (await client_of(alice).get(path, headers=ASKS)).content.decode()


# Runs -----------------------------------------------------------------------------------------------------------------


async def asked_in(language, person, assistant):
    """The ended run of a question by somebody whose browser asks for that language, and its last event."""
    answer = await Client(person).send(
        "POST", "/api/chat", {"text": "Hi", "assistant": assistant.slug}, **{"Accept-Language": language}
    )
    run = await Run.objects.aget(pk=answer.json()["run_id"])
    return run, (await over(run))[-1][1]


async def test_a_run_speaks_the_language_of_whoever_asked(alice, bob, script):
    silent = await script("silent", Text("Half"))  # breaks off
    for person, language in ((alice, "ja"), (bob, "en")):
        run, end = await asked_in(language, person, silent)
        assert (run.status, run.error_code, run.language) == ("interrupted", "broken_off", language)
        assert bool(JAPANESE.search(run.error_message)) == (language == "ja")
        assert end.message == run.error_message


async def test_a_notice_is_told_in_the_readers_language(client_of, alice, script):
    run, end = await asked_in("ja", alice, await script("long", Text("So"), Finish("length")))
    assert end.result["notice"] == "返答が長さの上限に達しました。"
    for language, words in (("ja", "返答が長さの上限"), ("en", "The answer reached")):
        answer = await client_of(alice).send("GET", f"/api/runs/{run.pk}", **{"Accept-Language": language})
        assert answer.json()["notice"].startswith(words)


async def test_a_failure_that_nobody_foresaw_is_told_in_it(alice, script):
    run, _ = await asked_in("ja", alice, await script("broken", Text("Half"), RuntimeError("secret")))
    assert run.error_code == "internal"
    assert JAPANESE.search(run.error_message)


async def test_what_a_dead_process_left_is_told_in_it(orphan):  # noqa: F811
    run = await orphan("half")
    await Run.objects.filter(pk=run.pk).aupdate(language="ja")
    end = (await over(run))[-1][1]
    assert run.status == "interrupted"
    assert end.message == run.error_message == "返答の途中でサーバーが停止しました。"


async def test_what_cannot_be_written_is_told_in_it(alice, script):
    assistant = await script("words", Text("Hi"), Finish("stop"))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant)
    run = await row.ask("Hi")
    run.language, run.status, run.worker_id, run.attempts = "ja", Run.IN_PROGRESS, row.pk, 9
    await run.asave()
    await sync_to_async(journal.interrupt)(run, journal.UNWRITABLE)
    await run.arefresh_from_db()
    assert JAPANESE.search(run.error_message)


async def test_a_resumed_or_regenerated_answer_keeps_to_whoever_asks_now(client_of, alice, finished_run):
    run = await finished_run("one")
    assert run.language == "en"
    again = (await client_of(alice).send("POST", f"/api/messages/{run.message_id}/regenerate", **ASKS)).json()
    again = await Run.objects.aget(pk=again["run_id"])
    await over(again)
    assert again.language == "ja"


async def test_a_tool_refuses_in_it_also_in_its_thread(transactional_db):
    from django.utils import translation

    def sums(x: int) -> str:
        """Add."""
        raise tools.ToolError(translation.gettext("That divides by zero."))

    with translation.override("ja"):
        tool = tools.tool_of("sums", sums, tools.NOBODY)
        with pytest.raises(tools.ToolError, match="0で割る"):
            await tool.use({"x": 1})
        with pytest.raises(tools.ToolError, match="使えません"):
            await tool.use({"x": "many"})


def shout(messages, send):
    send(Text(f"{threading.current_thread().name}"))
    raise RuntimeError


async def weep(messages, send):
    raise RuntimeError


@pytest.mark.parametrize("name", ["shout", "weep"])
async def test_a_function_of_the_teams_own_fails_in_it(alice, settings, name):
    settings.PYTHON_PROVIDERS = ["tests.test_language"]
    assistant = await Assistant.objects.acreate(slug=name, name=name, model=f"python:tests.test_language.{name}")
    run, _ = await asked_in("ja", alice, assistant)
    assert run.error_message == f"tests.test_language.{name}で問題が発生しました。ここまでの返答は保存されています。"


async def test_nobodys_language_stays_behind_in_the_engine(alice, bob, script):
    """Two runs at once, each in its own."""
    gate = asyncio.Event()
    waits = await script("waits", Text("So"), gate.wait)
    rows = [await Conversation.objects.acreate(owner=person, assistant=waits) for person in (alice, bob)]
    runs = []
    for person, row, language in zip((alice, bob), rows, ("ja", "en"), strict=True):
        path, headers = f"/api/conversations/{row.pk}/messages", {"Accept-Language": language}
        answer = await Client(person).send("POST", path, {"text": "Hi"}, **headers)
        runs.append(await Run.objects.select_related("conversation", "message").aget(pk=answer.json()["run_id"]))
    await until(lambda: all(len(engine.here().live[run.pk].log) > 2 for run in runs))
    gate.set()
    for run, is_japanese in zip(runs, (True, False), strict=True):
        await over(run)
        assert bool(JAPANESE.search(run.error_message)) == is_japanese
