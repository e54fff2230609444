"""The list of conversations: its order, its pages and its search."""

from datetime import timedelta

from django.utils import timezone

from chat.models import Conversation
from tests.api.answers import PLAIN


async def test_list_conversations_has_the_newest_activity_first(client_of, alice, charlie, words):
    now = timezone.now()
    for title, age in (("middle", 2), ("newest", 1), ("oldest", 3)):
        updated_at = now - timedelta(hours=age)
        await Conversation.objects.acreate(owner=alice, assistant=words, title=title, updated_at=updated_at)
    await Conversation.objects.acreate(owner=charlie, title="Charlie's")
    answer = await client_of(alice).get("/api/conversations")
    assert answer.status_code == 200
    assert [item["title"] for item in answer.json()["items"]] == ["newest", "middle", "oldest"]
    names = {"id", "title", "assistant", "created_at", "updated_at", "snippet", *dict(PLAIN)}
    assert answer.json()["items"][0].keys() == names
    assert answer.json()["next_cursor"] is None


async def pages(client, limit, **query):
    """The ids of all pages, a list per page."""
    read, cursor = [], ""
    while cursor is not None:
        answer = await client.get("/api/conversations", {"limit": limit, "cursor": cursor, **query})
        assert answer.status_code == 200
        read.append([item["id"] for item in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
    return read


async def test_list_conversations_pages_have_no_duplicates_if_times_are_equal(client_of, alice):
    now = timezone.now()
    for _ in range(7):
        await Conversation.objects.acreate(owner=alice, updated_at=now)
    client = client_of(alice)
    read = await pages(client, 3)
    assert [len(page) for page in read] == [3, 3, 1]
    whole = [item["id"] for item in (await client.get("/api/conversations")).json()["items"]]
    assert [item for page in read for item in page] == whole
    assert len(set(whole)) == 7


async def test_list_conversations_full_last_page_has_no_cursor(client_of, alice):
    for _ in range(4):
        await Conversation.objects.acreate(owner=alice)
    assert [len(page) for page in await pages(client_of(alice), 2)] == [2, 2]


async def test_list_conversations_pages_are_stable_under_new_activity(client_of, alice):
    for number in range(6):
        updated_at = timezone.now() - timedelta(hours=number)
        await Conversation.objects.acreate(owner=alice, updated_at=updated_at, title=number)
    client = client_of(alice)
    first = (await client.get("/api/conversations", {"limit": 3})).json()
    await Conversation.objects.acreate(owner=alice, title="new")
    await Conversation.objects.filter(title="1").aupdate(updated_at=timezone.now())
    second = (await client.get("/api/conversations", {"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["title"] for item in second["items"]] == ["3", "4", "5"]


async def test_search_returns_each_conversation_once(client_of, alice, charlie):
    async def talk(owner, title, *texts):
        conversation = await Conversation.objects.acreate(owner=owner, title=title)
        for text in texts:
            await conversation.messages.acreate(role="user", text=text)

    await talk(alice, "東京の天気")
    await talk(alice, "Weather", "明日の東京は？", "東京、それから京都は？")
    await talk(alice, "Kyoto", "only there", "100% sure")
    await talk(charlie, "東京のチャーリー")

    async def found(q):
        answer = await client_of(alice).get("/api/conversations", {"q": q})
        return sorted(item["title"] for item in answer.json()["items"])

    assert await found("東京") == ["Weather", "東京の天気"]
    assert await found(" kYOTO ") == ["Kyoto"]
    assert await found("100%") == ["Kyoto"]
    assert await found("o%y") == []
    assert await found("チャーリー") == []
    assert len(await found("")) == 3


async def test_search_has_pages(client_of, alice):
    for number in range(5):
        conversation = await Conversation.objects.acreate(owner=alice, title=f"apple {number}")
        await conversation.messages.acreate(role="user", text="apple")
        await Conversation.objects.acreate(owner=alice, title="pear")
    read = await pages(client_of(alice), 2, q="apple")
    assert [len(page) for page in read] == [2, 2, 1]
    assert len({item for page in read for item in page}) == 5
