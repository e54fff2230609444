"""The base classes and helpers of the admin."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.db import DataError, models
from django.db.models import Q
from django.urls import reverse
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import NaturalKey
from .json_field import StrictJSONField

WIDE_FIELDS: dict[type[models.Field], dict[str, Any]] = {
    models.CharField: {"widget": AdminTextInputWidget(attrs={"class": "vLargeTextField"})},
    models.JSONField: {"form_class": StrictJSONField, "widget": AdminTextareaWidget(attrs={"rows": 4})},
}

MAX_SEARCH_LENGTH = 200  # characters, as in the search of the page
MAX_SEARCH_WORDS = 20  # each reads the whole table
SLOW_LOOKUPS = {"regex", "iregex"}  # SQLite evaluates these with Python's re, which may take forever


class NaturalChangeList(ChangeList):
    """A list that orders names naturally, whichever column staff sort it by."""

    def get_ordering(self, request, queryset):
        orders = super().get_ordering(request, queryset)
        return [expression for order in orders for expression in (*self._natural(order), order)]

    def _natural(self, order):
        name = order.removeprefix("-") if isinstance(order, str) else ""
        if name not in self._names():
            return []
        return [NaturalKey(name).desc() if order[0] == "-" else NaturalKey(name).asc()]

    def _names(self):
        texts = (models.CharField, models.TextField)
        return {field.name for field in self.lookup_opts.fields if isinstance(field, texts) and not field.choices}


class BoundedMixin:
    """Limits the searches and filters of staff; an invalid query string shows Django's error page instead of a 500."""

    def get_changelist(self, request, **kwargs):
        return NaturalChangeList

    def get_changelist_instance(self, request):
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc]
        except (ValueError, OverflowError, DataError):
            raise IncorrectLookupParameters from None

    def lookup_allowed(self, lookup, value, request):
        is_slow = lookup.rpartition("__")[2] in SLOW_LOOKUPS
        return not is_slow and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]

    def get_search_results(self, request, queryset, search_term):
        """Finds nothing for a search that is too long, and says so."""
        if is_searchable(search_term):
            return self.search_rows(request, queryset, search_term)
        sentence = gettext("Search for at most %(words)s words and %(characters)s characters.")
        messages.error(request, sentence % {"words": MAX_SEARCH_WORDS, "characters": MAX_SEARCH_LENGTH})
        return queryset.none(), False

    def search_rows(self, request, queryset, search_term):
        return super().get_search_results(request, queryset, search_term)  # type: ignore[misc]


def is_searchable(search_term: str) -> bool:
    is_short = len(search_term) <= MAX_SEARCH_LENGTH and len(search_term.split()) <= MAX_SEARCH_WORDS
    return is_short and "\0" not in search_term


class BaseAdmin(BoundedMixin, admin.ModelAdmin):
    """The admin of all our models: no bulk actions."""

    actions = None
    show_full_result_count = False

    class Media:
        css = {"all": ["chat/css/admin.css"]}


class ReadOnlyAdmin(BaseAdmin):
    """Rows that staff with the view permission can search and read, and nobody can change."""

    list_per_page = 50

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def contains(self, word: str) -> Q:
        """Returns the condition that a row contains the word."""
        raise NotImplementedError

    def search_rows(self, request, queryset, search_term):
        """Finds the rows that contain each word, or each "phrase in quotes"."""
        for word in search_words(search_term):
            queryset = queryset.filter(self.contains(word))
        return queryset, False


def search_words(search_term: str) -> list[str]:
    """Returns the words and the "phrases in quotes" that a search looks for."""
    words = list(smart_split(search_term))
    is_phrase = [word[0] in "\"'" and word[0] == word[-1] for word in words]
    return [unescape_string_literal(word) if quoted else word for word, quoted in zip(words, is_phrase, strict=True)]


class OwnerFilter(admin.SimpleListFilter):
    """Filters by a username that is typed, because a list of all users could be very long."""

    title = _("owner")
    parameter_name = "owner"
    template = "admin/chat/owner_filter.html"
    owner_field: str

    def lookups(self, request, model_admin):
        return ()

    def has_output(self):
        return True

    def choices(self, changelist):
        other_params = {name: value for name, value in changelist.params.items() if name != self.parameter_name}
        yield {"other_params": other_params, "all_url": changelist.get_query_string(remove=[self.parameter_name])}

    def queryset(self, request, queryset):
        if self.value():
            return queryset.filter(**{f"{self.owner_field}__username__iexact": self.value()})


def can_view(request, model):
    return admin.site.get_model_admin(model).has_view_permission(request)


def list_url(model_name, **query):
    return f"{reverse(f'admin:chat_{model_name}_changelist')}?{urlencode(query)}"


def parse_uuid(word):
    """Returns the UUID, or None if the word is not one."""
    try:
        return UUID(word)
    except ValueError:
        return None
