from urllib.parse import urlsplit

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Chat")

    def ready(self) -> None:
        from django.conf import settings

        from . import checks, redaction  # noqa: F401  # the first registers its checks
        from .default_assistants import create_default_assistants
        from .management.old_database import refuse_old_database

        redis_password = urlsplit(settings.REDIS_URL).password
        for secret in (settings.SECRET_KEY, settings.DATABASES["default"].get("PASSWORD"), redis_password):
            redaction.add_secret(secret)
        pre_migrate.connect(refuse_old_database, sender=self)
        post_migrate.connect(create_default_assistants, sender=self)
