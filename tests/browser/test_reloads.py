"""Fifty reloads at random moments of an answer, over both wires: nothing is lost, nothing comes twice."""

import random

import pytest
from playwright.sync_api import expect

from chat.events import fold
from tests.site import Person

from .test_page import COUNTED, chat, context  # noqa: F401  fixtures

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("wire", ["stream", "socket"])
def test_reloads_at_random_moments_lose_nothing(chat, site, wire):  # noqa: F811
    chance = random.Random(wire)
    if wire == "socket":
        chat.use_websocket()
    alice, reloads = Person(site, "alice"), 0
    while reloads < 25:
        chat.open().choose("slow")
        run = chat.send("Count, please")
        run["conversation_id"] = chat.page.url.rstrip("/").rpartition("/")[2]
        while alice.reply(run)["status"] in ("queued", "in_progress") and reloads < 25:
            chat.page.wait_for_timeout(chance.uniform(0, 400))
            chat.page.reload()
            reloads += 1
            expect(chat.replies).to_have_count(1)
            assert COUNTED.startswith(chat.said())
        chat.wait_for_end()
        assert chat.said() == COUNTED
        stored = alice.wait_for_end(run)
        assert stored["parts"] == fold(event for _, event, _ in alice.events(run))
        assert " ".join(stored["text"].split()) == COUNTED
    alice.close()
