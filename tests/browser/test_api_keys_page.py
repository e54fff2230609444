"""A user creates an API key and revokes it."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import LOCALES
from tests.browser.chat import Chat
from tests.timeouts import HANG_TIMEOUT

pytestmark = pytest.mark.browser


def test_key_is_made_from_the_settings_and_revoked(new_context, site):
    tab = Chat(new_context().new_page(), site).log_in("charlie")
    page = tab.page
    tab.open_settings()
    page.get_by_role("link", name="Manage API keys").click()
    page.get_by_label("Name").fill("Notebook")
    page.get_by_label("Read your chats and files").check()
    page.get_by_role("button", name="Create key").click()
    new_key = page.get_by_role("textbox", name="Your new key")
    expect(new_key).to_be_focused()

    def call():
        headers = {"Authorization": f"Bearer {new_key_text}"}
        return httpx.get(f"{site}/api/me", headers=headers, timeout=HANG_TIMEOUT)

    new_key_text = new_key.input_value()
    assert call().json()["username"] == "charlie"
    page.goto(page.url)
    expect(new_key).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    assert call().status_code == 401


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("language", LOCALES)
def test_page_of_api_keys_fits_and_is_accessible(open_tab, language, width, subtests):
    tab = open_tab(language, reduced_motion="reduce", viewport={"width": width, "height": 700})
    tab.page.goto(f"{tab.site}/accounts/keys/")
    for name in ("Wort" * 25, ""):
        tab.page.locator("[name=name]").fill(name)
        tab.page.locator("[name=name]").evaluate("(input) => { input.required = false }")
        tab.page.locator(".form [type=submit]").click()
        expect(tab.page.locator(".form__error")).to_have_count(0 if name else 1)
        with subtests.test("a new key" if name else "an error"):
            assert tab.problems() == []
            assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
