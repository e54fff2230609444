"""All of the JSON API under /api/: the core's calls and each app's router."""

from accounts.api import router as accounts
from chat.api import api

api.add_router("", accounts)

__all__ = ["api"]
