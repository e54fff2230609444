"""The site with the provider and the tools of the page's tests, and a door to their gates: GET /gates/NAME."""

from urllib.parse import unquote

from chat import providers, tools

providers.REGISTRY["browser"] = "tests.browser.provider"
tools.REGISTRY["calculator"] = "tests.browser.tools.calculator"
tools.REGISTRY["send_mail"] = "tests.browser.tools.send_mail"

from chatsite.asgi import application as site  # noqa: E402

from .gates import gates  # noqa: E402


async def application(scope, receive, send):
    if scope["type"] != "http" or not scope["path"].startswith("/gates/"):
        return await site(scope, receive, send)
    gates[unquote(scope["path"].removeprefix("/gates/"))].set()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
