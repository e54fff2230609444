from asgiref.sync import sync_to_async
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from .. import providers, tools
from ..models import Assistant, ToolServer
from .assistant_form import TIME_LIMITS, AssistantForm, server_of
from .base import WIDE_FIELDS, BaseAdmin, can_view
from .model_lists import list_models, params_of
from .tools_field import keep_tools

STORED_FIELDS = [  # what staff see who may not change it
    (None, {"fields": ["name", "slug", "description", "starters", "position", "is_enabled", "is_default"]}),
    (_("Model"), {"fields": ["model", "system_prompt", "params", "sees_images"]}),
    (_("Tools"), {"fields": ["tools", "ask_first", "ask_every_time", "max_model_calls"]}),
    (_("Limits"), {"fields": ["memory_turns", "context_window", *TIME_LIMITS]}),
]


@admin.register(Assistant)
class AssistantAdmin(BaseAdmin):
    form = AssistantForm
    change_form_template = "admin/chat/assistant.html"
    formfield_overrides = WIDE_FIELDS
    list_display = ["name", "slug", "model", "position", "is_default", "is_enabled"]
    list_filter = ["is_enabled"]
    search_fields = ["name", "slug", "model"]
    search_help_text = _("Search names, slugs and models.")
    prepopulated_fields = {"slug": ["name"]}
    save_as = True
    fieldsets = [
        (None, {"fields": ["name", "slug", "description", "starter_lines", "position", "is_enabled", "is_default"]}),
        (
            _("Model"),
            {"fields": ["provider", "base_url", "api_key_env", "model_name", "sees_images", "context_window"]},
        ),
        (_("How it answers"), {"fields": ["system_prompt", "temperature", "max_tokens", "reasoning_effort"]}),
        (_("Tools"), {"fields": ["tool_choice", "max_model_calls"]}),
        (_("Limits"), {"fields": ["memory_turns", *TIME_LIMITS]}),
        (_("Advanced"), {"fields": ["other_params"]}),
    ]

    def get_fieldsets(self, request, obj=None):
        return self.fieldsets if self._may_edit(request, obj) else STORED_FIELDS

    def _may_edit(self, request, obj):
        return self.has_change_permission(request, obj) if obj else self.has_add_permission(request)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.may_bind_keys = request.user.is_superuser  # type: ignore[attr-defined]  # ours, from `form` above
        form.may_list_tools = can_view(request, ToolServer)  # type: ignore[attr-defined]
        form.is_trial = getattr(request, "is_trial", False)  # type: ignore[attr-defined]
        return form

    def get_urls(self):
        return [
            path("models/", require_POST(self.models_view), name="chat_assistant_models"),
            path("try/", require_POST(self.try_view), name="chat_assistant_try_new"),
            path("<int:pk>/try/", require_POST(self.try_view), name="chat_assistant_try"),
            path("tools/", require_POST(self.tools_view), name="chat_assistant_tools_new"),
            path("<int:pk>/tools/", require_POST(self.tools_view), name="chat_assistant_tools"),
            *super().get_urls(),
        ]

    async def tools_view(self, request, pk=None):
        """Lists the tools of a server and shows the form again with a row for each, without saving it."""
        server = await sync_to_async(self._server_to_list)(request, pk)
        try:
            await sync_to_async(keep_tools)(server, await tools.server_tools(server))
        except tools.ToolError as error:
            messages.error(request, str(error))
        return await self._show_again(request, pk)

    def _server_to_list(self, request, pk):
        self._get_changeable(request, pk)
        if not can_view(request, ToolServer):
            raise PermissionDenied
        return get_object_or_404(ToolServer, slug=request.POST.get("list_tools", ""), is_enabled=True)

    async def try_view(self, request, pk=None):
        """Asks the model of the form one short question and shows the form again, without saving it.

        Async, because a waiting thread would hold up other requests.
        """
        form = await sync_to_async(self._checked_form)(request, pk)
        if not form.errors:
            await self._try(request, form.instance)
        return await self._show_again(request, pk)

    async def _show_again(self, request, pk):
        """Returns the page with what was typed, without saving it."""
        request.is_trial = True
        page = reverse("admin:chat_assistant_change", args=[pk]) if pk else reverse("admin:chat_assistant_add")
        return await sync_to_async(self.changeform_view)(request, str(pk) if pk else None, form_url=page)

    async def _try(self, request, assistant):
        try:
            answer = await providers.try_model(assistant.model, assistant.params, assistant.system_prompt)
            values = {"model": assistant.model, "answer": answer}
            messages.success(request, gettext("%(model)s answered: “%(answer)s” Nothing has been saved.") % values)
        except providers.ProviderError as error:
            messages.error(request, providers.with_advice(error, assistant.model, assistant.params))

    def _checked_form(self, request, pk):
        row = self._get_changeable(request, pk)
        fields = [field for _name, options in self.fieldsets for field in options["fields"]]
        form = self.get_form(request, row, change=row is not None, fields=fields)(request.POST, instance=row)
        form.is_valid()
        return form

    async def models_view(self, request):
        """Lists the models of the server that the form names, as JSON."""
        pk = request.POST.get("assistant", "")
        row = await sync_to_async(self._get_changeable)(request, int(pk) if pk.isdecimal() else None)
        names = ("provider", "base_url", "api_key_env", "model_name")
        provider, base_url, variable, model = (request.POST.get(name, "").strip()[:500] for name in names)
        now = {"model": f"{provider}:", "params": params_of(base_url, variable)}
        is_unchanged = row is not None and server_of({"model": row.model, "params": row.params}) == server_of(now)
        may_bind_keys = request.user.is_superuser or is_unchanged
        return JsonResponse(await list_models(provider, base_url, variable, model, may_bind_keys=may_bind_keys))

    def _get_changeable(self, request, pk):
        """Returns the row to change, or None where one is to be added."""
        if not self.admin_site.has_permission(request):
            raise PermissionDenied
        if pk is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
            return None
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Assistant, pk=pk)
