"""The site with the provider that says what the page's tests want to hear."""

from chat import providers

providers.REGISTRY["browser"] = "tests.browser.provider"

from chatsite.asgi import application  # noqa: E402, F401
