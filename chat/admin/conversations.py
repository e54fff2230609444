from functools import reduce
from operator import or_

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from .. import search
from ..events import shorten
from ..folding import fold
from ..models import Attachment, Conversation, Message, Run, SearchText
from .base import OwnerFilter, ReadOnlyAdmin, can_view, list_url, parse_uuid, search_words
from .formats import EMPTY_VALUE, format_status, format_time
from .transcript import read_part

EXCERPT_LENGTH = 90  # characters
EXCERPT_CONTEXT_LENGTH = 30  # characters before a word that was found


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
        texts = SearchText.objects.filter(text__contains=fold(word))
        condition = Q(folded_title__contains=fold(word)) | Q(pk__in=texts.values("conversation"))
        condition |= Q(owner__username__icontains=word)
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

    def get_list_display(self, request):
        title, *others = self.list_display
        return [title, "match", *others] if request.GET.get(SEARCH_VAR, "").strip() else self.list_display

    @admin.display(description=_("message found"))
    def match(self, conversation):
        """Links to the newest message that contains one of the words."""
        if not getattr(conversation, "match_id", None):
            return EMPTY_VALUE
        page = reverse("admin:chat_conversation_change", args=[conversation.pk])
        message = Message(role=conversation.match_role, text=conversation.match_text)
        found = SearchText(message=message, file_names=conversation.match_file_names)
        words = conversation.match_words
        text = search.passage(search.text_near(found, words), words, EXCERPT_LENGTH, EXCERPT_CONTEXT_LENGTH)
        return format_html('<a href="{0}?message={1}#message-{1}">{2}</a>', page, conversation.match_id, text)

    def search_rows(self, request, queryset, search_term):
        rows, may_have_duplicates = super().search_rows(request, queryset, search_term)
        words = search_words(search_term)
        if not words:
            return rows, may_have_duplicates
        condition = reduce(or_, (Q(search_text__text__contains=fold(word)) for word in words))
        condition &= Q(search_text__conversation=OuterRef("pk"))
        found = Message.objects.filter(condition).order_by("-created_at", "-id")
        return rows.annotate(
            match_id=Subquery(found.values("pk")[:1]),
            match_text=Subquery(found.values("text")[:1]),
            match_role=Subquery(found.values("role")[:1]),
            match_file_names=Subquery(found.values("search_text__file_names")[:1]),
            match_words=Value(" ".join(words)),
        ), may_have_duplicates

    def get_urls(self):
        view = self.admin_site.admin_view(self.file_view)
        return [path("<uuid:pk>/files/<uuid:file_id>/", view, name="chat_conversation_file"), *super().get_urls()]

    def file_view(self, request, pk, file_id):
        """Shows the text that was read from a file of this conversation."""
        conversation = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, conversation):
            raise PermissionDenied
        files = Attachment.objects.filter(message__conversation=conversation, file__isnull=False)
        attachment = get_object_or_404(files.select_related("file"), pk=file_id)
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": str(attachment), "original": conversation}
        context |= {"attachment": attachment, "file": attachment.file}
        return TemplateResponse(request, "admin/chat/file.html", context)

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        number = request.GET.get("part", "")
        number = int(number) if number.isdecimal() and number.isascii() and len(number) < 6 else 0
        context |= {
            "conversation": obj,
            "part": read_part(obj, number, parse_uuid(request.GET.get("message", ""))),
            "links": {
                "owner": list_url("conversation", owner=obj.owner.get_username()),
                "runs": list_url("run", q=obj.pk) if can_view(request, Run) else None,
            },
        }
        return super().render_change_form(request, context, add, change, form_url, obj)
