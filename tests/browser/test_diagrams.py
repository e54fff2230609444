"""Mermaid's diagrams in a real browser: drawn, explained, enlarged, readable."""

import re
from itertools import pairwise
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from tests.browser.chat import HeldRequests, loads
from tests.browser.markdown import FLOWCHART, say

pytestmark = pytest.mark.browser


def test_diagram_is_an_image_with_its_source_behind_a_button(chat):
    prose = say(chat, FLOWCHART)
    picture = prose.locator(".diagram img")
    expect(picture).to_be_visible()
    assert picture.get_attribute("src").startswith("data:image/svg+xml")
    assert "%3Eyou" not in picture.get_attribute("src")
    assert "%3EYou%3C" in picture.get_attribute("src")
    expect(prose.locator("pre")).to_be_hidden()
    prose.get_by_role("button", name="Source").click()
    expect(prose.locator("pre")).to_contain_text("flowchart LR")
    expect(picture).to_be_hidden()
    prose.get_by_role("button", name="Diagram").click()
    expect(picture).to_be_visible()
    frame = chat.page.locator("iframe.mermaid-frame")
    assert frame.get_attribute("sandbox") == "allow-scripts"
    light = picture.get_attribute("src")
    chat.page.emulate_media(color_scheme="dark")
    expect(picture).not_to_have_attribute("src", light)


def test_diagram_is_drawn_when_its_library_loads_slowly(chat):
    chat.page.clock.install()
    library = HeldRequests(chat.page, "**/vendor/mermaid*.js")
    chat.open()
    with chat.page.expect_request("**/vendor/mermaid*.js"):
        prose = say(chat, FLOWCHART)
    chat.page.clock.fast_forward(30_000)
    library.release()
    expect(prose.locator(".diagram img")).to_be_visible()


FAULTY = {
    "flowchart LR\n  a --> b\n  c [[[": "The error is in line 3",
    "flowchat LR\n  a --> b": "“flowchat LR” is not a known type of diagram.",
    "gitGraph\n  comit": "The error is in line 2 at “comit”: comit",
    'pie\n  "a" : x': "The error is in line 2 at “x”",
}


def test_diagram_with_an_error_shows_its_source_and_says_where(chat):
    faulty = "\n\n".join(f"```mermaid\n{source}\n```" for source in FAULTY)
    mendable = "```mermaid\nflowchart LR\n  a[foo (bar)] -->|yes (ok)| b{x[0]}\n```"
    prose = say(chat, f"{faulty}\n\n{mendable}")
    diagrams = prose.locator(".diagram")
    expect(diagrams.last.locator("img")).to_be_visible()  # drawn one after the other
    expect(diagrams.last).to_contain_text("Labels were put in quotes so that this diagram could be drawn.")
    assert "(bar)" in unquote(diagrams.last.locator("img").get_attribute("src"))
    for index, sentence in enumerate(FAULTY.values()):
        expect(diagrams.nth(index).locator(".diagram__notice")).to_contain_text(sentence)
        expect(diagrams.nth(index).locator("pre")).to_be_visible()
        expect(diagrams.nth(index).locator("img")).to_have_count(0)
        for name in ("Source", "Enlarge"):
            expect(diagrams.nth(index).get_by_role("button", name=name)).to_be_hidden()


WIDE = "gantt\n  title A wide plan\n  dateFormat YYYY-MM-DD\n" + "\n".join(
    f"  section Part {month}\n  Task {month}a : t{month}, 2026-{month:02}-01, 30d" for month in range(1, 13)
)


def test_diagram_can_be_opened_large(chat):
    code = loads(chat, "diagram_viewer")
    prose = say(chat, f"```mermaid\n{WIDE}\n```")
    expect(prose.locator(".diagram img")).to_be_visible()
    assert code == []
    enlarge = prose.get_by_role("button", name="Enlarge")
    enlarge.focus()
    chat.page.keyboard.press("Enter")
    viewer = chat.page.get_by_role("dialog")
    pane, picture = viewer.get_by_role("group"), viewer.get_by_role("img")
    expect(picture).to_be_visible()
    room, fitted = pane.bounding_box(), picture.bounding_box()
    assert fitted["x"] >= room["x"] - 1 and fitted["x"] + fitted["width"] <= room["x"] + room["width"] + 1
    assert fitted["width"] > prose.locator(".diagram img").bounding_box()["width"]

    for _ in range(6):
        chat.page.keyboard.press("+")
    large = picture.bounding_box()
    assert large["width"] > 3 * fitted["width"]
    chat.page.keyboard.press("ArrowRight")
    assert picture.bounding_box()["x"] < large["x"]
    chat.page.mouse.move(room["x"] + 300, room["y"] + 200)
    chat.page.mouse.down()
    chat.page.mouse.move(room["x"] + 400, room["y"] + 200, steps=4)
    chat.page.mouse.up()
    assert abs(picture.bounding_box()["x"] - large["x"] - 20) < 2  # 80 to the left, 100 to the right
    chat.page.mouse.wheel(0, 200)
    assert picture.bounding_box()["width"] < large["width"]
    viewer.get_by_role("button", name="Fit to window").click()
    assert picture.bounding_box() == fitted

    for kind, beginning in {"SVG": b"<svg", "PNG": b"\x89PNG"}.items():
        with chat.page.expect_download() as download:
            viewer.get_by_role("button", name=f"Download as {kind}").click()
        assert download.value.suggested_filename == f"diagram.{kind.lower()}"
        assert download.value.path().read_bytes().startswith(beginning)
    chat.page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(enlarge).to_be_focused()
    prose.locator(".diagram img").click()
    expect(viewer).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_diagram_of_a_pie_has_distinguishable_slices(chat, scheme):
    chat.page.emulate_media(color_scheme=scheme)
    slices = "\n".join(f'  "{name}" : 10' for name in "ABCDEF")
    drawing = drawn(say(chat, f"```mermaid\npie\n{slices}\n```"))
    hues = [int(hue) for hue in re.findall(r'fill="hsl\((\d+) [^"]*" class="pieCircle"', drawing)]
    assert len(hues) == 6
    assert min(after - before for before, after in pairwise(sorted(hues))) >= 20


def test_diagram_text_is_readable_on_the_diagrams_own_colors(chat):
    chat.page.emulate_media(color_scheme="dark")
    source = "flowchart LR\n  pale[Pale] --> usual[Usual]\n  style pale fill:#f9f"
    drawing = drawn(say(chat, f"```mermaid\n{source}\n```"))
    in_black = "fill: black !important[^>]*>(<tspan[^>]*>)*"
    assert re.search(in_black + "Pale<", drawing)
    assert not re.search(in_black + "Usual<", drawing)


def drawn(prose):
    """The picture of the only diagram, as SVG."""
    picture = prose.locator(".diagram img")
    expect(picture).to_be_visible()
    return unquote(picture.get_attribute("src"))


def test_diagram_frame_has_no_origin_and_no_network(site, chat):
    answer = chat.page.request.get(f"{site}/drawing")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")
    page = chat.page.request.get(f"{site}/").headers["content-security-policy"]
    assert "unsafe" not in page
    assert "require-trusted-types-for 'script'" in page
