"""A small or enlarged window shows all of the page, and so does one with an on-screen keyboard."""

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import LOCALES, states

pytestmark = pytest.mark.browser

SMALL = {
    "320 pixels": {"viewport": {"width": 320, "height": 640}},
    "200 % zoom": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


@pytest.mark.parametrize("window", SMALL)
@pytest.mark.parametrize("language", LOCALES)
def test_small_window_scrolls_in_one_direction_only(open_tab, language, window, subtests):
    tab = open_tab(language, **SMALL[window])
    for state in states(tab):
        with subtests.test(state):
            assert tab.overflow() <= 0
            box = tab.text.bounding_box()
            assert box["width"] > 100


def test_low_window_scrolls_to_the_end_of_a_new_chat(open_tab):
    tab = open_tab("en", "charlie", viewport={"width": 320, "height": 256})  # as 1280 x 1024 at 400 %
    tab.pick("echo")
    tab.page.mouse.move(160, 200)
    tab.page.mouse.wheel(0, 1000)
    expect(tab.find("starters").locator("li").last).to_be_in_viewport(ratio=1)
    tab.page.mouse.wheel(0, -1000)
    expect(tab.find("temporary-switch")).to_be_in_viewport(ratio=1)


PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}


def test_onscreen_keyboard_that_shrinks_the_window_keeps_the_field_visible(open_tab):
    tab = open_tab("en", **PHONE)
    assert "interactive-widget=resizes-content" in tab.page.locator("[name=viewport]").get_attribute("content")
    tab.ask("echo", "Hello\n\n" * 20)
    tab.page.set_viewport_size({"width": 390, "height": 430})
    tab.text.fill("One line\n" * 20)
    for place in (tab.text, tab.find("send"), tab.find("picker")):
        expect(place).to_be_in_viewport(ratio=1)


def test_onscreen_keyboard_that_covers_the_page_keeps_the_field_visible(open_tab):
    """As on iOS; what it tells is told here by a stand-in, for Chromium has no such keyboard."""
    tab = open_tab("en", **PHONE)
    tab.page.add_init_script(
        """Object.defineProperty(window, "visualViewport", {
            value: Object.assign(new EventTarget(), { scale: 1, height: innerHeight })
        })"""
    )
    tab.ask("echo", "Hello")
    for height in (430, 780):
        tab.page.evaluate(
            "height => { visualViewport.height = height; visualViewport.dispatchEvent(new Event('resize')) }", height
        )
        box = tab.find("composer").bounding_box()
        assert height - 30 < box["y"] + box["height"] <= height
        expect(tab.find("picker")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("language", LOCALES)
def test_shared_conversation_fits_into_a_small_window(open_tab, language):
    tab = open_tab(language, **SMALL["320 pixels"])
    tab.ask("echo", "Hello")
    tab.find("bar-options").click()
    tab.choose("share")
    tab.find("share-dialog").locator(".button--primary").click()
    tab.page.goto(tab.find("share-dialog").locator("input").first.input_value())
    expect(tab.page.locator(".transcript-message")).to_have_count(2)
    assert tab.overflow() <= 0
    name = tab.page.locator(".brand span")
    assert name.bounding_box()["height"] < 1.5 * tab.page.locator(".brand img").bounding_box()["height"]


def test_text_spacing_can_be_increased(open_tab, subtests):
    """WCAG 1.4.12: nothing is cut off or covered with these distances."""
    tab = open_tab("en")
    tab.ask("demo", "Show me.")
    tab.page.evaluate(
        """() => {
            const sheet = new CSSStyleSheet()
            sheet.replaceSync(`
                * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
                p { margin-bottom: 2em !important }
            `)
            document.adoptedStyleSheets.push(sheet)
        }"""
    )
    assert tab.overflow() <= 0
    for button in tab.page.locator("button:visible").all():
        assert button.evaluate("element => element.scrollWidth - element.clientWidth") <= 1, button
