"""A user's preferences and API keys."""

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.api_keys import KEY_PREFIX, SCOPES, digest_of
from chat.errors import Refused

MAX_KEYS_PER_USER = 100
USE_INTERVAL = timedelta(minutes=1)  # between two writes of a key's last use


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


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self) -> "ApiKeyQuerySet":
        """Returns the keys that have not expired and whose users are active."""
        is_current = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(is_current, user__is_active=True)

    def note_use(self, pk: int) -> None:
        """Stores that this key was used now, unless that was stored within the last USE_INTERVAL. Sync."""
        now = timezone.now()
        is_old = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_INTERVAL)
        self.filter(is_old, pk=pk).update(last_used_at=now)


class ApiKey(models.Model):
    """A key with which a program acts as its user: see chat.api_keys. A revoked key is deleted.

    The key itself is not stored, only its SHA-256 and its first characters, by which its user recognizes it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,  # the previous release, which does not know this table, can delete users
        related_name="api_keys",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=100, help_text=_("Where the key is used, such as “Notebook”."))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    start = models.CharField(_("key"), max_length=20, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    assistants = models.JSONField(
        _("assistants"), default=list, blank=True, help_text=_("Slugs of the only assistants that it may use.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    SHOWN_LENGTH = len(KEY_PREFIX) + 4  # characters

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(cls, user: Any, name: str, *, scopes: Collection[str] = SCOPES, **fields: Any) -> tuple["ApiKey", str]:
        """Creates a key and returns it with its text, which nobody can read again. Sync. Raises Refused."""
        row = cls(user=user, name=name, scopes=sorted(scopes), **fields)
        key = row.make_key()
        with transaction.atomic():
            if cls.objects.filter(user_id=user.pk).count() >= MAX_KEYS_PER_USER:
                raise Refused(gettext("You have too many API keys. Revoke some that you do not use."), "too_many_keys")
            row.save(force_insert=True)
        return row, key

    def make_key(self) -> str:
        """Gives this new row a random key and returns the key's text."""
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        self.digest = digest_of(key)
        self.start = key[: self.SHOWN_LENGTH]
        return key

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()
