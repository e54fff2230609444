from asgiref.sync import sync_to_async
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from .. import providers, tools
from ..models import Assistant, ToolServer
from .base import WIDE_FIELDS, BaseAdmin

TIME_LIMITS = {  # field -> the setting that counts where it is empty
    "first_token_seconds": "FIRST_TOKEN_SECONDS",
    "silence_seconds": "SILENCE_SECONDS",
    "run_seconds": "RUN_SECONDS",
}


class AssistantForm(forms.ModelForm):
    may_bind_keys = False  # set for superusers

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "tools" in self.fields:
            servers = (f"mcp:{server.slug}" for server in ToolServer.objects.filter(is_enabled=True))
            names = ", ".join([*sorted(tools.REGISTRY), *servers])
            self.fields["tools"].help_text += " " + gettext("Available: %(names)s.") % {"names": names}
        if "ask_first" in self.fields:
            sentence = gettext("The tools of a tool server are named SERVER_TOOL. Use mcp:SERVER for all of them.")
            self.fields["ask_first"].help_text += f" {sentence}"
        for field, setting in TIME_LIMITS.items():
            if field in self.fields:
                self.fields[field].widget.attrs["placeholder"] = getattr(settings, setting)

    def clean(self):
        """Rejects an assistant whose model cannot be used and names the cause: unknown provider, missing package or
        key, wrong parameter.
        """
        model = self.cleaned_data.get("model")
        params = self.cleaned_data.get("params")
        tool_names = self.cleaned_data.get("tools")
        if not (isinstance(model, str) and isinstance(params, dict) and isinstance(tool_names, list)):
            return  # the field that is wrong has an error already
        try:
            providers.check(model, params, tool_names, may_bind_keys=self.may_bind_keys or not self._server_changed())
        except providers.ProviderError as error:
            self.add_error("model", str(error))

    def _server_changed(self):
        """Returns whether the key or the address, which a superuser may have chosen, would be another one."""
        return self.instance.pk is None or _server_of(self.instance) != _server_of(self.cleaned_data)

    def clean_params(self):
        params = self.cleaned_data["params"]
        return {} if params is None else params

    def clean_tools(self):
        return self._clean_tool_names("tools")

    def clean_ask_first(self):
        """Also accepts single tools of a server. Whether the server has them is only known when it is used."""
        return self._clean_tool_names("ask_first", allow_server_tools=True)

    def _clean_tool_names(self, field, allow_server_tools=False):
        names = self.cleaned_data[field]
        if names is None:
            return []
        if isinstance(names, list):
            servers = dict(ToolServer.objects.values_list("slug", "is_enabled"))
            for name in names:
                if isinstance(name, str):  # the model's validation has a sentence for anything else
                    self._check_tool_name(name, servers, allow_server_tools)
        return names

    def _check_tool_name(self, name, servers, allow_server_tools):
        """Raises ValidationError for an unknown tool; `servers` maps slugs to whether the server is enabled."""
        if name.startswith("mcp:"):
            slug = name.removeprefix("mcp:")
            if slug not in servers:
                raise ValidationError(gettext("There is no tool server called “%(server)s”.") % {"server": slug})
            if not servers[slug]:
                raise ValidationError(gettext("The tool server “%(server)s” is not enabled.") % {"server": slug})
            return
        prefixes = tuple(f"{slug}_" for slug in servers)
        if allow_server_tools and name.removeprefix("_").startswith(prefixes):
            return
        if name not in tools.REGISTRY:
            raise ValidationError(gettext("There is no tool called “%(tool)s”.") % {"tool": name})


def _server_of(values):
    """Returns what decides which key goes where, of an assistant or of a form's cleaned data."""
    if isinstance(values, Assistant):
        values = Assistant.objects.values("model", "params").get(pk=values.pk)  # the form has changed the instance
    params = values["params"]
    return values["model"].partition(":")[0], params.get("base_url"), params.get("api_key_env")


@admin.register(Assistant)
class AssistantAdmin(BaseAdmin):
    form = AssistantForm
    change_form_template = "admin/chat/assistant.html"
    formfield_overrides = WIDE_FIELDS
    list_display = ["name", "slug", "model", "is_default", "is_enabled"]
    search_fields = ["name", "slug", "model"]
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "description", "starters", "is_enabled", "is_default"]}),
        (_("Model"), {"fields": ["model", "system_prompt", "params", "sees_images"]}),
        (
            _("Tools and limits"),
            {"fields": ["tools", "ask_first", "memory_turns", "context_window", "max_model_calls"]},
        ),
        (_("Time limits"), {"fields": list(TIME_LIMITS)}),
    ]

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.may_bind_keys = request.user.is_superuser  # type: ignore[attr-defined]  # ours, from `form` above
        return form

    def get_urls(self):
        return [path("<int:pk>/try/", require_POST(self.try_view), name="chat_assistant_try"), *super().get_urls()]

    async def try_view(self, request, pk):
        """Asks the saved model one short question. Async, because a waiting thread would hold up other requests."""
        assistant = await sync_to_async(self._get_changeable)(request, pk)
        try:
            answer = await providers.try_model(assistant.model, assistant.params, assistant.system_prompt)
            values = {"model": assistant.model, "answer": answer}
            messages.success(request, gettext("%(model)s answered: “%(answer)s”") % values)
        except providers.ProviderError as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:chat_assistant_change", args=[pk]))

    def _get_changeable(self, request, pk):
        if not (self.admin_site.has_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        return get_object_or_404(Assistant, pk=pk)
