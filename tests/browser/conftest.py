import pytest
from playwright.sync_api import expect, sync_playwright

from scripts.debian import chromium
from tests.browser.accessibility import LOCALES, Tab
from tests.browser.chat import Chat, id_of
from tests.browser.provider import ASSISTANTS
from tests.server_process import Site, Upstream

ASSISTANT_FIELDS = {  # slug -> fields besides those that all assistants have
    "seer": {"sees_images": True},
    "small": {"context_window": 300},
    "echo": {"starters": ["Say hello", "Say **goodbye**"]},
}
AGENT_TOOLS = {"mathematician": "calculator", "secretary": "send_mail"}  # slug -> tool; see tests.browser.tools
TIMEOUT = 60_000  # ms; long enough for a busy machine
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def model_server():
    """A scripted OpenAI-compatible server process, behind the assistant `openai`."""
    upstream = Upstream()
    yield upstream
    upstream.close()


def create_site(folder, model_server, module="tests.browser.asgi", **environment):
    """Returns a server, not started yet, with the assistants of tests.browser.provider."""
    openai = {"OPENAI_BASE_URL": model_server.base_url, "OPENAI_API_KEY": "sk-test", "OPENAI_MODEL": "scripted"}
    rows = [
        {"slug": slug, "name": slug.title(), "description": description, "model": f"browser:{slug}"}
        | ASSISTANT_FIELDS.get(slug, {})
        for slug, description in ASSISTANTS.items()
    ]
    for slug, tool in AGENT_TOOLS.items():
        rows.append({"slug": slug, "name": slug.title(), "model": "openai:use", "tools": [tool]})
    setup = (
        "from chat.models import Assistant\n"
        "demo = Assistant.objects.get(slug='demo'); demo.is_default = True; demo.starters = []; demo.save()\n"
        f"for row in {rows!r}: Assistant.objects.create(**row)"
    )
    return Site(folder, f"{module}.application", setup=setup, **openai, **environment)


@pytest.fixture(scope="session")
def site(tmp_path_factory, model_server):
    """The URL of a server with the users alice, bob and charlie, and the assistants of tests.browser.provider."""
    server = create_site(tmp_path_factory.mktemp("site"), model_server)
    yield server.start().url
    server.close()


@pytest.fixture(scope="session")
def short_timeouts_site(tmp_path_factory, model_server):
    """The URL of a server where a temporary chat is deleted after six seconds. Tests may change APPROVAL_SECONDS."""
    folder = tmp_path_factory.mktemp("short_timeouts")
    server = create_site(folder, model_server, "tests.browser.asgi_short_timeouts")
    yield server.start().url
    server.close()


@pytest.fixture(scope="session")
def browser():
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(browser):
    """`new_context()`: a new browser context. A script error in one of its pages fails the test."""
    contexts = []
    errors = []

    def create(**kwargs):
        # Tests cannot intercept the requests of a service worker. Only its own tests allow one.
        context = browser.new_context(**{"service_workers": "block", **kwargs})
        context.set_default_timeout(TIMEOUT)
        context.on("weberror", lambda error: errors.append(error.error))
        contexts.append(context)
        return context

    yield create
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def chat(new_context, site):
    """A tab in which Alice is logged in."""
    return Chat(new_context().new_page(), site).log_in()


@pytest.fixture
def start_conversation(chat):
    """`start_conversation(text)`: waits for the reply, and returns the conversation's id."""

    def start(text, assistant="echo"):
        chat.open().choose(assistant).send(text)
        chat.wait_for_end()
        return id_of(chat)

    return start


@pytest.fixture
def tab(chat):
    """Alice's tab, with a conversation of two questions and their replies."""
    for text in ("The first", "The second"):
        chat.choose("echo").send(text)
        chat.wait_for_end()
    return chat


@pytest.fixture
def open_elsewhere(new_context):
    """`open_elsewhere(tab)`: the tab's conversation in another browser of Alice's."""

    def new(tab):
        return Chat(new_context().new_page(), tab.site).log_in(path=tab.page.url.removeprefix(tab.site))

    return new


@pytest.fixture
def open_tab(new_context, site):
    """`open_tab("ja")`: Alice's tab in a browser of that language; `open_tab("ja", None)`: before her login."""

    def new_tab(language="en", name="alice", **options):
        page = new_context(locale=LOCALES[language], timezone_id="Asia/Tokyo", **options).new_page()
        return Tab(page, site).log_in(name) if name else Tab(page, site)

    return new_tab
