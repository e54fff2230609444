import os

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self):
        post_migrate.connect(offer_assistants, sender=self)


def offer_assistants(**kwargs):
    """After each migrate: the demonstration where there is nothing yet, and OpenAI's as soon as there is a key."""
    from .models import Assistant

    if not Assistant.objects.exists():
        Assistant.objects.create(
            slug="demo",
            name="Demo",
            description="Shows what a reply can hold. Needs no key, and no model reads what you write.",
            model="demo:",
            tools=["clock"],
            is_default=True,
        )
    if os.environ.get("OPENAI_API_KEY") and not Assistant.objects.filter(slug="openai").exists():
        model = os.environ.get("OPENAI_MODEL") or "gpt-5-mini"
        Assistant.objects.create(
            slug="openai",
            name=model,
            description="Answers by OpenAI's interface.",
            model=f"openai:{model}",
            is_default=True,
        )
