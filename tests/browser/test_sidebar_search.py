"""The search of the list of conversations, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import choose, row

pytestmark = pytest.mark.browser


def test_search_shows_the_match_and_opens_it(chat, start_conversation):
    id = start_conversation("\n\n".join([*["A long text."] * 60, "The needle is in this line.", *["More of it."] * 60]))
    start_conversation("Something else")
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("NEEDLE")
    found = row(chat, id)
    expect(found.locator("mark")).to_have_text("needle")
    expect(found).to_contain_text("The needle is in this line.")
    expect(chat.page.locator(".conversation")).to_have_count(1)
    expect(chat.page.get_by_text("One chat found.")).to_be_attached()
    found.get_by_role("link").click()
    expect(chat.page).to_have_url(re.compile(f"/c/{id}/#m-[0-9a-f-]{{36}}$"))
    message = chat.page.locator(".message--highlighted")
    expect(message).to_be_focused()
    assert chat.page.evaluate("[...CSS.highlights.get('search-match')].map(String)") == ["needle"]
    expect(chat.replies.last.get_by_text("The needle is in this line.")).to_be_in_viewport()
    expect(message).to_have_count(0)  # after a while
    search.press("ArrowDown")
    expect(found.get_by_role("link")).to_be_focused()
    search.fill("")
    expect(chat.page.locator(".conversation").nth(1)).to_be_visible()


def test_search_finds_words_of_two_japanese_characters(chat, start_conversation):
    id = start_conversation("明日は東京へ行きます")
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("東京")
    expect(row(chat, id).locator("mark")).to_have_text(["東京", "東京"])  # in the title and in the message
    search.press("Enter")
    expect(chat.page).to_have_url(re.compile(f"/c/{id}/#m-"))


def test_search_marks_every_word_in_its_own_spelling(chat, start_conversation):
    id = start_conversation("Le CAFÉ de ｶﾞｲﾄﾞ: it’s `un cafe\u0301` noir")
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("cafe ガイド it's")
    words = ["CAFÉ", "ｶﾞｲﾄﾞ", "it’s", "cafe\u0301"]
    found = row(chat, id)
    expect(found.locator(".conversation__title mark")).to_have_text(words)
    expect(found.locator(".conversation__snippet mark")).to_have_text(words)
    expect(found.locator(".conversation__snippet")).to_have_text("Le CAFÉ de ｶﾞｲﾄﾞ: it’s un cafe\u0301 noir")
    search.press("Enter")
    expect(chat.page.locator(".message--highlighted")).to_be_focused()
    assert chat.page.evaluate("[...CSS.highlights.get('search-match')].map(String)") == words
    search.fill("")
    expect(found.locator("mark")).to_have_count(0)


def test_search_shows_plain_text(chat, start_conversation):
    id = start_conversation("Which is the needle?\n```\nneedle()\n```\nSay `it`.")
    chat.page.get_by_role("searchbox", name="Search chats").fill("needle")
    expect(row(chat, id).locator(".conversation__snippet")).not_to_contain_text("`")


def test_search_result_opened_with_enter_types_nothing(chat, start_conversation):
    id = start_conversation("The needle in a haystack")
    chat.open()
    search = chat.page.get_by_role("searchbox", name="Search chats")
    search.fill("needle haystack")
    expect(row(chat, id).locator("mark").first).to_be_visible()
    search.press("Enter")
    expect(chat.page).to_have_url(re.compile(f"/c/{id}/#m-"))
    expect(chat.page.locator(".message--highlighted")).to_be_focused()
    expect(chat.text).to_have_value("")


def test_search_without_matches_says_so(chat):
    chat.page.get_by_role("searchbox", name="Search chats").fill("zzz not there zzz")
    expect(chat.page.get_by_text("No chats found.")).to_be_visible()


HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script> \u202egnp.exe "><svg onload=alert(1)>'


def test_hostile_titles_and_snippets_are_inert(chat, start_conversation):
    dialogs = []
    chat.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    id = start_conversation(HOSTILE)
    chat.page.get_by_role("searchbox", name="Search chats").fill("<img src=x onerror=")
    expect(row(chat, id).locator("mark").first).to_have_text("<img")
    expect(chat.page.locator(".conversation :is(img, script, svg[onload])")).to_have_count(0)
    choose(chat, id, "Delete")
    expect(chat.page.locator(".toast")).to_contain_text("<script>")
    assert dialogs == []
