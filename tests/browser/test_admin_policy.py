"""The admin's pages under the content security policy, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat

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


def test_djangos_scripts_still_need_html_from_text(browser, site):
    """When this fails, the admin can have Trusted Types as the chat has: see SECURITY.md."""
    context = browser.new_context()  # not the fixture's: script errors are expected here
    reviewer = Chat(context.new_page(), site).log_in("bob")
    reviewer.page.add_init_script(COLLECT)

    def require_trusted_types(route):
        answer = route.fetch()
        policy = answer.headers["content-security-policy"] + "; require-trusted-types-for 'script'"
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    reviewer.page.route("**/admin/auth/group/add/", require_trusted_types)
    reviewer.open("/admin/auth/group/add/")
    found = reviewer.page.evaluate("violations")
    context.close()
    assert any("require-trusted-types-for" in violation and "jquery" in violation for violation in found), found
