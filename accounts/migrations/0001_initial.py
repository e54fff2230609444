
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Preferences",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="preferences",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "instructions",
                    models.TextField(
                        blank=True,
                        help_text="Included in every request to an assistant.",
                        max_length=5000,
                        verbose_name="instructions",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=accounts.models.language_choices,
                        help_text="Leave empty to use the browser's language.",
                        max_length=10,
                        verbose_name="language",
                    ),
                ),
                (
                    "theme",
                    models.CharField(
                        blank=True,
                        choices=[("", "Same as device"), ("light", "Light"), ("dark", "Dark")],
                        default="",
                        max_length=10,
                        verbose_name="theme",
                    ),
                ),
                (
                    "send_key",
                    models.CharField(
                        choices=[("enter", "Enter"), ("ctrl+enter", "Ctrl + Enter")],
                        default="enter",
                        max_length=12,
                        verbose_name="send key",
                    ),
                ),
                (
                    "transport",
                    models.CharField(
                        choices=[("sse", "Server-sent events"), ("websocket", "WebSocket")],
                        default="sse",
                        max_length=10,
                        verbose_name="transport",
                    ),
                ),
                ("shows_steps", models.BooleanField(default=True, verbose_name="show steps")),
            ],
            options={
                "verbose_name": "preferences",
                "verbose_name_plural": "preferences",
            },
        ),
    ]
