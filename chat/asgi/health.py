"""/health, answered before everything else."""

from ..health import HEALTHY
from .base import Application

PATH = "/health"


def answer_health(application: Application) -> Application:
    """Answers GET /health itself: without a thread, the database, a session or a body, whatever else is busy."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(HEALTHY)).encode())]

    async def wrapped(scope, receive, send):
        if scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            return await application(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else HEALTHY})

    return wrapped
