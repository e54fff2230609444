"""Staff see which API keys there are and revoke them. Superusers make keys for accounts that programs use."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.admin.base import BaseAdmin
from chat.admin.formats import EMPTY_VALUE, format_time
from chat.models import Assistant

from .forms import SCOPE_CHOICES
from .models import ApiKey


class NewKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=SCOPE_CHOICES, initial=["chat"], widget=forms.CheckboxSelectMultiple
    )
    assistants = forms.MultipleChoiceField(
        label=_("assistants"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("If you choose none, the key may use all of them."),
    )

    class Meta:
        model = ApiKey
        fields = ["user", "name", "scopes", "assistants", "expires_at"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        offered = Assistant.objects.offered().values_list("slug", "name")
        self.fields["assistants"].choices = list(offered)  # type: ignore[attr-defined]

    def clean_user(self):
        """Returns the user. The key of a person's account would let staff read that person's chats."""
        user = self.cleaned_data["user"]
        if user.has_usable_password() or user.is_staff:
            sentence = gettext("Choose an account without a password that is not staff. Others make their own keys.")
            raise ValidationError(sentence)
        return user


@admin.register(ApiKey)
class ApiKeyAdmin(BaseAdmin):
    """A key cannot be changed: it is deleted, which revokes it, and another one is made."""

    form = NewKeyForm
    autocomplete_fields = ["user"]
    list_display = ["name", "user", "start", "scope_names", "created", "expires", "last_used"]
    list_select_related = ["user"]
    list_per_page = 50
    search_fields = ["name", "user__username", "start"]

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return False

    def get_fields(self, request, obj=None):
        shown = ["start", "created_at", "last_used_at"] if obj else []
        return ["user", "name", "scopes", "assistants", "expires_at", *shown]

    def save_model(self, request, obj, form, change):
        request.new_key = obj.make_key()
        super().save_model(request, obj, form, change)

    def response_add(self, request, obj, post_url_continue=None):
        """Shows the key, which is in no other response."""
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": obj.name, "original": obj, "new_key": request.new_key}
        return TemplateResponse(request, "admin/accounts/new_key.html", context)

    @admin.display(description=_("scopes"))
    def scope_names(self, key):
        return ", ".join(key.scopes)

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, key):
        return format_time(key.created_at)

    @admin.display(description=_("expires"), ordering="expires_at")
    def expires(self, key):
        return format_time(key.expires_at) or EMPTY_VALUE

    @admin.display(description=_("last used"), ordering="last_used_at")
    def last_used(self, key):
        return format_time(key.last_used_at) or EMPTY_VALUE
