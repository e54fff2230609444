"""The form of a new API key, as its user fills it in."""

from datetime import timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models import Assistant

from .models import ApiKey

SCOPE_CHOICES = [
    ("chat", _("Ask assistants through OpenAI’s API (/v1)")),
    ("read", _("Read your chats and files")),
    ("write", _("Write in your chats, change and delete them")),
]
LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("One year")), ("", _("No expiry"))]  # days


class ApiKeyForm(forms.Form):
    name = forms.CharField(max_length=ApiKey._meta.get_field("name").max_length)
    scopes = forms.MultipleChoiceField(choices=SCOPE_CHOICES, initial=["chat"])
    assistants = forms.MultipleChoiceField(required=False)
    days = forms.ChoiceField(choices=LIFETIMES, required=False, initial="90")

    def __init__(self, data=None):
        super().__init__(data)
        offered = Assistant.objects.offered().values_list("slug", "name")
        self.fields["assistants"].choices = list(offered)  # type: ignore[attr-defined]

    def fields_of_key(self):
        """Returns the keyword arguments of `ApiKey.issue`."""
        data = self.cleaned_data
        expires_at = timezone.now() + timedelta(days=int(data["days"])) if data["days"] else None
        return {name: data[name] for name in ("name", "scopes", "assistants")} | {"expires_at": expires_at}
