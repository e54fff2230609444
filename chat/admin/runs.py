from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import providers
from ..models import Conversation, Run
from .base import OwnerFilter, ReadOnlyAdmin, can_view, parse_uuid
from .formats import EMPTY_VALUE, format_duration, format_error, format_status, format_time, format_usage, run_durations

# With arguments and results of tools
APPROVALS: tuple[Any, Any] = (_("Approvals"), {"fields": ["interrupts", "resumes", "decisions"]})


class RunOwnerFilter(OwnerFilter):
    owner_field = "conversation__owner"


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    change_form_template = "admin/chat/read_only.html"
    date_hierarchy = "created_at"
    list_display = ["status_badge", "model", "assistant", "owner", "created", "duration", "tokens", "error_code"]
    list_filter = ["status", "created_at", RunOwnerFilter, "assistant", ("model", admin.AllValuesFieldListFilter)]
    search_fields = ["id", "conversation__owner__username", "error_code", "error_message"]
    search_help_text = _("Search usernames and errors, or enter the ID of a run, an answer or a conversation.")
    fieldsets = [
        (None, {"fields": ["status_badge", "error", "advice", "error_code", "finish_reason", "notice"]}),
        (
            _("Details"),
            {"fields": ["owner", "conversation_link", "assistant_name", "model", "language", "time_zone", "id"]},
        ),
        (_("Times"), {"fields": ["created", "started", "first_token", "finished", "durations"]}),
        (_("Usage"), {"fields": ["usage_by_call"]}),
        APPROVALS,
        (_("Internals"), {"fields": ["attempts", "last_seq", "process_id", "was_cancelled", "idempotency_key"]}),
    ]

    def contains(self, word):
        condition = (
            Q(conversation__owner__username__icontains=word)
            | Q(error_code__icontains=word)
            | Q(error_message__icontains=word)
        )
        if pk := parse_uuid(word):
            condition |= Q(pk=pk) | Q(message=pk) | Q(conversation=pk)
        return condition

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("assistant", "conversation__owner")
        return rows.filter(conversation__deleted_at=None, conversation__is_temporary=False)

    def get_fieldsets(self, request, obj=None):
        if can_view(request, Conversation):
            return self.fieldsets
        return [fieldset for fieldset in self.fieldsets if fieldset is not APPROVALS]

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        obj.can_view_conversation = can_view(request, Conversation)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, run):
        return format_status(run.status)

    @admin.display(description=_("error"))
    def error(self, run):
        return format_error(run) or EMPTY_VALUE

    @admin.display(description=_("what to do"))
    def advice(self, run):
        params = run.assistant.params if run.assistant else {}
        return providers.advice(run.error_code, run.model, params) or EMPTY_VALUE

    @admin.display(description=_("owner"), ordering="conversation__owner__username")
    def owner(self, run):
        return run.conversation.owner

    @admin.display(description=_("conversation"))
    def conversation_link(self, run):
        """Shows the title only to staff who may read conversations: it often is the beginning of the first message."""
        if not run.can_view_conversation:
            return run.conversation_id
        page = reverse("admin:chat_conversation_change", args=[run.conversation_id])
        return format_html('<a href="{0}?message={1}#message-{1}">{2}</a>', page, run.message_id, run.conversation)

    @admin.display(description=_("assistant"))
    def assistant_name(self, run):
        return run.assistant or EMPTY_VALUE

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, run):
        return format_time(run.created_at)

    @admin.display(description=_("started"))
    def started(self, run):
        return format_time(run.started_at) or EMPTY_VALUE

    @admin.display(description=_("first token"))
    def first_token(self, run):
        return format_time(run.first_token_at) or EMPTY_VALUE

    @admin.display(description=_("finished"))
    def finished(self, run):
        return format_time(run.finished_at) or EMPTY_VALUE

    @admin.display(description=_("duration"))
    def duration(self, run):
        return format_duration(run.created_at, run.finished_at)

    @admin.display(description=_("durations"))
    def durations(self, run):
        return format_html_join(gettext(", "), "{} {}", run_durations(run)) or EMPTY_VALUE

    @admin.display(description=_("tokens"))
    def tokens(self, run):
        usage = run.total_usage
        if not usage:
            return None
        total = usage.get("total_tokens", usage.get("input_tokens", 0) + usage.get("output_tokens", 0))
        return number_format(total, force_grouping=True)

    @admin.display(description=_("notice"))
    def notice(self, run):
        return run.notice or EMPTY_VALUE

    @admin.display(description=_("cancel requested"))
    def was_cancelled(self, run):
        return gettext("yes") if run.cancel_requested else gettext("no")

    @admin.display(description=_("model calls"))
    def usage_by_call(self, run):
        calls = [(f"{call.get('provider', '')}:{call.get('model', '')}", format_usage(call)) for call in run.usage]
        if len(calls) > 1:
            calls.append((gettext("total"), format_usage(run.total_usage)))
        return format_html_join("", "<div>{}: {}</div>", calls) or EMPTY_VALUE
