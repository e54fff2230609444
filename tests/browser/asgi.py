"""The site with the browser tests' provider and tools.

GET /gates/NAME opens a gate, see tests.browser.gates. After GET /approval-seconds/N, approval requests expire so soon.
"""

from urllib.parse import unquote

from chat import providers, tools

providers.REGISTRY["browser"] = "tests.browser.provider"
tools.REGISTRY["calculator"] = "tests.browser.tools.calculator"
tools.REGISTRY["send_mail"] = "tests.browser.tools.send_mail"

from django.conf import settings  # noqa: E402

from chatsite.asgi import application as site  # noqa: E402
from tests.browser.gates import gates  # noqa: E402

# Nearly every test logs in, and the default hasher takes a good part of a second for that.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


def set_approval_seconds(seconds):
    settings.APPROVAL_SECONDS = int(seconds)


COMMANDS = {"gates": lambda name: gates[name].set(), "approval-seconds": set_approval_seconds}


async def application(scope, receive, send):
    command, _, value = scope.get("path", "").removeprefix("/").partition("/")
    if scope["type"] != "http" or command not in COMMANDS:
        return await site(scope, receive, send)
    COMMANDS[command](unquote(value))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
