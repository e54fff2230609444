"""Staff edit assistants and tool servers here, and read conversations and runs, which they cannot change."""

from django.contrib import admin
from django.utils.functional import lazy

from ..branding import admin_name
from . import assistants, conversations, runs, tool_servers, users

__all__ = ["assistants", "conversations", "runs", "tool_servers", "users"]

admin.site.site_header = admin.site.site_title = lazy(admin_name, str)()
