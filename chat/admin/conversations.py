from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from ..events import shorten
from ..models import Conversation, Message, Run
from .base import OwnerFilter, ReadOnlyAdmin, can_view, list_url, parse_uuid
from .formats import format_status, format_time
from .transcript import transcript


class ConversationOwnerFilter(OwnerFilter):
    owner_field = "owner"


class RunStatusFilter(admin.SimpleListFilter):
    title = _("run status")
    parameter_name = "status"

    def lookups(self, request, model_admin):
        return Run.Status.choices

    def queryset(self, request, queryset):
        if self.value():
            return queryset.filter(pk__in=Run.objects.filter(status=self.value()).values("conversation"))


class RatingFilter(admin.SimpleListFilter):
    """Finds conversations in which the owner rated an answer."""

    title = _("rating")
    parameter_name = "rating"

    def lookups(self, request, model_admin):
        return [("up", _("Good answer")), ("down", _("Bad answer"))]

    def queryset(self, request, queryset):
        if self.value() in ("up", "down"):
            rated = Message.objects.filter(conversation=OuterRef("pk"), feedback__rating=self.value())
            return queryset.filter(Exists(rated))


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Leaves out deleted and temporary conversations: nobody but their owner may read those."""

    change_form_template = "admin/chat/transcript.html"
    fields = []  # the transcript shows them
    date_hierarchy = "updated_at"
    list_display = ["short_title", "owner", "assistant", "message_count", "last_status", "updated"]
    list_filter = [RunStatusFilter, RatingFilter, ConversationOwnerFilter, "assistant", "updated_at"]
    search_fields = ["title", "owner__username", "messages__text", "id"]
    search_help_text = _("Search titles, usernames and messages, or enter a conversation ID.")

    def contains(self, word):
        messages = Message.objects.order_by().filter(conversation=OuterRef("pk"), text__icontains=word)
        condition = Q(title__icontains=word) | Q(owner__username__icontains=word) | Q(Exists(messages))
        if pk := parse_uuid(word):
            condition |= Q(pk=pk)
        return condition

    def get_queryset(self, request):
        messages = Message.objects.order_by().filter(conversation=OuterRef("pk")).values("conversation")
        runs = Run.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id")
        return (
            super()
            .get_queryset(request)
            .filter(deleted_at=None, is_temporary=False)
            .select_related("owner", "assistant")
            .annotate(
                message_count=Coalesce(Subquery(messages.values(count=Count("pk"))), 0),
                status=Subquery(runs.values("status")[:1]),
            )
        )

    @admin.display(description=_("title"), ordering="title")
    def short_title(self, conversation):
        return shorten(str(conversation), 100)

    @admin.display(description=_("messages"))
    def message_count(self, conversation):
        return number_format(conversation.message_count)

    @admin.display(description=_("last status"))
    def last_status(self, conversation):
        return format_status(conversation.status)

    @admin.display(description=_("last activity"), ordering="updated_at")
    def updated(self, conversation):
        return format_time(conversation.updated_at)

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        messages = obj.messages.select_related("run__assistant")
        context |= {
            "conversation": obj,
            "rows": list(transcript(messages)),
            "links": {
                "owner": list_url("conversation", owner=obj.owner.get_username()),
                "runs": list_url("run", q=obj.pk) if can_view(request, Run) else None,
            },
        }
        return super().render_change_form(request, context, add, change, form_url, obj)
