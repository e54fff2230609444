"""The admin's pages under the content security policy, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.attachments import attach, chips
from tests.browser.chat import Chat, id_of

pytestmark = pytest.mark.browser

PATHS = [
    "/admin/",
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",
    "/admin/auth/group/add/",
    "/admin/chat/assistant/",
    "/admin/chat/assistant/1/change/",
    "/admin/chat/toolserver/add/",
    "/admin/chat/conversation/",
    "/admin/chat/run/",
]
COLLECT = """
    globalThis.violations = []
    addEventListener('securitypolicyviolation', ({ violatedDirective, sourceFile, blockedURI }) =>
        violations.push(`${violatedDirective} ${blockedURI} ${sourceFile}`))
"""


@pytest.fixture
def reviewer(new_context, site):
    chat = Chat(new_context().new_page(), site).log_in("bob")
    chat.page.add_init_script(COLLECT)
    return chat


def test_admin_pages_violate_no_policy(reviewer, start_conversation):
    conversation = start_conversation("To be reviewed")
    for path in [*PATHS, f"/admin/chat/conversation/{conversation}/change/"]:
        reviewer.open(path)
        expect(reviewer.page.locator("#header")).to_be_visible()
        assert reviewer.page.evaluate("violations") == [], path


@pytest.mark.parametrize("path", ["chat/toolserver/add/", "chat/assistant/1/change/"])
def test_forms_fit_a_phone(new_context, site, path):
    """Each field is as high as its content, with its help right below and nothing to scroll."""
    phone = Chat(new_context(viewport={"width": 390, "height": 780}).new_page(), site).log_in("bob")
    phone.open(f"/admin/{path}")
    fields = phone.page.locator(".form-row :is(.rows, .tools, .model-name)")
    assert fields.count() > 0
    for field in fields.all():
        box, scroll = (
            field.bounding_box(),
            field.evaluate("({scrollWidth, scrollHeight}) => [scrollWidth, scrollHeight]"),
        )
        assert scroll[0] <= box["width"]
        last = field.locator("> :visible").last.bounding_box()
        assert -1 <= box["y"] + box["height"] - (last["y"] + last["height"]) <= 8
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_transcript_is_drawn_and_has_its_source(reviewer, start_conversation):
    conversation = start_conversation("**Bold** and `code`", assistant="mirror")
    reviewer.open(f"/admin/chat/conversation/{conversation}/change/")
    page = reviewer.page
    expect(page.locator(".row--drawn")).to_have_count(2)
    expect(page.locator(".row--assistant [data-part=text] strong", has_text="Bold")).to_be_visible()
    source = page.locator(".row--assistant .text", has_text="**Bold** and `code`").last
    expect(source).to_be_hidden()
    button = page.get_by_role("button", name="Source text")
    button.click()
    expect(source).to_be_visible()
    expect(page.locator(".row--assistant [data-part=text] strong").first).to_be_hidden()
    expect(button).to_have_attribute("aria-pressed", "true")


def test_assistant_form_lists_the_models_of_its_server(reviewer, model_server):
    page = reviewer.page
    reviewer.open("/admin/chat/assistant/add/")
    page.get_by_label("Provider").select_option("demo")
    expect(page.get_by_label("Temperature")).to_be_hidden()
    page.get_by_label("Provider").select_option("openai")
    page.get_by_label("Server address").fill(model_server.base_url)
    page.get_by_role("button", name="Ask the server").click()
    expect(page.locator("[data-ref=server-answer]")).to_contain_text("scripted")
    assert page.evaluate("violations") == []


def test_djangos_scripts_still_need_html_from_text(browser, site):
    """When this fails, the admin can have Trusted Types as the chat has: see SECURITY.md."""
    context = browser.new_context()  # not the fixture's: script errors are expected here
    reviewer = Chat(context.new_page(), site).log_in("bob")

    def require_trusted_types(route):
        answer = route.fetch()
        policy = answer.headers["content-security-policy"] + "; require-trusted-types-for 'script'"
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    reviewer.page.route("**/admin/auth/group/add/", require_trusted_types)
    with reviewer.page.expect_event("pageerror", lambda error: "requires 'TrustedHTML'" in error.message) as refusal:
        reviewer.open("/admin/auth/group/add/")
    assert "jquery" in refusal.value.stack
    context.close()


def test_transcript_draws_a_file_with_what_was_read(reviewer, chat):
    chat.open().choose("reader")
    attach(chat, {"name": "minutes.txt", "mimeType": "", "buffer": b"Minutes of Monday"})
    expect(chips(chat)).to_contain_text("TXT · 17 bytes")
    chat.send("Read this.")
    chat.wait_for_end()
    reviewer.open(f"/admin/chat/conversation/{id_of(chat)}/change/")
    page = reviewer.page
    file = page.locator(".row--user .row__drawn .row__file")
    expect(file.get_by_role("link", name="minutes.txt")).to_have_attribute("href", re.compile("^/api/attachments/"))
    expect(file).to_contain_text("TXT")
    file.get_by_role("link", name="Extracted text").click()
    expect(page.locator(".file-text")).to_have_text("Minutes of Monday")
    expect(page.locator(".file-text")).to_have_css("white-space", "pre-wrap")  # long lines break
    assert page.evaluate("violations") == []
