"""The form of an assistant: fields that people understand, in place of the JSON that is stored."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import providers
from ..models import Assistant
from .json_field import StrictJSONField
from .provider_choices import FIELDS, PARAMS, WITH_ADDRESS, param_name, provider_choices, split_params
from .tools_field import ToolsField

TIME_LIMITS = {  # field -> the setting that applies where it is empty
    "first_token_seconds": "FIRST_TOKEN_SECONDS",
    "silence_seconds": "SILENCE_SECONDS",
    "run_seconds": "RUN_SECONDS",
}
EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh"]
SERVER_PARAMS = ("base_url", "api_key_env")


class ModelNameInput(forms.TextInput):
    def render(self, name, value, attrs=None, renderer=None):
        return render_to_string("admin/chat/model_name.html", self.get_context(name, value, attrs))


class AssistantForm(forms.ModelForm):
    may_bind_keys = False  # set for superusers
    may_list_tools = False  # set for staff who may view tool servers
    is_trial = False  # set to show the form again, with what was typed and without saving

    provider = forms.ChoiceField(label=_("provider"), help_text=_("Who runs the model, and whether its key is set."))
    model_name = forms.CharField(
        label=_("model"),
        max_length=200,
        required=False,
        widget=ModelNameInput,
        help_text=_(
            "The model's name as its provider spells it, such as gpt-5-mini. For LangChain: VENDOR:MODEL. For a "
            "function of your own: its dotted path. “Ask the server” lists the names."
        ),
    )
    base_url = forms.CharField(
        label=_("server address"),
        required=False,
        widget=AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text=_("Only if the model is not on the provider's own server, such as http://gpu.example:8000/v1."),
    )
    api_key_env = forms.CharField(
        label=_("API key variable"),
        required=False,
        widget=AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text=_(
            "Only for a key other than the provider's usual one: the name of the environment variable that holds it. "
            "The key itself is never entered here."
        ),
    )
    temperature = forms.FloatField(
        label=_("temperature"),
        required=False,
        min_value=0,
        help_text=_(
            "How varied answers are. 0: nearly always the same, 1: varied. Leave empty for the model's default."
        ),
    )
    max_tokens = forms.IntegerField(
        label=_("answer length limit"),
        required=False,
        min_value=1,
        help_text=_("In tokens, about three quarters of an English word each. Leave empty for the model's default."),
    )
    reasoning_effort = forms.CharField(
        label=_("reasoning effort"),
        required=False,
        widget=forms.Select,
        help_text=_("How long the model thinks before it answers, if it can. More is slower and costs more."),
    )
    other_params = StrictJSONField(
        label=_("other parameters"),
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text=_('Sent to the model unchanged. A JSON object such as {"top_p": 0.9}.'),
    )
    tool_choice = ToolsField(label=_("tools"))
    starter_lines = forms.CharField(
        label=_("starters"),
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Suggestions for a first message, one per line."),
    )
    sees_images = forms.TypedChoiceField(
        label=_("supports images"),
        choices=[("", _("No")), ("on", _("Yes"))],
        coerce=bool,
        empty_value="",
        required=False,
        help_text=_("Whether the model accepts images. “Ask the server” above fills this in if the server reports it."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.fields.keys() >= TIME_LIMITS.keys():  # staff who may only view get a form without fields
            return
        row = self.instance
        params = row.params if isinstance(row.params, dict) else {}
        provider, _colon, model = (row.model or "openai:").partition(":")
        values, others = split_params(provider, params)
        texts = {name: others.pop(name) for name in SERVER_PARAMS if isinstance(others.get(name), str)}
        self.before = {"model": row.model, "params": params}
        self.fields["model_name"].widget.attrs["assistant"] = row.pk or ""
        self.fields["provider"].choices = provider_choices(provider)  # type: ignore[attr-defined]
        efforts = list(dict.fromkeys([*EFFORTS, *filter(None, [values.get("reasoning_effort")])]))
        self.fields["reasoning_effort"].widget.choices = [("", "–"), *((effort, effort) for effort in efforts)]
        starters = row.starters if isinstance(row.starters, list) else []
        initial: dict[str, Any] = {"provider": provider, "model_name": model, "other_params": others, **values, **texts}
        initial["starter_lines"] = "\n".join(map(str, starters))
        initial["sees_images"] = "on" if row.sees_images else ""
        tool_field = self.fields["tool_choice"]
        assert isinstance(tool_field, ToolsField)
        if self.may_list_tools:
            page = "admin:chat_assistant_tools" if row.pk else "admin:chat_assistant_tools_new"
            tool_field.widget.list_url = reverse(page, args=[row.pk] if row.pk else [])
        initial["tool_choice"] = tool_field.load(row.tools, row.ask_first, row.ask_every_time)
        self.initial = {**initial, **self.initial, "sees_images": initial["sees_images"]}
        for form_field in self.fields.values():
            form_field.label = capfirst(form_field.label)
        for name, setting in TIME_LIMITS.items():
            self.fields[name].widget.attrs["placeholder"] = getattr(settings, setting)
        having = {field: " ".join(name for name, fields in PARAMS.items() if field in fields) for field in FIELDS}
        having |= dict.fromkeys(SERVER_PARAMS, " ".join(sorted(WITH_ADDRESS)))
        for field, names in having.items():  # the page hides the fields that the chosen provider does not have
            self.fields[field].widget.attrs["data-providers"] = names

    def is_valid(self):
        return super().is_valid() and not self.is_trial

    def clean_other_params(self):
        params = self.cleaned_data["other_params"]
        if params in (None, ""):
            return {}
        if not isinstance(params, dict):
            raise forms.ValidationError(gettext("Parameters must be a JSON object."))
        for name in (*SERVER_PARAMS, *(name for names in self._names().values() for name in names)):
            field = next((field for field, names in self._names().items() if name in names), name)
            if name in params and self.cleaned_data.get(field) not in (None, ""):
                sentence = gettext("“%(name)s” has a field of its own above. Remove it here, or empty that field.")
                raise forms.ValidationError(sentence % {"name": name})
        return params

    def _names(self):
        return PARAMS.get(self.cleaned_data.get("provider", ""), {})

    def clean_slug(self):
        """A copy gets a slug of its own."""
        slug = self.cleaned_data["slug"]
        if not self._is_copy():
            return slug
        taken = set(Assistant.objects.filter(slug__startswith=slug[:40]).values_list("slug", flat=True))
        free = (f"{slug[:40]}-{number}" for number in range(2, len(taken) + 3))
        return slug if slug not in taken else next(name for name in free if name not in taken)

    def clean_name(self):
        name = self.cleaned_data["name"]
        if self._is_copy() and Assistant.objects.filter(name=name).exists():
            return (gettext("%(name)s (copy)") % {"name": name})[:100]
        return name

    def clean_sees_images(self):
        return bool(self.cleaned_data["sees_images"])

    def clean_is_default(self):
        return self.cleaned_data["is_default"] and not self._is_copy()

    def _is_copy(self):
        return "_saveasnew" in self.data

    def clean(self):
        """Rejects an assistant whose model cannot be used and names the cause: unknown provider, missing package or
        key, wrong parameter.
        """
        super().clean()  # a slug that another assistant has is refused
        if "tool_choice" in self.cleaned_data:
            row = self.instance
            row.tools, row.ask_first, row.ask_every_time = self.cleaned_data["tool_choice"]
        lines = self.cleaned_data.get("starter_lines", "").splitlines()
        self.instance.starters = [line.strip() for line in lines if line.strip()]
        for field in FIELDS:
            if self.cleaned_data.get(field) not in (None, "") and field not in self._names():
                self.add_error(field, gettext("This provider has no such setting. Leave the field empty."))
        if self.errors:
            return
        provider, name = self.cleaned_data["provider"], self.cleaned_data["model_name"].strip()
        self.instance.model = f"{provider}:{name}"
        self.instance.params = self._params(provider)
        if len(self.instance.model) > 200:
            self.add_error("model_name", gettext("The name is too long."))
            return
        try:
            providers.check(
                self.instance.model,
                self.instance.params,
                self.instance.tools,
                may_bind_keys=self.may_bind_keys or not self._server_changed(),
            )
        except providers.ProviderError as error:
            self.add_error("model_name", str(error))

    def _params(self, provider):
        params = dict(self.cleaned_data["other_params"])
        for name in SERVER_PARAMS:
            if value := self.cleaned_data[name].strip():
                params[name] = value
        for field in FIELDS:
            value = self.cleaned_data.get(field)
            if value not in (None, ""):
                before = self.before["params"]
                params[param_name(provider, field, before, params.get("base_url", ""))] = value
        return params

    def _server_changed(self):
        """Returns whether the key or the address, which a superuser may have chosen, would be another one."""
        before = self.before | {"model": self.before["model"] or ""}
        now = {"model": self.instance.model, "params": self.instance.params}
        return self.instance.pk is None or server_of(before) != server_of(now)


def server_of(values):
    """Returns what decides which key goes where."""
    params = values["params"]
    return values["model"].partition(":")[0], params.get("base_url"), params.get("api_key_env")
