"""A search finds other spellings of its words, in messages, titles and for staff, and shows texts without Markdown."""

import pytest
from asgiref.sync import sync_to_async

from chat import search
from chat.events import Finish, Text
from chat.models import Conversation, Message, SearchText
from tests.admin.pages import CONVERSATIONS, get_page
from tests.waiting import wait_for_run

SPELLINGS = {  # what was written: what is searched for
    "Un café crème": ["cafe", "CAFÉ", "cafe\u0301", "ｃａｆｅ", "creme cafe"],
    "cafe\u0301 noir": ["café", "noir"],
    "パソコンのガギグ": ["ぱそこん", "ﾊﾟｿｺﾝ", "カ\u3099ギ", "がぎぐ"],
    "ひらがなのりんご": ["リンゴ", "ﾘﾝｺﾞ", "ヒラガナ"],
    "ｻｰﾊﾞｰの設定": ["サーバー", "サーバ", "さーば", "設定"],
    "サーバの再起動": ["サーバー", "ｻｰﾊﾞｰ"],
    "ＡＢＣ　１２３": ["abc", "123", "abc 123"],
    "It’s “fine” and state‑of‑the‑art": ["it's", '"fine"', "state-of-the-art", "it‘s"],
    "Die Straße nach ÅRHUS": ["strasse", "STRASSE", "arhus"],
    "서울의 한국어": ["한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"],
    "㍿サンプル": ["株式会社", "さんぷる"],
}
CASES = [(written, word) for written, words in SPELLINGS.items() for word in words]


async def found(client, words):
    answer = await client.get("/api/conversations", {"q": words})
    assert answer.status_code == 200
    return answer.json()["items"]


@pytest.fixture
def write(alice):
    async def create(title="", *texts, role=Message.ASSISTANT):
        row = await Conversation.objects.acreate(owner=alice, title=title)
        for text in texts:
            await row.messages.acreate(role=role, text=text)
        return row

    return create


async def test_every_spelling_is_found_in_messages(client_of, alice, write):
    rows = {written: await write("", f"x {written} y") for written in SPELLINGS}
    for written, word in CASES:
        items = await found(client_of(alice), word)
        assert str(rows[written].pk) in [item["id"] for item in items], word
        match = next(item["snippet"] for item in items if item["id"] == str(rows[written].pk))
        assert match["match"]
        assert match["before"] + match["match"] + match["after"] == f"x {written} y".replace("　", " ")


async def test_every_spelling_is_found_in_titles(client_of, alice, write):
    for written in SPELLINGS:
        await write(written)
    for written, word in CASES:
        assert written in [item["title"] for item in await found(client_of(alice), word)], word


@pytest.mark.parametrize(("written", "word"), [("かき", "がき"), ("はな", "ばな"), ("キー", "き一"), ("a = b", "≠")])
async def test_other_words_are_not_found(client_of, alice, write, written, word):
    await write(written, written)
    assert await found(client_of(alice), word) == []


@pytest.mark.parametrize("words", ["\u0301", "\u200b \u200b"])
async def test_search_for_nothing_visible_finds_nothing(client_of, alice, write, words):
    await write("Title", "text")
    assert await found(client_of(alice), words) == []


async def test_renamed_conversation_is_found_by_its_new_title(client_of, alice, write):
    row = await write("Montag")
    await client_of(alice).send("PATCH", f"/api/conversations/{row.pk}", {"title": "Müßig"})
    assert [item["title"] for item in await found(client_of(alice), "mussig")] == ["Müßig"]
    assert await found(client_of(alice), "montag") == []
    row.title = "Sonntag"
    await row.asave(update_fields=["title"])
    assert [item["title"] for item in await found(client_of(alice), "SONNTAG")] == ["Sonntag"]


async def test_question_and_answer_are_found_when_the_run_has_ended(client_of, alice, script, ask):
    run = await ask(await script("plain", Text("Ein **Mü"), Text("ller**."), Finish("stop")), text="Wer ist René?")
    await wait_for_run(run)
    client = client_of(alice)
    (item,) = await found(client, "ein muller")
    assert item["snippet"] == {"before": "", "match": "Ein", "after": " Müller.", "message_id": str(run.message_id)}
    (item,) = await found(client, "rene")
    assert item["snippet"]["match"] == "René"


async def test_snippet_shows_plain_text(client_of, alice, write):
    steps = "## Steps\n\n- **First**, run `make_all()`, see [the docs](https://example.com/a)\n\n"
    await write("", f"{steps}| a | b |\n|---|---|\n| c | d |")
    (item,) = await found(client_of(alice), "make_all")
    assert item["snippet"] | {"message_id": None} == {
        "before": "Steps First, run ",
        "match": "make_all",
        "after": "(), see the docs (https://example.com/a) a b c d",
        "message_id": None,
    }


