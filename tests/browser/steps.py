"""The steps of a reply, on the page and stored."""

from contextlib import closing

from chat.events import fold
from tests.server_process import UserClient


def step(chat, name):
    """Returns the step with this name in the last reply."""
    return chat.replies.last.locator(".step", has=chat.page.locator(".step__name", has_text=name))


def parts_from_events(chat, name="alice"):
    """The parts of each reply of the conversation, folded from its run's events."""
    with closing(UserClient(chat.site, name)) as alice:
        runs = [message["run_id"] for message in chat.stored_messages() if message["run_id"]]
        return [fold(event for _, event, _ in alice.events({"events_url": f"/api/runs/{run}/events"})) for run in runs]


def stored_parts(chat):
    return [message["parts"] for message in chat.stored_messages() if message["run_id"]]
