"""Fifty reloads at random moments of an answer, over both wires: nothing is lost, nothing comes twice."""

import random

import pytest
from playwright.sync_api import expect

from chat.events import fold
from tests.browser.chat import SLOW_REPLY
from tests.server_process import UserClient

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("wire", ["stream", "socket"])
def test_reloads_at_random_moments_lose_nothing(chat, site, wire):
    chance = random.Random(wire)
    if wire == "socket":
        chat.use_websocket()
    alice, reloads = UserClient(site, "alice"), 0
    while reloads < 25:
        chat.open().choose("slow")
        run = chat.send("Count, please")
        run["conversation_id"] = chat.page.url.rstrip("/").rpartition("/")[2]
        while alice.reply(run)["status"] in ("queued", "in_progress") and reloads < 25:
            chat.page.wait_for_timeout(chance.uniform(0, 400))
            chat.page.reload()
            reloads += 1
            expect(chat.replies).to_have_count(1)
            assert SLOW_REPLY.startswith(chat.reply_text())
        chat.wait_for_end()
        assert chat.reply_text() == SLOW_REPLY
        stored = alice.wait_for_end(run)
        assert stored["parts"] == fold(event for _, event, _ in alice.events(run))
        assert " ".join(stored["text"].split()) == SLOW_REPLY
    alice.close()
