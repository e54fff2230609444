"""A user's preferences."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


def language_choices() -> list[tuple[str, str]]:
    return settings.LANGUAGES


class Preferences(models.Model):
    """How the site looks, behaves and answers for one user. A user without a row has the defaults.

    The API takes its schema from these fields, and the settings dialog fills the controls of the same names.
    """

    class Theme(models.TextChoices):
        DEVICE = "", _("Same as device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    class SendKey(models.TextChoices):
        ENTER = "enter", _("Enter, except on phones")  # and tablets: where there is only an on-screen keyboard
        ENTER_ALWAYS = "enter-always", _("Enter, also on phones")
        CTRL_ENTER = "ctrl+enter", "Ctrl + Enter"

    class Notifications(models.TextChoices):
        OFF = "", _("Off")
        PLAIN = "plain", _("Without the title of the chat")
        TITLE = "title", _("With the title of the chat")

    class Transport(models.TextChoices):
        SSE = "sse", _("Server-sent events")
        WEBSOCKET = "websocket", _("WebSocket")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="preferences"
    )
    instructions = models.TextField(
        _("instructions"), blank=True, max_length=5000, help_text=_("Included in every request to an assistant.")
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        choices=language_choices,
        help_text=_("Leave empty to use the browser's language."),
    )
    theme = models.CharField(_("theme"), max_length=10, blank=True, choices=Theme, default=Theme.DEVICE)
    send_key = models.CharField(_("send key"), max_length=12, choices=SendKey, default=SendKey.ENTER)
    transport = models.CharField(_("transport"), max_length=10, choices=Transport, default=Transport.SSE)
    notifications = models.CharField(
        _("notifications"),
        max_length=10,
        blank=True,
        choices=Notifications,
        default=Notifications.OFF,
        db_default=Notifications.OFF,
        help_text=_("Browser notifications about chats while no page of the site is visible."),
    )
    shows_steps = models.BooleanField(_("show steps"), default=True)

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return f"Preferences of {self.user}"

    @classmethod
    async def of(cls, user) -> "Preferences":
        """Returns the user's preferences, the defaults where they have changed none. One query."""
        return await cls.objects.filter(user_id=user.pk).afirst() or cls(user_id=user.pk)

    @classmethod
    async def change(cls, user, **fields) -> "Preferences":
        """Writes these fields and no others, so that two tabs can change two of them at once; returns all."""
        row, _is_new = await cls.objects.aupdate_or_create(user_id=user.pk, defaults=fields)
        return row

    @classmethod
    def value_fields(cls) -> list[models.Field]:
        """The fields that are preferences: all but the user."""
        return [field for field in cls._meta.concrete_fields if not field.primary_key]

    def values(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in self.value_fields()}
