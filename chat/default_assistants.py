"""The assistants that the site creates by itself: a demo, and one for each vendor with an API key.

Each is created once. Staff may change or delete it, and it stays as they leave it.
"""

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_noop

from .models import Assistant, SeededAssistant
from .providers.responses_only import has_only_responses
from .providers.vision import is_known_to_see


@dataclass(frozen=True)
class Vendor:
    """A vendor's row: its assistant is created as soon as the environment has a key."""

    slug: str
    provider: str
    description: str  # stored in English; the API translates it
    key_variables: tuple[str, ...]  # any one of these
    model_variable: str
    default_model: str = ""  # empty: the model's variable is needed too
    other_variables: tuple[str, ...] = ()  # all of these too
    address_variable: str = ""  # of another server in place of the vendor's
    host: str = ""  # the vendor's
    has_eyes: bool = False  # whether all of the vendor's models see images

    def model(self) -> str:
        return _variable(self.model_variable) or self.default_model

    def is_configured(self) -> bool:
        has_key = any(_variable(name) for name in self.key_variables)
        return has_key and bool(self.model()) and all(_variable(name) for name in self.other_variables)

    def model_id(self) -> str:
        provider = self.provider
        if provider == "openai" and has_only_responses(self.model()) and not self.has_other_server():
            provider = "openai_responses"
        return f"{provider}:{self.model()}"

    def has_other_server(self) -> bool:
        address = _variable(self.address_variable) if self.address_variable else ""
        return bool(address) and (urlsplit(address).hostname or "") != self.host

    def sees_images(self) -> bool:
        """Returns whether the model is known to see images. Another server may serve any model as the default one."""
        if self.has_other_server():
            return is_known_to_see(_variable(self.model_variable))
        return self.has_eyes or is_known_to_see(self.model())


VENDORS = (
    Vendor(
        slug="openai",
        provider="openai",
        description=gettext_noop("Answers through the OpenAI API."),
        key_variables=("OPENAI_API_KEY",),
        model_variable="OPENAI_MODEL",
        default_model="gpt-5-mini",
        address_variable="OPENAI_BASE_URL",
        host="api.openai.com",
    ),
    Vendor(
        slug="anthropic",
        provider="anthropic",
        description=gettext_noop("Answers through the Anthropic API."),
        key_variables=("ANTHROPIC_API_KEY",),
        model_variable="ANTHROPIC_MODEL",
        default_model="claude-sonnet-5-5",
        address_variable="ANTHROPIC_BASE_URL",
        host="api.anthropic.com",
        has_eyes=True,
    ),
    Vendor(
        slug="google",
        provider="google_genai",
        description=gettext_noop("Answers through the Google API."),
        key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        model_variable="GOOGLE_MODEL",
        default_model="gemini-flash-latest",
        address_variable="GOOGLE_GEMINI_BASE_URL",
        host="generativelanguage.googleapis.com",
        has_eyes=True,
    ),
    Vendor(
        slug="azure",
        provider="azure_openai",
        description=gettext_noop("Answers through the Azure API."),
        key_variables=("AZURE_OPENAI_API_KEY",),
        model_variable="AZURE_OPENAI_DEPLOYMENT",
        other_variables=("AZURE_OPENAI_ENDPOINT",),
    ),
)
DEMO_DESCRIPTION = gettext_noop(
    "Shows what a reply can contain. It needs no API key, and no model reads what you write."
)
DEMO_STARTERS = [gettext_noop("Show me what an answer can contain."), gettext_noop("How do I connect a real model?")]
STARTERS = [  # stored in English; the API translates them
    gettext_noop("What can you help me with?"),
    gettext_noop("Explain in three sentences how a rainbow forms."),
    gettext_noop("Write a friendly email that declines an invitation."),
    gettext_noop("Plan a weekend in Kyoto."),
]


def create_default_assistants(**kwargs) -> None:
    """Receives Django's `post_migrate`: the demo if there is no assistant yet, and the vendors with a key."""
    if not Assistant.objects.exists():
        Assistant.objects.create(
            slug="demo",
            name="Demo",
            description=DEMO_DESCRIPTION,
            model="demo:",
            tools=["clock"],
            starters=DEMO_STARTERS,
            is_default=True,
        )
    for vendor in VENDORS:
        if vendor.is_configured():
            create_once(vendor.slug, vendor.model_id(), vendor.description, sees_images=vendor.sees_images())


def create_once(slug: str, model: str, description: str, **fields: Any) -> bool:
    """Creates the assistant unless it was created before, even if staff have deleted it since.

    Returns whether it was created now.
    """
    _row, is_new = SeededAssistant.objects.get_or_create(slug=slug)
    if not is_new or Assistant.objects.filter(slug=slug).exists():
        return False
    has_default = Assistant.objects.filter(is_default=True).exclude(model="demo:").exists()
    Assistant.objects.create(
        slug=slug,
        name=model.partition(":")[2][:100],
        description=description,
        model=model[:200],
        starters=STARTERS,
        is_default=not has_default,
        **fields,
    )
    return True


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()
