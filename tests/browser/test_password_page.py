"""A user changes the password."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import LOCALES
from tests.browser.chat import Chat
from tests.server_process import PASSWORD

pytestmark = pytest.mark.browser


def change(page, current, new, again=None):
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password, again").fill(again or new)
    page.get_by_role("button", name="Change password").click()


def test_password_is_changed_from_the_settings(new_context, site):
    tab = Chat(new_context().new_page(), site).log_in("charlie")
    page = tab.page
    tab.open_settings()
    page.get_by_role("link", name="Change password").click()
    expect(page.get_by_label("Current password")).to_be_focused()
    change(page, "wrong", "staple of the horse")
    expect(page.get_by_label("Current password")).to_be_focused()
    expect(page.get_by_label("Current password")).to_have_accessible_description(re.compile("entered incorrectly"))
    change(page, PASSWORD, "staple of the horse", "staple")
    expect(page.get_by_label("New password", exact=True)).to_be_focused()
    change(page, PASSWORD, "staple of the horse")
    expect(page.get_by_role("heading", name="Password changed")).to_be_visible()
    page.get_by_role("link", name="Back to your chats").click()
    expect(page.locator("#text")).to_be_visible()
    page.goto(f"{site}/accounts/password/")
    change(page, "staple of the horse", PASSWORD)
    expect(page.get_by_role("heading", name="Password changed")).to_be_visible()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("language", LOCALES)
def test_page_of_the_password_fits_and_is_accessible(open_tab, language, width):
    tab = open_tab(language, reduced_motion="reduce", viewport={"width": width, "height": 700})
    tab.page.goto(f"{tab.site}/accounts/password/")
    tab.page.locator("[name=old_password]").fill("wrong")
    tab.page.locator("[name=new_password1]").fill("a")
    tab.page.locator("[name=new_password2]").fill("a")
    tab.page.locator("[type=submit]").click()
    expect(tab.page.locator(".form__error")).to_have_count(3)
    assert tab.problems() == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_name_that_was_typed_stays_and_the_password_is_asked_again(new_context, site):
    page = new_context().new_page()
    page.goto(site)
    expect(page.get_by_label("Username")).to_be_focused()
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Username")).to_have_value("alice")
