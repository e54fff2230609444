"""What axe finds on the page, in both languages and themes: nothing."""

import pytest
from django.template.loader import render_to_string
from django.utils.translation import override
from playwright.sync_api import expect

from tests.browser.accessibility import JAPANESE, LOCALES, states

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations(open_tab, language, subtests):
    tab = open_tab(language, reduced_motion="reduce")
    for state in states(tab):
        with subtests.test(state):
            assert tab.problems() == []


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations_on_the_login_page(open_tab, language):
    nobody = open_tab(language, None, reduced_motion="reduce")
    nobody.page.goto(nobody.site + "/")
    nobody.page.locator("[name=username]").fill("alice")
    nobody.page.locator("[name=password]").fill("wrong")
    nobody.page.locator("[type=submit]").click()
    expect(nobody.page.get_by_role("alert")).to_be_visible()
    assert nobody.problems() == []


def answer_with(page):
    return lambda route: route.fulfill(body=page, content_type="text/html")


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations_in_error_states(open_tab, language, subtests):
    nobody = open_tab(language, None, reduced_motion="reduce")
    for name in ("403.html", "403_csrf.html", "404.html", "500.html"):
        with override(language):
            page = render_to_string(name)  # a server with DEBUG on shows Django's own
        nobody.page.route("**/wrong", answer_with(page))
        nobody.page.goto(nobody.site + "/wrong")
        expect(nobody.page.get_by_role("heading")).to_be_visible()
        with subtests.test(name):
            assert nobody.problems() == []
            assert bool(JAPANESE.search(nobody.page.inner_text("body"))) == (language == "ja")


@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_no_violations_on_read_only_pages(open_tab, language, subtests):
    tab = open_tab(language, reduced_motion="reduce")
    tab.ask("demo", "デモを見せてください。")
    path = tab.page.url.removeprefix(tab.site)
    tab.page.goto(f"{tab.site}{path}print/")
    expect(tab.page.locator("article table")).to_be_visible()
    with subtests.test("a printed conversation"):
        assert tab.problems() == []
    staff = open_tab(language, "bob", reduced_motion="reduce")
    staff.page.goto(f"{tab.site}/admin/chat/conversation/{path.split('/')[2]}/change/")
    expect(staff.page.locator(".transcript")).to_be_visible()
    staff.page.evaluate("for (const element of document.querySelectorAll('details')) element.open = true")
    with subtests.test("a transcript"):
        assert staff.problems() == []


def test_colors_of_the_admin_can_be_read_in_both_themes(open_tab, subtests):
    """The colors are the site's; the rest of these pages is Django's."""
    staff = open_tab("en", "bob", reduced_motion="reduce")
    for path in ("", "chat/assistant/", "chat/assistant/1/change/", "chat/run/", "auth/user/1/delete/"):
        staff.page.goto(f"{staff.site}/admin/{path}")
        with subtests.test(path):
            assert [problem for problem in staff.problems() if problem[1] == "color-contrast"] == []
