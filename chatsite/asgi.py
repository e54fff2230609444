"""The site as ASGI servers see it."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django.setup(set_prefix=False)  # before the imports below

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler  # noqa: E402
from servestatic import ServeStaticASGI  # noqa: E402

from chat import server  # noqa: E402
from chat.routing import websocket_urlpatterns  # noqa: E402

pages = server.bounded_send(server.bounded_body(server.few_threads(server.Django())))
sockets = server.same_origin(server.few_threads(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))))

if settings.DEBUG or not (settings.STATIC_ROOT / "staticfiles.json").exists():  # not collected
    pages = ASGIStaticFilesHandler(pages)
else:
    hashed = r"\.[0-9a-f]{12}\."  # such a name never means another content
    pages = ServeStaticASGI(pages, root=settings.STATIC_ROOT, prefix=settings.STATIC_URL, immutable_file_test=hashed)

application = ProtocolTypeRouter({"http": pages, "websocket": sockets, "lifespan": server.lifespan()})
