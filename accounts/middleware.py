"""Reads the preferences where the page needs them, and carries the language to the browser."""

from asgiref.sync import markcoroutinefunction

from . import locale
from .models import Preferences

# Names of the URLs that show preferences.
PAGES = {"new_chat", "conversation", "password", "password_changed", "api_keys"}


class PreferencesMiddleware:
    """Puts `request.preferences` on requests for the page, one query each; other requests pay nothing."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response):
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request):
        response = await self.get_response(request)
        locale.set_cookie(request, response)
        return response

    async def process_view(self, request, view, args, kwargs):
        if request.resolver_match.view_name not in PAGES:
            return
        user = await request.auser()
        if user.is_authenticated:
            request.preferences = await Preferences.of(user)
            locale.apply_preference(request, request.preferences.language)
