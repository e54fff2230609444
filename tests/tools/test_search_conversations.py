"""Search in the user's conversations."""

from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async

from chat.models import Conversation, Message
from chat.tools import Context
from tests.tools.calls import refusal, use


@pytest.fixture
def create_conversation(transactional_db):
    """`await create_conversation(alice, "Title", "a question", "an answer", …)`, each older than the one before."""
    made = []

    @sync_to_async
    def make(owner, title, *texts):
        conversation = Conversation.objects.create(owner=owner, title=title)
        made.append(conversation)
        time, parent = datetime(2026, 5, 20, 22, 0, tzinfo=UTC) - timedelta(days=len(made)), None
        for number, text in enumerate(texts):
            role = (Message.USER, Message.ASSISTANT)[number % 2]
            parent = Message.objects.create(
                conversation=conversation,
                parent=parent,
                role=role,
                text=text,
                created_at=time + timedelta(minutes=number),
            )
        return conversation

    return make


async def search(user, words, **context):
    return await use("search_conversations", {"words": words}, Context(user_id=user.pk, **context))


async def test_search_returns_messages_with_conversation_time_and_author(create_conversation, alice):
    soup = await create_conversation(alice, "Soup for two", "How do I cook leek soup?", "Wash the leek, then cut it.")
    assert await search(alice, "LEEK", time_zone="Asia/Tokyo") == (
        f"“Soup for two” (/c/{soup.pk}/), 2026-05-20 07:01, the assistant said:\nWash the leek, then cut it.\n\n"
        f"“Soup for two” (/c/{soup.pk}/), 2026-05-20 07:00, the user said:\nHow do I cook leek soup?"
    )


async def test_search_never_shows_another_users_messages(create_conversation, alice, charlie):
    await create_conversation(charlie, "The secret plan", "secret question", "secret answer")
    conversation = await create_conversation(alice, "Mine", "no secret here")
    assert "no secret here" in await search(alice, "secret")
    output = await search(alice, "secret")
    assert "question" not in output and "answer" not in output and "plan" not in output
    assert str(conversation.pk) in output
    assert "No results" in await search(alice, "plan")
    assert "secret question" in await search(charlie, "secret")


async def test_search_requires_all_words_in_one_message(create_conversation, alice):
    await create_conversation(alice, "Both", "leek and potato")
    await create_conversation(alice, "One", "leek alone", "potato alone")
    output = await search(alice, "potato  leek")
    assert "“Both”" in output
    assert "“One”" not in output


async def test_search_finds_japanese(create_conversation, alice):
    await create_conversation(alice, "料理", "長ねぎのスープの作り方を教えてください。")
    assert "長ねぎのスープ" in await search(alice, "スープ　作り方")  # with the wide space of a Japanese keyboard
    assert "No results" in await search(alice, "天気")


async def test_search_finds_file_names(create_conversation, alice):
    conversation = await create_conversation(alice, "Soup")
    parts = [{"type": "file", "id": "", "name": "Recipés.pdf"}, {"type": "text", "text": "Which `one`?"}]
    await conversation.messages.acreate(role=Message.USER, text="Which `one`?", parts=parts)
    assert "the user said:\nWhich one? Recipés.pdf" in await search(alice, "recipes.PDF one")


@pytest.mark.parametrize("word", ["100%", "a_b", "back\\slash", "it's", '"quoted"', "'; DROP TABLE chat_message; --"])
async def test_search_takes_characters_literally(create_conversation, alice, word):
    await create_conversation(alice, "Right", f"here is {word} in a text")
    await create_conversation(alice, "Wrong", "100x axb backslash its quoted DROP TABLE")
    output = await search(alice, word)
    assert "“Right”" in output
    assert "“Wrong”" not in output


async def test_search_leaves_out_the_conversation_it_is_asked_in(create_conversation, alice):
    here = await create_conversation(alice, "Leek here", "leek here")
    await create_conversation(alice, "Leek there", "leek there")
    output = await search(alice, "leek", conversation=str(here.pk))
    assert "there" in output
    assert "here\n" not in output and "“Leek here”" not in output


async def test_search_finds_a_title_that_a_user_gave(create_conversation, alice):
    await create_conversation(alice, "Holiday in Kyoto", "where to?", "to the temples")
    output = await search(alice, "kyoto holiday")
    assert "“Holiday in Kyoto”" in output
    assert output.endswith("only the title contains the words.")


async def test_search_shows_the_text_around_the_words(create_conversation, alice):
    await create_conversation(alice, "Long", "start " + "before " * 200 + "NEEDLE\n\n" + "after " * 200 + "end")
    output = (await search(alice, "needle")).partition("\n")[2]
    assert "before NEEDLE after" in output
    assert output.startswith("…") and output.endswith("…")
    assert "\n" not in output
    assert len(output) <= 302


async def test_search_shows_the_newest_of_many_and_a_few_of_each(create_conversation, alice):
    for number in range(12):
        await create_conversation(alice, f"Talk {number}", *[f"leek {number}.{part}" for part in range(6)])
    output = await search(alice, "leek")
    assert [f"“Talk {number}”" in output for number in range(12)] == [True] * 4 + [False] * 8
    assert output.count("leek") == 8


@pytest.mark.parametrize("words", ["", " \u3000 ", "\0", "\ud800", "a b c d e f g h i", "x" * 101, "x" * 100_000])
async def test_search_requires_a_few_words(alice, words):
    context = Context(user_id=alice.pk)
    assert await refusal("search_conversations", {"words": words}, context) == "Search for one to 8 words."


async def test_search_requires_a_logged_in_user(create_conversation, alice):
    await create_conversation(alice, "Soup", "leek")
    assert "No user is logged in" in await refusal("search_conversations", {"words": "leek"})
