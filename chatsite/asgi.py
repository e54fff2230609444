"""The site as ASGI servers see it."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django.setup(set_prefix=False)  # before the imports below

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from servestatic import ServeStaticASGI  # noqa: E402

from chat.asgi.base import Application  # noqa: E402
from chat.asgi.bodies import limit_body  # noqa: E402
from chat.asgi.bursts import spread_bursts  # noqa: E402
from chat.asgi.headers import limit_headers  # noqa: E402
from chat.asgi.health import answer_health  # noqa: E402
from chat.asgi.lifespan import lifespan  # noqa: E402
from chat.asgi.origins import SameOriginValidator  # noqa: E402
from chat.asgi.send_timeout import limit_send_time  # noqa: E402
from chat.asgi.threads import share_database_threads  # noqa: E402
from chat.backends import limits  # noqa: E402
from chat.django_internals import LeanASGIHandler  # noqa: E402
from chat.live.authentication import authenticate  # noqa: E402
from chat.live.routing import close_during_outages, no_such_socket, websocket_urlpatterns  # noqa: E402
from chat.storage import add_headers  # noqa: E402

if settings.RUNNER == "worker":
    raise ImproperlyConfigured("RUNNER=worker executes runs and serves nobody: start it with manage.py runworker.")
limits.set_for_servers()

pages: Application = limit_send_time(limit_body(share_database_threads(LeanASGIHandler())))
# Channels' types name one form of ASGI application of several.
sessions = authenticate(URLRouter([*websocket_urlpatterns, no_such_socket]))
sockets = SameOriginValidator(share_database_threads(close_during_outages(sessions)))

if settings.DEBUG or not (settings.STATIC_ROOT / "staticfiles.json").exists():  # not collected
    pages = ASGIStaticFilesHandler(pages)  # type: ignore[arg-type]  # any application will do
else:
    hashed = r"\.[0-9a-f]{12}\."  # such a name means the same content for ever
    pages = ServeStaticASGI(
        pages,
        root=settings.STATIC_ROOT,
        prefix=settings.STATIC_URL,
        immutable_file_test=hashed,
        allow_all_origins=False,
        add_headers_function=add_headers,
    )

site = ProtocolTypeRouter(
    {"http": answer_health(spread_bursts(pages)), "websocket": spread_bursts(sockets), "lifespan": lifespan}
)
application = limit_headers(site)
