"""Staff edit assistants and tool servers here, and read conversations and runs, which are nobody's to change."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from asgiref.sync import async_to_sync, sync_to_async
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError, models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.forms.fields import InvalidJSONInput
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator, smart_split, unescape_string_literal
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from . import providers, tools
from .models import Assistant, Conversation, Message, Run, ToolServer

NOTHING = "-"  # as Django shows it
COUNTED = {
    "input": _("input"),
    "cached_input": _("cached input"),
    "output": _("output"),
    "reasoning": _("reasoning"),
    "total": _("total"),
}
DEEPEST = 4  # steps to the right in a transcript; branches of branches beyond them stay below each other

admin.site.site_header = admin.site.site_title = _("Chat administration")


class Careful(admin.ModelAdmin):
    """No actions on many rows at once; a question in the address that the database cannot read is no error of ours."""

    actions = None
    show_full_result_count = False

    class Media:
        css = {"all": ["chat/css/transcript.css"]}

    def get_changelist_instance(self, request):
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError):
            raise IncorrectLookupParameters from None


# Assistants -----------------------------------------------------------------------------------------------------------


class StrictJSON(forms.JSONField):
    """JSON that every database keeps: no NaN, no NUL, no half characters, no endless depth."""

    def to_python(self, value):
        try:
            read = super().to_python(value)
            written = json.dumps(read, allow_nan=False, ensure_ascii=False)
            written.encode()
        except (ValueError, RecursionError):
            raise self._invalid(value) from None
        if "\\u0000" in written:
            raise self._invalid(value)
        return read

    def bound_data(self, data, initial):
        return InvalidJSONInput(data or "")  # what was typed stays as it was typed

    def _invalid(self, value):
        return ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value})


class AssistantForm(forms.ModelForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "tools" in self.fields:
            servers = (f"mcp:{server.slug}" for server in ToolServer.objects.filter(is_enabled=True))
            known = {"names": ", ".join([*sorted(tools.REGISTRY), *servers])}
            self.fields["tools"].help_text += " " + gettext("There are: %(names)s.") % known
        if "ask_first" in self.fields:
            theirs = gettext("A server's tools are called SERVER_TOOL; mcp:SERVER is all of them.")
            self.fields["ask_first"].help_text += f" {theirs}"

    def clean(self):
        """Who could not answer is told what is missing: a provider, its package, its key, a param that is right."""
        fields = [self.cleaned_data.get(name) for name in ("model", "params", "tools")]
        if [type(value) for value in fields] == [str, dict, list]:  # about others there is a sentence already
            try:
                providers.check(*fields)
            except providers.ProviderError as error:
                self.add_error("model", str(error))

    def clean_tools(self):
        return self._known("tools")

    def clean_ask_first(self):
        """These may be single tools of a server, too; which it has is asked of it when it is used."""
        return self._known("ask_first", servers_tools=True)

    def _known(self, field, servers_tools=False):
        names = self.cleaned_data[field]
        enabled = dict(ToolServer.objects.values_list("slug", "is_enabled"))
        for name in names if isinstance(names, list) else ():
            if not isinstance(name, str):
                continue  # the model has a sentence for it
            slug = name.removeprefix("mcp:")
            if slug != name and slug not in enabled:
                raise ValidationError(gettext("There is no tool server called “%(server)s”.") % {"server": slug})
            if slug != name and not enabled[slug]:
                raise ValidationError(gettext("The tool server “%(server)s” is not enabled.") % {"server": slug})
            theirs = servers_tools and name.removeprefix("_").startswith(tuple(f"{slug}_" for slug in enabled))
            if slug == name and name not in tools.REGISTRY and not theirs:
                raise ValidationError(gettext("There is no tool called “%(tool)s”.") % {"tool": name})
        return [] if names is None else names

    def clean_params(self):
        params = self.cleaned_data["params"]
        return {} if params is None else params

    def _get_validation_exclusions(self):
        return super()._get_validation_exclusions() | {"is_default"}  # the last one made the default is the default


@admin.register(Assistant)
class AssistantAdmin(Careful):
    form = AssistantForm
    change_form_template = "admin/chat/assistant.html"
    formfield_overrides = {
        models.CharField: {"widget": AdminTextInputWidget(attrs={"class": "vLargeTextField"})},
        models.JSONField: {"form_class": StrictJSON, "widget": AdminTextareaWidget(attrs={"rows": 4})},
    }
    list_display = ["name", "slug", "model", "is_default", "is_enabled"]
    search_fields = ["name", "slug", "model"]
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "description", "starters", "is_enabled", "is_default"]}),
        (_("Model"), {"fields": ["model", "system_prompt", "params", "sees_images"]}),
        (_("Tools and limits"), {"fields": ["tools", "ask_first", "memory_turns", "max_model_calls"]}),
    ]

    def get_urls(self):
        return [path("<int:pk>/try/", require_POST(self.try_it), name="chat_assistant_try"), *super().get_urls()]

    async def try_it(self, request, pk):
        """Ask the model, as it is saved, one short question. Async: a thread that waited would hold up others."""
        assistant = await sync_to_async(self._changeable)(request, pk)
        try:
            words = await providers.first_words(assistant.model, assistant.params, assistant.system_prompt)
            said = {"model": assistant.model, "words": words}
            messages.success(request, gettext("%(model)s answers: “%(words)s”") % said)
        except providers.ProviderError as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:chat_assistant_change", args=[pk]))

    def _changeable(self, request, pk):
        if not (self.admin_site.has_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        return get_object_or_404(Assistant, pk=pk)


# Tool servers ---------------------------------------------------------------------------------------------------------


class ToolServerForm(forms.ModelForm):
    url = forms.CharField(  # Django's own rule for addresses knows no short names such as http://tools:8000/mcp
        required=False,
        max_length=200,
        widget=AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text=_("For HTTP: such as http://127.0.0.1:8931/mcp."),
    )

    def clean_command(self):
        command = self.cleaned_data["command"]
        if command is not None and not (isinstance(command, list) and all(isinstance(word, str) for word in command)):
            raise ValidationError(gettext("A command is a JSON list of texts: the program and its arguments."))
        return command or []

    def clean_env(self):
        sentence = gettext("Variables are a JSON object of names and texts.")
        return self._texts("env", r"[A-Za-z_]\w*", r".*", sentence)

    def clean_headers(self):
        sentence = gettext("Headers are a JSON object of names and texts.")
        return self._texts("headers", r"[\w!#$%&'*+.^`|~-]+", r"[ -~]*", sentence)

    def _texts(self, field, name, value, sentence):
        given = self.cleaned_data[field]
        fits = isinstance(given, dict | None) and all(
            re.fullmatch(name, key, re.ASCII) and isinstance(text, str) and re.fullmatch(value, text, re.DOTALL)
            for key, text in (given or {}).items()
        )
        if not fits:
            raise ValidationError(sentence)
        return given or {}

    def clean_url(self):
        url = self.cleaned_data["url"]
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            fits = False
        if url and not (fits and re.fullmatch("[!-~]+", url)):
            raise ValidationError(gettext("An address begins with http:// or https:// and has no spaces."))
        return url

    def clean(self):
        transport = self.cleaned_data.get("transport")
        if transport == ToolServer.STDIO and self.cleaned_data.get("command") in ([], [""]):
            self.add_error("command", gettext("A stdio server needs a command."))
        if transport == ToolServer.HTTP and self.cleaned_data.get("url") == "":
            self.add_error("url", gettext("A server over HTTP needs an address."))

    def _get_validation_exclusions(self):
        return super()._get_validation_exclusions() | {"url"}


@admin.register(ToolServer)
class ToolServerAdmin(Careful):
    """A command runs on this machine, so only superusers set one. Others see which servers there are, not how."""

    form = ToolServerForm
    formfield_overrides = AssistantAdmin.formfield_overrides
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
        how = [
            (_("A process here"), {"fields": ["command", "env"]}),
            (_("A server elsewhere"), {"fields": ["url", "headers"]}),
        ]
        fields = ["slug", "transport", "is_enabled"]
        return [(None, {"fields": fields}), *(how if request.user.is_superuser else [])]

    def get_urls(self):
        ask = self.admin_site.admin_view(require_POST(self.ask))
        return [path("<int:pk>/tools/", ask, name="chat_toolserver_tools"), *super().get_urls()]

    def ask(self, request, pk):
        """Which tools it offers now. A command runs for it, so it is a POST."""
        server = get_object_or_404(ToolServer, pk=pk)
        if not self.has_view_permission(request, server):
            raise PermissionDenied
        offered, problem = [], None
        try:
            offered = async_to_sync(tools.offered)(server)
        except tools.ToolError as error:
            problem = str(error)
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": server.slug, "original": server, "offered": offered, "problem": problem}
        return TemplateResponse(request, "admin/chat/toolserver_tools.html", context)


# What is only read ----------------------------------------------------------------------------------------------------


class ReadOnly(Careful):
    """Rows that staff with the permission to view them find and read; each word they search for must be somewhere."""

    list_per_page = 50

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_search_results(self, request, queryset, search_term):
        for word in smart_split(search_term):
            if word[0] in "\"'" and word[0] == word[-1]:
                word = unescape_string_literal(word)
            queryset = queryset.filter(self.holding(word))
        return queryset, False


class OwnerFilter(admin.SimpleListFilter):
    """By a name that is typed: a list of all people has no end."""

    title = _("owner")
    parameter_name = "owner"
    template = "admin/chat/owner_filter.html"

    def lookups(self, request, model_admin):
        return ()

    def has_output(self):
        return True

    def choices(self, changelist):
        kept = {name: value for name, value in changelist.params.items() if name != self.parameter_name}
        yield {"kept": kept, "everybody": changelist.get_query_string(remove=[self.parameter_name])}

    def queryset(self, request, queryset):
        if self.value():
            return queryset.filter(**{f"{self.owner}__username__iexact": self.value()})


class ConversationOwner(OwnerFilter):
    owner = "owner"


class RunOwner(OwnerFilter):
    owner = "conversation__owner"


class RunStatus(admin.SimpleListFilter):
    title = _("status of a run")
    parameter_name = "status"

    def lookups(self, request, model_admin):
        return [*Run.STATUSES.items()]

    def queryset(self, request, queryset):
        if self.value():
            return queryset.filter(pk__in=Run.objects.filter(status=self.value()).values("conversation"))


class Rating(admin.SimpleListFilter):
    """What its owner thinks of an answer in it."""

    title = _("rating")
    parameter_name = "rating"

    def lookups(self, request, model_admin):
        return [("up", _("a good answer")), ("down", _("a bad answer"))]

    def queryset(self, request, queryset):
        if self.value() in ("up", "down"):
            rated = Message.objects.filter(conversation=OuterRef("pk"), feedback__rating=self.value())
            return queryset.filter(Exists(rated))


@admin.register(Conversation)
class ConversationAdmin(ReadOnly):
    """Without what its owner deleted, and temporary ones, which are nobody's to read afterwards."""

    change_form_template = "admin/chat/transcript.html"
    fields = []  # the transcript shows them
    date_hierarchy = "updated_at"
    list_display = ["titled", "owner", "assistant", "messages_kept", "last_status", "updated"]
    list_filter = [RunStatus, Rating, ConversationOwner, "assistant", "updated_at"]
    search_fields = ["title", "owner__username", "messages__text", "id"]
    search_help_text = _("Words in the title, the owner's name or a message; or the id of a conversation.")

    def holding(self, word):
        said = Message.objects.order_by().filter(conversation=OuterRef("pk"), text__icontains=word)
        found = Q(title__icontains=word) | Q(owner__username__icontains=word) | Exists(said)
        return found | Q(pk=uuid_of(word)) if uuid_of(word) else found

    def get_queryset(self, request):
        inside = Message.objects.order_by().filter(conversation=OuterRef("pk")).values("conversation")
        runs = Run.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id")
        return (
            super()
            .get_queryset(request)
            .filter(deleted_at=None, is_temporary=False)
            .select_related("owner", "assistant")
            .annotate(
                message_count=Coalesce(Subquery(inside.values(count=Count("pk"))), 0),
                status=Subquery(runs.values("status")[:1]),
            )
        )

    @admin.display(description=_("title"), ordering="title")
    def titled(self, conversation):
        return Truncator(conversation).chars(100)

    @admin.display(description=_("messages"))
    def messages_kept(self, conversation):
        return number_format(conversation.message_count)

    @admin.display(description=_("last status"))
    def last_status(self, conversation):
        return badge(conversation.status)

    @admin.display(description=_("last activity"), ordering="updated_at")
    def updated(self, conversation):
        return moment(conversation.updated_at)

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        messages = obj.messages.select_related("run__assistant")
        context |= {
            "conversation": obj,
            "lines": [*transcript(messages)],
            "links": {
                "of_owner": link("conversation", owner=obj.owner.get_username()),
                "runs": link("run", q=obj.pk) if may_see(request, Run) else None,
            },
        }
        return super().render_change_form(request, context, add, change, form_url, obj)


