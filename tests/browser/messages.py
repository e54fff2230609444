"""What the browser tests do with a message."""

import re


def act(message, name):
    """Press a button of a message, where it is for who points at it."""
    message.hover()
    message.get_by_role("button", name=name, exact=True).click()


def place(message):
    """Which version it shows, such as “2 / 3”."""
    return message.locator(".versions__position")


def editor(chat):
    return chat.page.locator(".editor textarea")


def edit(chat, message, text):
    act(message, "Edit")
    editor(chat).fill(text)
    with chat.page.expect_response(re.compile("/edit$")) as response:
        editor(chat).press("Enter")
    assert response.value.status == 202
    return chat.wait_for_reply(response.value.json())