async def test_snippet_of_a_question_shows_it_as_it_was_typed(client_of, alice, write):
    await write("", "# 2*3*4 **needle**\n```\ncode\n```", role=Message.USER)
    (item,) = await found(client_of(alice), "needle")
    snippet = item["snippet"]
    assert snippet["before"] + snippet["match"] + snippet["after"] == "# 2*3*4 **needle** code"


async def test_words_within_marks_are_found(client_of, alice, write):
    await write("one", "**注意：**これは**重要**です")
    await write("two", "un*frigging*believable")
    assert [item["title"] for item in await found(client_of(alice), "これは重要です")] == ["one"]
    assert [item["title"] for item in await found(client_of(alice), "unfriggingbelievable")] == ["two"]
    assert await found(client_of(alice), "**") == []


async def test_staff_find_every_spelling(client_of, bob, write):
    await write("Título", "**Ｒｅｓｕｍé** of it")
    client = client_of(bob)
    for words in ("titulo", "RESUME", '"resume of"', "ｔitulo résumé"):
        html = await get_page(client, f"{CONVERSATIONS}?q={words}")
        assert "Título" in html, words
    assert ">Ｒｅｓｕｍé of it</a>" in await get_page(client, f"{CONVERSATIONS}?q=resume")


async def test_staff_find_file_names(client_of, bob, write):
    row = await write("Plans")
    file = {"type": "file", "id": "", "name": "Résumé.pdf"}
    await row.messages.acreate(role=Message.USER, text="**Read** it", parts=[file])
    assert ">**Read** it Résumé.pdf</a>" in await get_page(client_of(bob), f"{CONVERSATIONS}?q=resume")


async def test_message_without_text_has_no_search_text(alice, write, script, ask):
    await write("", "")
    run = await ask(await script("silent", Finish("stop")))
    await wait_for_run(run)
    assert [row.message_id async for row in SearchText.objects.all()] == [run.message.parent_id]


async def test_search_texts_go_with_their_conversation(alice, write):
    row = await write("", "one", "two")
    kept = await write("", "three")
    await sync_to_async(row.delete)()
    assert [text.conversation_id async for text in SearchText.objects.all()] == [kept.pk]


async def test_file_names_are_found_and_shown_after_the_text(client_of, alice, write):
    row = await write("Plans")
    file = {"type": "file", "id": "", "name": "Résumé\n2026.pdf", "media_type": "application/pdf", "size": 1}
    document = {"type": "document", "name": "ﾒﾓ.txt", "text": "inside"}
    parts = [file, document, {"type": "text", "text": "Read `this`."}]
    message = await row.messages.acreate(role=Message.USER, text="Read `this`.", parts=parts)
    expected = {
        "resume": ("Read this. ", "Résumé", " 2026.pdf ﾒﾓ.txt"),
        "2026.PDF": ("Read this. Résumé ", "2026.pdf", " ﾒﾓ.txt"),
        "メモ": ("Read this. Résumé 2026.pdf ", "ﾒﾓ", ".txt"),
        "resume read": ("", "Read", " this. Résumé 2026.pdf ﾒﾓ.txt"),
    }
    for words, (before, match, after) in expected.items():
        (item,) = await found(client_of(alice), words)
        snippet = {"before": before, "match": match, "after": after, "message_id": str(message.pk)}
        assert item["snippet"] == snippet, words
    assert await found(client_of(alice), "inside") == []


LINES = "\n".join(f"Line **{number}** of a [long](https://example.com/) text." for number in range(1_000))


@pytest.mark.parametrize(
    ("text", "words", "before", "match"),
    [
        (LINES.replace("**777**", "`__ninja__`"), "ninja", "Line __", "ninja"),
        (LINES.replace("**777**", "**カ**タカナ"), "かたかな", "Line ", "カタカナ"),  # the mark is within the word
        (f"```ninja\n{LINES}\n```\nA ninja.", "ninja", "``` A ", "ninja"),  # the first is not shown
        (f"```\n{LINES}\na * ninja * b", "ninja", "text. a * ", "ninja"),
    ],
)
async def test_snippet_of_a_long_message_is_cut_around_the_match(client_of, alice, write, text, words, before, match):
    await write("", text)
    [row] = await found(client_of(alice), words)
    snippet = row["snippet"]
    assert snippet["match"] == match
    assert snippet["before"].startswith("…") and snippet["before"].endswith(before.removeprefix("``` "))


def test_snippet_of_a_long_message_does_not_convert_all_of_it():
    text = f"{LINES}\n" * 20
    row = SearchText(message=Message(role="assistant", text=f"{text}A **ninja**.\n{text}"), file_names="")
    near = search.text_near(row, "ninja")
    assert "text. A ninja. Line 0 of a long (https://example.com/) text." in near
    assert len(near) < 3 * search.EXCERPT_LENGTH