@dataclass
class Line:
    """A message in its transcript."""

    message: Message
    answers: Message | None  # what it answers, where that is not the line above
    siblings: list  # itself included, by age
    place: int  # among them, from 1
    is_latest: bool  # on the way to the newest message, which is what its owner sees first
    depth: int  # how many times the way to it forked

    @property
    def before(self):
        return self.siblings[self.place - 2] if self.place > 1 else None

    @property
    def after(self):
        return self.siblings[self.place] if self.place < len(self.siblings) else None

    @property
    def step(self):
        return min(self.depth, DEEPEST)

    @property
    def run(self):
        return getattr(self.message, "run", None)

    @property
    def parts(self):
        for part in self.message.parts:
            if part["type"] == "tool_call":
                yield part | {"arguments": pretty(part["arguments"])}
            else:
                yield part | {"json": json.dumps(part, indent=2, ensure_ascii=False)}

    @property
    def status(self):
        return badge(self.run.status)

    @property
    def timings(self):
        return timings(self.run)

    @property
    def usage(self):
        return counts(self.run.total_usage)


def transcript(messages):
    """The whole tree from top to bottom, as Lines: each message before its answers, siblings by their age."""
    rows = {message.pk: message for message in messages}
    children = {}
    for message in rows.values():
        children.setdefault(message.parent_id, []).append(message)
    latest, step = set(), next(reversed(rows), None)
    while step is not None:
        latest.add(step)
        step = rows[step].parent_id

    def below(parent_id, depth):
        siblings = children.get(parent_id, [])
        depth += len(siblings) > 1
        return [(siblings, place, depth) for place in range(len(siblings), 0, -1)]

    above, waiting = None, below(None, 0)
    while waiting:
        siblings, place, depth = waiting.pop()
        message = siblings[place - 1]
        answers = None if message.parent_id in (None, above) else rows[message.parent_id]
        yield Line(message, answers, siblings, place, message.pk in latest, depth)
        above = message.pk
        waiting += below(message.pk, depth)


