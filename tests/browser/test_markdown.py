"""How answers read, in a real browser: formulas, code, tables, links, and how text flows while it comes."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, HeldRequests, loads
from tests.browser.markdown import FLOWCHART, say
from tests.server_process import poll_until

pytestmark = pytest.mark.browser

WORDS = " ".join(f"word{number}" for number in range(200))


def test_formula_uses_our_own_fonts(chat):
    prose = say(chat, "The sum is $\\sum_{k=1}^n k$, and\n\n$$\\sqrt{\\frac{a}{b}}$$")
    expect(prose.locator("span.math .katex-html")).to_be_visible()
    expect(prose.locator(".math--displayed annotation")).to_have_text("\\sqrt{\\frac{a}{b}}")
    assert chat.page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px KaTeX_Math'))")
    # Its styles are there, although the policy forbids style attributes.
    assert prose.locator(".math--displayed").bounding_box()["height"] > 50


def test_formula_shows_no_markup_before_it_is_rendered(chat):
    library = HeldRequests(chat.page, "**/vendor/katex.js")
    formula = say(chat, "It is $\\frac{a}{b}$.").locator(".math")
    expect(formula).to_have_css("color", "rgba(0, 0, 0, 0)")
    library.release()
    expect(formula.locator(".katex-html")).to_be_visible()
    expect(formula).not_to_have_css("color", "rgba(0, 0, 0, 0)")


def test_formula_shows_its_source_if_katex_cannot_be_loaded(chat):
    chat.page.route("**/vendor/katex.js", lambda route: route.abort())
    formula = say(chat, "It is $\\frac{a}{b}$.").locator(".math")
    expect(formula).to_have_text("\\frac{a}{b}")
    expect(formula).not_to_have_class(re.compile("loading"))  # at once, not when the time for loading is over
    expect(formula).not_to_have_css("color", "rgba(0, 0, 0, 0)")


def test_large_libraries_load_when_a_message_needs_them(chat):
    heavy = {name: loads(chat, f"vendor/{name}") for name in ("highlight", "katex", "mermaid")}
    chat.open()
    say(chat, "Some **words**, `code` and a\n\n| table |\n|---|\n| here |")
    assert not any(heavy.values())
    prose = say(chat, f"```js\nconst x = 1\n```\n\n$x$\n\n{FLOWCHART}")
    expect(prose.locator(".hljs-keyword")).to_be_visible()
    expect(prose.locator(".katex").first).to_be_visible()
    expect(prose.locator(".diagram img")).to_be_visible()
    assert [len([url for url in urls if url.endswith(".js")]) for urls in heavy.values()] == [1, 1, 1]


def test_code_can_be_wrapped_and_downloaded_with_the_keyboard(chat):
    prose = say(chat, "```python\nprint(1)  # " + "x" * 300 + "\n```")
    pre, wrap = prose.locator("pre"), prose.get_by_role("button", name="Wrap")
    expect(prose.locator(".code__language")).to_have_text("python")
    expect(pre).to_have_attribute("tabindex", "0")  # it can be scrolled
    wrap.focus()
    chat.page.keyboard.press("Enter")
    expect(wrap).to_have_attribute("aria-pressed", "true")
    expect(pre).not_to_have_attribute("tabindex", "0")
    assert pre.evaluate("(pre) => pre.scrollWidth === pre.clientWidth")
    chat.page.keyboard.press("Tab")
    with chat.page.expect_download() as download:
        chat.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "code.py"
    assert download.value.path().read_text() == "print(1)  # " + "x" * 300 + "\n"


def test_code_is_copied_exactly(chat):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = "".join(f"line {number} = <b>&amp;</b>\n" for number in range(200))
    prose = say(chat, f"```python\n{code}```")
    prose.get_by_role("button", name="Copy").click()
    assert chat.page.evaluate("navigator.clipboard.readText()") == code
    prose.locator("pre").evaluate("(pre) => getSelection().selectAllChildren(pre)")
    assert chat.page.evaluate("getSelection().toString()").rstrip("\n") == code.rstrip("\n")


def test_code_header_stays_in_sight(chat):
    code = "\n".join(f"line {number}" for number in range(200))
    prose = say(chat, f"Before\n\n```python\n{code}\n```\n\n{WORDS}")
    line = prose.get_by_text("line 100", exact=False).last
    line.evaluate(
        "(code) => { const range = new Range(); const text = document.createTreeWalker(code, 4);"
        " while (text.nextNode()) if (text.currentNode.data.includes('100')) range.selectNode(text.currentNode);"
        " const box = document.querySelector('.scroller');"
        " box.scrollTop += range.getBoundingClientRect().top - 300 }"
    )
    expect(prose.locator(".code__language")).to_be_in_viewport()
    header, scroller = prose.locator(".code__header").bounding_box(), chat.page.locator(".scroller").bounding_box()
    assert abs(header["y"] - scroller["y"]) < 2
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    prose.get_by_role("button", name="Copy").click()
    assert chat.page.evaluate("navigator.clipboard.readText()") == code + "\n"
    chat.page.emulate_media(media="print")
    expect(prose.locator(".code__header")).to_have_css("position", "static")


READ_HTML = """async () => {
  const [item] = await navigator.clipboard.read()
  return (await item.getType("text/html")).text()
}"""


def test_copied_answers_keep_headings_lists_and_tables(chat):
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    table = "| a | b |\n|---|--:|\n| 緑茶 | 1,200 |\n| =1+1 | $x^2$ |"
    text = f"## Tea\n\n- **green**\n\n{table}\n\nThe formula $\\frac{{a}}{{b}}$ ends."
    prose = say(chat, text)
    expect(prose.locator(".katex")).to_have_count(2)

    def copied():
        return chat.page.evaluate("navigator.clipboard.readText()"), chat.page.evaluate(READ_HTML)

    chat.replies.last.locator("[data-copy=message]").click()
    expect(chat.replies.last.locator("[data-copy=message]")).to_have_text("Copied")
    plain, html = copied()
    assert plain == text
    for part in ("<h2>Tea</h2>", "<li><strong>green</strong></li>", "<td>緑茶</td>", "\\frac{a}{b}"):
        assert part in html
    assert "katex" not in html and "<button" not in html

    prose.locator(".table").hover()
    prose.get_by_role("button", name="Copy table").click()
    expect(prose.locator("[data-copy=copy-table]")).to_have_text("Copied")
    plain, html = copied()
    assert plain == "a\tb\n緑茶\t1,200\n'=1+1\t$x^2$"
    assert "<table" in html and "Tea" not in html
    prose.get_by_role("button", name="Copy CSV").click()
    expect(prose.locator("[data-copy=copy-csv]")).to_have_text("Copied")
    csv = 'a,b\r\n緑茶,"1,200"\r\n\'=1+1,$x^2$\r\n'
    assert chat.page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n") == csv.replace("\r\n", "\n")
    with chat.page.expect_download() as download:
        prose.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "table.csv"
    assert download.value.path().read_bytes() == b"\xef\xbb\xbf" + csv.encode()

    # A selection: its formulas are whole, and it has none of the page's colors.
    prose.evaluate("(prose) => getSelection().selectAllChildren(prose.querySelector('p:last-of-type'))")
    chat.page.keyboard.press("Control+C")
    plain, html = copied()
    assert plain == "The formula $\\frac{a}{b}$ ends."
    assert "style" not in html and "\\frac{a}{b}" in html
    prose.evaluate("(prose) => getSelection().selectAllChildren(prose.querySelector('tbody'))")
    chat.page.keyboard.press("Control+C")
    assert "<td>緑茶</td>" in copied()[1] and "<table" in copied()[1]


def test_footnote_links_there_and_back(chat):
    prose = say(chat, "So it is[^1].\n\n" + f"{WORDS}\n\n" * 5 + "[^1]: As *they* say.")
    mark = prose.locator("sup").get_by_role("button", name="Footnote 1")
    mark.click()
    back = prose.get_by_role("button", name="Footnote 1: back to the text")
    expect(back).to_be_focused()
    expect(back).to_be_in_viewport()
    chat.page.keyboard.press("Enter")
    expect(mark).to_be_focused()
    expect(mark).to_be_in_viewport()


def test_footnote_name_precedes_its_text(chat):
    prose = say(chat, f"So it is[^far-away].\n\n[^far-away]: {WORDS}")
    name, text = (prose.locator(f".footnote > {tag}").bounding_box() for tag in ("button", "p"))
    first, second = prose.locator(".footnote > p").evaluate(
        "(p) => { const range = new Range(); range.selectNodeContents(p);"
        " const lines = range.getClientRects(); return [lines[0].left, lines[1].left] }"
    )
    assert first >= name["x"] + name["width"]
    assert second == text["x"] < first  # the other lines need no such room


def test_links_open_in_a_new_tab_and_show_their_target(chat):
    prose = say(chat, "[the page](https://example.com/a) and [https://bank.test](https://evil.test/)")
    link = prose.get_by_role("link", name="the page")
    expect(link).to_have_attribute("title", "https://example.com/a")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(prose.get_by_role("link", name="bank.test")).to_have_text("https://bank.test (evil.test)")


def test_remote_image_loads_on_a_click(chat):
    requests = loads(chat, "pictures.test")
    chat.page.context.route("https://pictures.test/**", lambda route: route.fulfill(body="a cat"))
    prose = say(chat, "![A cat](https://pictures.test/cat.png)")
    link = prose.get_by_role("link", name="Image: A cat (pictures.test)")
    expect(link).to_be_visible()
    expect(prose.locator("img")).to_have_count(0)
    assert requests == []
    with chat.page.expect_popup() as popup:
        link.click()
    popup.value.wait_for_url("https://pictures.test/cat.png")
    assert popup.value.evaluate("[opener, document.referrer]") == [None, ""]


def test_wide_content_scrolls_inside_a_narrow_page(new_context, site):
    phone = Chat(new_context(viewport={"width": 320, "height": 700}).new_page(), site).log_in()
    table = "|" + " heading |" * 9 + "\n|" + "---|" * 9 + "\n|" + " some words |" * 9
    prose = say(phone, f"{table}\n\n```\n{'x' * 300}\n```\n\n$$x = {'y + ' * 60} z$$\n\n{'w' * 300}\n\n`{'c' * 300}`")
    expect(prose.locator(".katex-display")).to_be_visible()
    for name in (".table-scroll", "pre", ".math--displayed"):
        box = prose.locator(name)
        assert box.evaluate("(box) => box.scrollWidth > box.clientWidth"), name
        expect(box).to_have_attribute("tabindex", "0")
    assert phone.page.evaluate("document.querySelector('.scroller').scrollWidth") <= 320


WATCH = """() => {
  window.lengths = []
  const look = () => {
    const text = document.querySelector(".message--reply .prose")?.textContent.length ?? 0
    if (text !== window.lengths.at(-1)) window.lengths.push(text)
    requestAnimationFrame(look)
  }
  look()
}"""


def test_bursts_of_text_are_smoothed(chat):
    chat.page.evaluate(WATCH)
    say(chat, WORDS[:1000], "bursts")
    lengths = chat.page.evaluate("window.lengths")
    steps = [after - before for before, after in pairwise(lengths)]
    assert len(steps) > 8  # of five bursts; how even they are, tests/js/pace.test.js tells without a display


def test_bursts_of_text_appear_in_few_steps_with_reduced_motion(new_context, site):
    calm = Chat(new_context(reduced_motion="reduce").new_page(), site).log_in()
    calm.page.evaluate(WATCH)
    say(calm, WORDS[:1000], "bursts")
    assert len(calm.page.evaluate("window.lengths")) <= 8


def test_selection_survives_new_text(chat):
    chat.choose("slow").send("Count")
    paragraphs = chat.replies.last.locator(".prose p")
    first = paragraphs.first
    expect(paragraphs.nth(1)).to_contain_text("13")
    first.evaluate("(p) => getSelection().setBaseAndExtent(p.firstChild, 2, p.firstChild, 7)")
    chosen = chat.page.evaluate("getSelection().toString()")
    assert chosen == "2 3 4"
    chat.wait_for_end()
    assert chat.page.evaluate("getSelection().toString()") == chosen


def at_end(chat):
    return chat.page.evaluate(
        "(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - clientHeight - scrollTop < 3)"
        "(document.querySelector('.scroller'))"
    )


@pytest.fixture
def low(new_context, site):
    """A window so low that ten lines fill it."""
    return Chat(new_context(viewport={"width": 900, "height": 420}).new_page(), site).log_in()


def test_end_stays_visible_until_the_user_scrolls_up(low):
    low.choose("slow").send("Count")
    expect(low.replies.last).to_contain_text("61")
    poll_until(lambda: at_end(low))  # the page scrolls once it has laid out what it has drawn
    low.page.locator(".scroller").hover()
    low.page.mouse.wheel(0, -150)
    button = low.page.get_by_role("button", name="Go to the latest message")
    expect(button).to_be_visible()
    top = low.page.locator(".scroller").evaluate("(box) => box.scrollTop")
    low.wait_for_end()
    assert low.page.locator(".scroller").evaluate("(box) => box.scrollTop") == top
    button.focus()
    low.page.keyboard.press("Enter")
    expect(button).to_be_hidden()
    poll_until(lambda: at_end(low))
    assert low.page.evaluate("document.activeElement !== document.body")  # the keyboard is somewhere


def test_selection_keeps_the_text_in_place(low):
    low.choose("slow").send("Count")
    expect(low.replies.last).to_contain_text("61")
    last = low.replies.last.locator("p").nth(5)
    box = last.bounding_box()
    low.page.mouse.move(box["x"] + 2, box["y"] + 8)
    low.page.mouse.down()
    low.page.mouse.move(box["x"] + 60, box["y"] + 8, steps=5)
    before = last.bounding_box()["y"]
    expect(low.replies.last).to_contain_text("85")
    assert last.bounding_box()["y"] == before
    low.page.mouse.up()
    low.wait_for_end()
    assert last.bounding_box()["y"] == before
    expect(low.page.get_by_role("button", name="Go to the latest message")).to_be_visible()


def test_long_replies_are_laid_out_only_where_visible(chat):
    prose = say(chat, "\n\n".join(f"## Part {number}\n\n{WORDS}" for number in range(12)), "mirror").last
    chunks = prose.locator(".prose__chunk")
    assert chunks.count() >= 3
    expect(chunks.last).to_be_in_viewport()
    seen = "(part) => part.checkVisibility({ contentVisibilityAuto: true })"
    assert chunks.last.locator("p").last.evaluate(seen)
    first = chunks.first.locator("p").first
    assert not first.evaluate(seen)
    first.scroll_into_view_if_needed()
    frame = "await new Promise((then) => requestAnimationFrame(then))"
    assert first.evaluate(f"async (part) => {{ while (!({seen})(part)) {frame}; return true }}")
