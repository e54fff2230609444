import re
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from .. import tools
from ..models import ToolServer
from .base import WIDE_FIELDS, BaseAdmin
from .rows_fields import COMMAND, HEADERS, VARIABLES
from .tools_field import keep_tools


class ToolServerForm(forms.ModelForm):
    command = COMMAND
    env = VARIABLES
    headers = HEADERS

    def clean_url(self):
        url = self.cleaned_data["url"]
        if url and not self._is_http_url(url):
            raise ValidationError(gettext("The URL must start with http:// or https:// and contain no spaces."))
        return url

    @staticmethod
    def _is_http_url(url):
        try:
            parts = urlsplit(url)
            is_complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            return False
        return bool(is_complete and re.fullmatch("[!-~]+", url))

    def clean(self):
        super().clean()  # a slug that another server has is refused
        transport = self.cleaned_data.get("transport")
        command = self.cleaned_data.get("command", ["refused"])
        if transport == ToolServer.STDIO and not (command and command[0].strip()):
            self.add_error("command", gettext("A stdio server needs a command."))
        if transport == ToolServer.HTTP and self.cleaned_data.get("url") == "":
            self.add_error("url", gettext("An HTTP server needs a URL."))


@admin.register(ToolServer)
class ToolServerAdmin(BaseAdmin):
    """A command runs on this machine, so only superusers set it. Other staff see the servers without their details."""

    form = ToolServerForm
    formfield_overrides = WIDE_FIELDS
    change_form_template = "admin/chat/toolserver.html"
    list_display = ["slug", "transport", "is_enabled"]
    search_fields = ["slug"]

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser

    def get_fieldsets(self, request, obj=None):
        fieldsets: list[tuple[Any, Any]] = [(None, {"fields": ["slug", "transport", "is_enabled"]})]
        if request.user.is_superuser:
            fieldsets += [
                (_("Local process"), {"fields": ["command", "env"]}),
                (_("Remote server"), {"fields": ["url", "headers"]}),
            ]
        return fieldsets

    def get_urls(self):
        view = self.admin_site.admin_view(require_POST(self.tools_view))
        return [path("<int:pk>/tools/", view, name="chat_toolserver_tools"), *super().get_urls()]

    def tools_view(self, request, pk):
        """Shows the tools that the server offers now. A POST, because it may start the server's command."""
        server = get_object_or_404(ToolServer, pk=pk)
        if not self.has_view_permission(request, server):
            raise PermissionDenied
        offered, problem = [], None
        try:
            offered = async_to_sync(tools.server_tools)(server)
            keep_tools(server, offered)
        except tools.ToolError as error:
            problem = str(error)
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": server.slug, "original": server, "offered": offered, "problem": problem}
        return TemplateResponse(request, "admin/chat/toolserver_tools.html", context)