@admin.register(Run)
class RunAdmin(ReadOnly):
    change_form_template = "admin/chat/read_only.html"
    date_hierarchy = "created_at"
    list_display = ["state", "model", "assistant", "owner", "created", "duration", "tokens", "error_code"]
    list_filter = ["status", "created_at", RunOwner, "assistant", ("model", admin.AllValuesFieldListFilter)]
    search_fields = ["id", "conversation__owner__username", "error_code", "error_message"]
    search_help_text = _("Words in the owner's name or the error; or the id of a run, its reply or its conversation.")
    fieldsets = [
        (None, {"fields": ["state", "error_message", "error_code", "finish_reason", "notice"]}),
        (_("Who and what"), {"fields": ["owner", "talk", "with_assistant", "model", "language", "time_zone", "id"]}),
        (_("Times"), {"fields": ["created", "started", "first_token", "finished", "durations"]}),
        (_("Usage"), {"fields": ["usage_of_calls"]}),
        (_("Permission"), {"fields": ["interrupts", "resumes", "answers"]}),
        (_("Inside"), {"fields": ["attempts", "last_seq", "worker_id", "cancel_requested", "idempotency_key"]}),
    ]

    def holding(self, word):
        found = (
            Q(conversation__owner__username__icontains=word)
            | Q(error_code__icontains=word)
            | Q(error_message__icontains=word)
        )
        row = uuid_of(word)
        return found | Q(pk=row) | Q(message=row) | Q(conversation=row) if row else found

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("assistant", "conversation__owner")
        return rows.filter(conversation__deleted_at=None, conversation__is_temporary=False)

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        obj.may_be_read = may_see(request, Conversation)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description=_("status"), ordering="status")
    def state(self, run):
        return badge(run.status)

    @admin.display(description=_("owner"), ordering="conversation__owner__username")
    def owner(self, run):
        return run.conversation.owner

    @admin.display(description=_("conversation"))
    def talk(self, run):
        """The title only for those who may read it: it is the person's first words."""
        if not run.may_be_read:
            return run.conversation_id
        page = reverse("admin:chat_conversation_change", args=[run.conversation_id])
        return format_html('<a href="{}#message-{}">{}</a>', page, run.message_id, run.conversation)

    @admin.display(description=_("assistant"))
    def with_assistant(self, run):
        return run.assistant or NOTHING

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, run):
        return moment(run.created_at)

    @admin.display(description=_("started"))
    def started(self, run):
        return moment(run.started_at) or NOTHING

    @admin.display(description=_("first token"))
    def first_token(self, run):
        return moment(run.first_token_at) or NOTHING

    @admin.display(description=_("finished"))
    def finished(self, run):
        return moment(run.finished_at) or NOTHING

    @admin.display(description=_("duration"))
    def duration(self, run):
        return span(run.created_at, run.finished_at)

    @admin.display(description=_("it took"))
    def durations(self, run):
        return format_html_join(gettext(", "), "{} {}", timings(run)) or NOTHING

    @admin.display(description=_("tokens"))
    def tokens(self, run):
        usage = run.total_usage or {}
        total = usage.get("total_tokens", usage.get("input_tokens", 0) + usage.get("output_tokens", 0))
        return number_format(total, force_grouping=True) if usage else None

    @admin.display(description=_("notice"))
    def notice(self, run):
        return run.notice or NOTHING

    @admin.display(description=_("model calls"))
    def usage_of_calls(self, run):
        calls = [(f"{call.get('provider', '')}:{call.get('model', '')}", counts(call)) for call in run.usage]
        if len(calls) > 1:
            calls.append((gettext("together"), counts(run.total_usage)))
        return format_html_join("", "<div>{}: {}</div>", calls) or NOTHING


