"""What the user has asked of the device: less motion, more contrast, forced colors."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_reduced_motion_is_respected(open_tab):
    tab = open_tab("en", reduced_motion="reduce")
    tab.pick("slow")
    tab.text.fill("Count")
    tab.text.press("Enter")
    expect(tab.replies.last).to_contain_text("10")
    moving = tab.page.evaluate(
        """() => document.getAnimations().flatMap(({ effect }) => effect.getKeyframes())
            .filter(frame => frame.transform || frame.translate || frame.rotate || frame.scale).length"""
    )
    assert moving == 0


def test_increased_contrast_is_respected(open_tab):
    def line_of(**options):
        tab = open_tab("en", **options)
        return tab.page.locator(".sidebar__new").evaluate("element => getComputedStyle(element).borderColor")

    assert line_of(contrast="more") != line_of()


def test_selection_is_visible_in_forced_colors(open_tab):
    tab = open_tab("en", forced_colors="active")
    tab.ask("echo", "Hello")
    row = tab.page.locator(".conversation__link[aria-current]")
    other = tab.page.locator(".sidebar__new")
    ground = "element => getComputedStyle(element).backgroundColor"
    assert row.evaluate(ground) != other.evaluate(ground)
    tab.find("account").click()
    tab.choose("settings")
    chosen, not_chosen = (
        tab.page.locator(".segment:has(:checked)").first,
        tab.page.locator(".segment:not(:has(:checked))"),
    )
    assert chosen.evaluate(ground) != not_chosen.first.evaluate(ground)


def test_activity_of_a_chat_is_visible_in_forced_colors(open_tab):
    tab = open_tab("en", forced_colors="active")
    tab.ask("echo", "Hello")
    tab.page.get_by_role("link", name="New chat").first.click()
    expect(tab.page.locator(".conversation__link[aria-current]")).to_have_count(0)
    expect(tab.page.locator(".conversation__link").first).to_be_visible()
    marks = tab.page.evaluate(
        """() => ["unread", "failed", "waiting", "answering"].map((activity) => {
            const mark = document.querySelector(".conversation__activity")
            mark.hidden = false
            mark.dataset.activity = activity
            const { backgroundColor, borderTopColor, borderRightColor, forcedColorAdjust } = getComputedStyle(mark)
            if (forcedColorAdjust !== "none") return false // the browser draws it in the color of the page
            const row = getComputedStyle(mark.closest(".conversation__link")).backgroundColor
            return activity === "answering" ? borderTopColor !== borderRightColor : backgroundColor !== row
        })"""
    )
    assert marks == [True] * 4
