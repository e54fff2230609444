"""The site as an app that one installs, and what it shows without a network."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat

pytestmark = pytest.mark.browser

# Resolves once the worker looks after this page. Waiting from outside would need eval, which the page's policy forbids.
WORKER = """navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller || new Promise((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', resolve)
})).then(() => true)"""
KEPT = """caches.keys().then((names) => Promise.all(names.map(async (name) =>
    (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).then((all) => all.flat())"""


@pytest.fixture
def app(new_context, site):
    tab = Chat(new_context(service_workers="allow").new_page(), site).log_in()
    assert tab.page.evaluate(WORKER)
    return tab


def test_app_is_installable_in_chromium(app):
    devtools = app.page.context.new_cdp_session(app.page)
    manifest = devtools.send("Page.getAppManifest")
    assert (manifest["url"], manifest["errors"]) == (f"{app.site}/manifest.webmanifest", [])
    errors = [error["errorId"] for error in devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    assert set(errors) <= {"in-incognito"}  # as every context of these tests is


def test_manifest_needs_no_login_and_describes_its_icons(new_context, site):
    page = new_context().new_page()
    page.goto(site + "/accounts/login/")
    manifest = page.request.get(site + "/manifest.webmanifest").json()
    assert (manifest["name"], manifest["display"]) == ("Chat", "standalone")
    assert (manifest["start_url"], manifest["scope"]) == ("/", "/")
    for icon in manifest["icons"]:
        sizes = page.evaluate(
            """(src) => new Promise((resolve, reject) => {
                const image = new Image()
                image.onload = () => resolve(`${image.naturalWidth}x${image.naturalHeight}`)
                image.onerror = reject
                image.src = src
            })""",
            icon["src"],
        )
        assert icon["sizes"] in (sizes, "any")


def test_offline_page_is_shown_until_the_network_returns(app):
    app.page.context.set_offline(True)
    app.page.reload()
    expect(app.page.get_by_role("heading", name="No connection")).to_be_visible()
    assert app.page.evaluate("getComputedStyle(document.querySelector('.card')).display") == "grid"  # with its looks
    assert app.page.locator("img").evaluate("(image) => image.decode().then(() => true)")
    app.page.context.set_offline(False)
    expect(app.page.get_by_label("Your message", exact=True)).to_be_visible()
    expect(app.page).to_have_url(app.site + "/")


def test_worker_caches_only_the_offline_page(app):
    app.choose("echo").send("A secret")
    app.wait_for_end()
    app.page.reload()
    expect(app.replies.last).to_contain_text("A secret")
    kept = app.page.evaluate(KEPT)
    styles = ("accessibility", "base", "buttons", "card", "fonts", "forms", "tokens")
    files = (*(f"css/{name}.css" for name in styles), "icon.svg", "js/pages/offline.js")
    font = "/static/vendor/fonts/geist-latin.woff2"
    assert sorted(kept) == ["/offline", *(f"/static/chat/{name}" for name in files), font]
    app.page.context.set_offline(True)
    lost = "fetch('/api/conversations').then(() => 'answered', () => 'lost')"
    assert app.page.evaluate(lost) == "lost"


def test_worker_is_never_served_from_cache(new_context, site):
    answer = new_context().new_page().request.get(site + "/worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert re.search(r'const PAGE = "/offline\?en"', answer.text())


def test_trusted_types_refuse_other_scripts(app):
    tried = app.page.evaluate(
        """() => {
            const results = []
            try { trustedTypes.createPolicy('mine', { createHTML: (text) => text }); results.push('made') }
            catch { results.push('refused') }
            try { document.body.innerHTML = '<b>x</b>'; results.push('written') }
            catch { results.push('refused') }
            try { trustedTypes.createPolicy('worker', { createHTML: (text) => text }); results.push('made') }
            catch { results.push('refused') }
            return results
        }"""
    )
    assert tried == ["refused"] * 3