# For a person's eyes --------------------------------------------------------------------------------------------------


def may_see(request, model):
    return admin.site.get_model_admin(model).has_view_permission(request)


def link(model, **query):
    """The list of that model, as found by the query."""
    return f"{reverse(f'admin:chat_{model}_changelist')}?{urlencode(query)}"


def uuid_of(word):
    try:
        return UUID(word)
    except ValueError:
        return None


def badge(status):
    return format_html('<span class="status status--{}">{}</span>', status, Run.STATUSES[status]) if status else None


def moment(time):
    return localtime(time).strftime("%Y-%m-%d %H:%M:%S") if time else None


def span(start, end):
    """The time from one moment to another, or None while one of them has not come."""
    if not (start and end):
        return None
    seconds = max(0, (end - start).total_seconds())  # two processes, two clocks
    if seconds < 60:
        return gettext("%(seconds)s s") % {"seconds": f"{seconds:.2f}"}
    minutes, seconds = divmod(int(seconds), 60)
    return gettext("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": seconds}


def timings(run):
    """(what, how long) of what has happened yet: in line, until the model's first word, from question to end."""
    spans = [
        (gettext("waited"), span(run.created_at, run.started_at)),
        (gettext("to first token"), span(run.started_at, run.first_token_at)),
        (gettext("whole"), span(run.created_at, run.finished_at)),
    ]
    return [(what, long) for what, long in spans if long]


def counts(usage):
    """Token counts in words, such as `12 input, 34 output, 46 total`; a database may have mixed their order."""
    told = {name.removesuffix("_tokens"): count for name, count in (usage or {}).items() if name.endswith("_tokens")}
    names = [name for name in COUNTED if name in told] + sorted(told.keys() - COUNTED.keys())
    one = gettext("%(count)s %(tokens)s")  # such as: 12 input
    return gettext(", ").join(
        one % {"count": number_format(told[name], force_grouping=True), "tokens": COUNTED.get(name, name)}
        for name in names
    )


def pretty(text):
    """JSON text with its lines and characters readable; any other text as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
