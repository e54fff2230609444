import logging
import resource
import sys

import uvicorn
from django.conf import settings
from django.core.management import BaseCommand
from django.utils.module_loading import import_string

from chat.asgi.send_timeout import SEND_TIMEOUT
from chat.connections import Connections
from chat.uvicorn_internals import HttpProtocol, State, WebSocketProtocol, proxies

SHUTDOWN_TIMEOUT = 20  # seconds; readers are told to leave at once, see chat.asgi.lifespan
STARTUP_FAILURE = 3  # exit code, as of uvicorn's own command

logger = logging.getLogger("chat.serve")


class Command(BaseCommand):
    help = "Run the production server: uvicorn, with limits on connections and on what they send."

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--log-level", default="info", choices=list(uvicorn.config.LOG_LEVELS))
        parser.add_argument("--no-access-log", action="store_true", help="do not log each request")

    def handle(self, *, host, port, log_level, no_access_log, **options):
        config = uvicorn.Config(
            import_string(settings.ASGI_APPLICATION),
            host=host,
            port=port,
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_max_size=settings.MAX_BODY_BYTES,
            ws_per_message_deflate=False,  # 2.5 kB would become 2.5 MB, in the event loop
            forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
            access_log=not no_access_log,
            log_config=None,  # uvicorn's own would take the handlers of LOGGING away from its messages
            log_level=log_level,
        )
        server = uvicorn.Server(config)
        server.server_state = State(
            Connections(
                max_connections(raise_file_limit()),
                settings.MAX_CONNECTIONS_PER_ADDRESS,
                idle_timeout=settings.HEAD_TIMEOUT,
                send_timeout=SEND_TIMEOUT,
                is_proxy=proxies(settings.FORWARDED_ALLOW_IPS).__contains__,
            )
        )
        server.run()
        if not server.started:
            sys.exit(STARTUP_FAILURE)


def raise_file_limit() -> int:
    """Returns how many files this process may open, after asking for as many as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS says that there is no limit, and has one
        hard = soft
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def max_connections(max_files: int) -> int:
    """Returns MAX_CONNECTIONS, or fewer where the system allows few files; models and the database need some, too."""
    limit = min(settings.MAX_CONNECTIONS, max_files * 3 // 4)
    if limit < settings.MAX_CONNECTIONS:
        sentence = (
            "This process may open %s files, so it takes %s connections. Raise the limit (ulimit -n, LimitNOFILE)."
        )
        logger.warning(sentence, max_files, limit)
    return limit
