"""The site, with the assistants of the page's tests."""

from chat import providers
from chatsite.asgi import application  # noqa: F401  first: it sets Django up for the import below

providers.REGISTRY["browser"] = "tests.browser.provider"
