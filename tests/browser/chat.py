"""The chat page in a browser tab, as the tests use it."""

import re
from urllib.parse import quote

from playwright.sync_api import TimeoutError, expect

from tests.server_process import PASSWORD

SLOW_REPLY = " ".join(str(number) for number in range(1, 101))  # of the assistant `slow`
COUNT_TO_FIFTY = "Count, please gate:never"  # to `slow`, for a reply that is still running whenever the test stops it
DEFAULT_PREFERENCES = {
    "instructions": "",
    "language": "",
    "theme": "",
    "send_key": "enter",
    "notifications": "",
    "transport": "sse",
    "shows_steps": True,
}


def is_sent(response):
    return response.request.method == "POST" and response.url.endswith("/messages")


class Chat:
    """A tab with the chat page. The methods do what a user does there."""

    def __init__(self, page, site):
        self.page, self.site = page, site
        self.text = page.get_by_label("Your message", exact=True)
        self.send_button = page.get_by_role("button", name="Send", exact=True)
        self.stop_button = page.get_by_role("button", name="Stop", exact=True)
        self.replies = page.locator(".message--reply")
        self.problem = page.locator(".composer__problem")

    def log_in(self, name="alice", path="/"):
        """Open a page as this user, with the default preferences."""
        start_session(self.page, self.site, name)
        if self.preferences() != DEFAULT_PREFERENCES:
            self.set_preferences(**DEFAULT_PREFERENCES)
        return self.open(path)

    def log_in_with_form(self, name="alice", path="/"):
        """Open a page and log in as it asks for."""
        self.page.goto(self.site + path)
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(self.site + path)
        return self

    def preferences(self):
        """Returns the user's preferences as the server has them."""
        preferences = self.page.request.get(f"{self.site}/api/me").json()
        return {name: preferences[name] for name in DEFAULT_PREFERENCES}

    def set_preferences(self, **preferences):
        headers = {"X-CSRFToken": csrf_token(self.page)}
        response = self.page.request.patch(f"{self.site}/api/me", data=preferences, headers=headers)
        assert response.ok

    def open(self, path="/"):
        self.page.goto(self.site + path)
        return self

    def choose(self, assistant):
        # Until the assistants are there, the composer may move from under the pointer.
        expect(self.page.locator("[data-ref=assistant-name]")).not_to_be_empty()
        label = self.page.locator("#assistants label", has=self.page.locator(f"input[value={assistant}]"))
        for _ in range(3):  # a page that opens at that moment closes the list
            if not label.is_visible():
                self.page.locator("[data-ref=picker]").click()
            try:
                label.click(timeout=20_000)
                return self
            except TimeoutError:
                continue
        raise AssertionError(f"The list of assistants does not stay open for {assistant}.")

    def send(self, text):
        """Send a message and wait until it is on the page with its reply. Returns the response's data."""
        return self.wait_for_reply(self.submit(text))

    def submit(self, text):
        """Send a message and wait until the server has it. Returns the response's data."""
        self.text.fill(text)
        with self.page.expect_response(is_sent) as response:
            self.text.press("Control+Enter")  # sends on phones as well, and with every preference
        assert response.value.status == 202
        expect(self.text).to_have_value("")
        return response.value.json()

    def wait_for_reply(self, accepted):
        """Wait until the page has drawn the reply, or that its question waits: a frame after the response."""
        question = self.page.locator(f"[data-message-id='{accepted['message_id']}']")
        waiting = question.filter(has_text="Waiting for the previous answer")
        reply = self.page.locator(f"[data-message-id='{accepted['reply_id']}']")
        expect(reply.or_(waiting).first).to_be_attached()
        return accepted

    def wait_for_end(self):
        expect(self.replies.last).to_have_attribute("aria-busy", "false")
        expect(self.stop_button).to_be_hidden()
        return self

    def reply_text(self):
        """Returns the text of the last reply as the page shows it, once the text of each part is drawn."""
        expect(self.replies.last.locator("[data-part=text]:empty")).to_have_count(0)
        return " ".join(self.replies.last.locator(".message__parts").inner_text().split())

    def use_websocket(self):
        self.open_settings()
        with self.page.expect_response(lambda response: response.request.method == "PATCH"):
            self.page.get_by_role("switch", name=re.compile("WebSocket")).check()
        self.page.keyboard.press("Escape")
        return self

    def open_settings(self):
        self.page.locator(".account").click()
        self.page.get_by_role("menuitem", name="Settings").click()
        expect(self.page.get_by_label("Custom instructions")).to_be_editable()

    def stored_messages(self):
        """Returns the conversation's messages as the server has them."""
        conversation = self.page.url.rstrip("/").rpartition("/")[2]
        response = self.page.request.get(f"{self.site}/api/conversations/{conversation}/messages")
        assert response.ok
        return response.json()["items"]


def start_session(page, site, name):
    """Log the page's browser in without drawing the form, which would take longer than many a test."""
    page.request.get(f"{site}/accounts/login/")
    form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": csrf_token(page)}
    assert page.request.post(f"{site}/accounts/login/", form=form, max_redirects=0).status == 302


def csrf_token(page):
    [token] = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken"]
    return token


class HeldRequests:
    """The requests to an address, which wait until `release()`. A test cannot tell when the page will make them."""

    def __init__(self, page, address, method=None):
        self.method, self.routes, self.is_released = method, [], False
        page.route(address, self.on_request)

    def on_request(self, route):
        if self.is_released or self.method not in (None, route.request.method):
            route.continue_()
        else:
            self.routes.append(route)

    def release(self):
        self.is_released = True
        for route in self.routes:
            route.continue_()


def page_title(text):
    """The title of a page that begins with this text, behind the number of new answers in other conversations."""
    return re.compile(rf"^(\(\d+\) )?{re.escape(text)}")


def loads(chat, name):
    """Returns the list of this tab's requests whose address holds the name. It grows as they come."""
    seen = []
    chat.page.on("request", lambda request: name in request.url and seen.append(request.url))
    return seen


def open_gate(chat, name):
    assert chat.page.request.get(f"{chat.site}/gates/{quote(name)}").ok


def questions(chat):
    return chat.page.locator(".message--question")


def bubbles(chat):
    return chat.page.locator(".message__bubble")


def id_of(tab):
    return tab.page.url.split("/c/")[1].split("/")[0]


def row(tab, id):
    return tab.page.locator(f".conversation[data-id='{id}']")


def group(tab, name):
    """Returns the group of this name in the list of conversations."""
    return tab.page.get_by_role("group", name=name)


def choose(tab, id, entry):
    """Choose this entry of the conversation's menu."""
    row(tab, id).hover()
    row(tab, id).get_by_role("button").click()
    tab.page.get_by_role("menuitem", name=entry, exact=True).click()
