import json
import os
import urllib.request
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

OLLAMA_ANSWERS = 0.5  # seconds that an Ollama may take to tell its models
MOST_OF_OLLAMA = 20  # models that are offered; some people collect them
DESCRIPTIONS = {  # the rows hold them as they are here; the API translates them
    "Anthropic": gettext_noop("Answers by Anthropic's interface."),
    "Azure": gettext_noop("Answers by Azure's interface."),
    "Google": gettext_noop("Answers by Google's interface."),
    "Ollama": gettext_noop("Answers by Ollama's interface."),
    "OpenAI": gettext_noop("Answers by OpenAI's interface."),
}


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Chat")

    def ready(self):
        from . import language

        post_migrate.connect(offer_assistants, sender=self)
        language.watch_logins()


def offer_assistants(**kwargs):
    """After each migrate: the demonstration where there is nothing yet, and each vendor's as soon as there is a key."""
    from .models import Assistant

    if not Assistant.objects.exists():
        Assistant.objects.create(
            slug="demo",
            name="Demo",
            description=gettext_noop("Shows what a reply can hold. Needs no key, and no model reads what you write."),
            model="demo:",
            tools=["clock"],
            is_default=True,
        )
    if _set("OPENAI_API_KEY"):
        _offer("openai", "OpenAI", f"openai:{_set('OPENAI_MODEL') or 'gpt-5-mini'}")
    if _set("ANTHROPIC_API_KEY"):
        _offer("anthropic", "Anthropic", f"anthropic:{_set('ANTHROPIC_MODEL') or 'claude-sonnet-5-5'}")
    if _set("GOOGLE_API_KEY") or _set("GEMINI_API_KEY"):
        _offer("google", "Google", f"google_genai:{_set('GOOGLE_MODEL') or 'gemini-flash-latest'}")
    if _set("AZURE_OPENAI_API_KEY") and _set("AZURE_OPENAI_ENDPOINT") and _set("AZURE_OPENAI_DEPLOYMENT"):
        _offer("azure", "Azure", f"azure_openai:{_set('AZURE_OPENAI_DEPLOYMENT')}")


def offer_models_of_ollama():
    """An assistant for each model of the Ollama on this machine, or where OLLAMA_HOST says; none where none answers.

    Not after each migrate, which tests do without end: when the site is prepared to run.
    """
    chosen = _set("OLLAMA_MODEL")
    for name in [chosen] if chosen else models_of_ollama()[:MOST_OF_OLLAMA]:
        slug = slugify(name.replace(":", "-").replace("/", "-").replace(".", "-"))
        _offer(f"ollama-{slug}"[:50], "Ollama", f"ollama:{name}", sees_images=False)


def models_of_ollama():
    """The names of the models that it has for talking, or [] where none answers."""
    try:
        # Straight there: a proxy that the environment names is for the way out, and would keep us waiting.
        ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        with ask(f"{_address_of_ollama()}/api/tags", timeout=OLLAMA_ANSWERS) as answer:
            models = json.loads(answer.read(1_000_000))["models"]
        return [model["name"] for model in models if not _only_embeds(model)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _address_of_ollama():
    """OLLAMA_HOST as Ollama reads it: any of scheme, port and path may be missing."""
    host = _set("OLLAMA_HOST") or "127.0.0.1"
    parts = urlsplit(host if "://" in host else f"http://{host}")
    port = parts.port or (11434 if "://" not in host else {"https": 443}.get(parts.scheme, 80))
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "127.0.0.1"
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/')}"


def _only_embeds(model):
    family = (model.get("details") or {}).get("family") or ""
    return "embed" in model["name"] or "bert" in family


def _offer(slug, vendor, model, sees_images=True):
    """Make this assistant, once: whatever staff make of it stays so, also when they delete it."""
    from .models import Assistant, Offer

    if not Offer.objects.get_or_create(slug=slug)[1] or Assistant.objects.filter(slug=slug).exists():
        return
    Assistant.objects.create(
        slug=slug,
        name=model.partition(":")[2][:100],
        description=DESCRIPTIONS[vendor],
        model=model[:200],
        sees_images=sees_images,
        is_default=not Assistant.objects.filter(is_default=True).exclude(model="demo:").exists(),
    )


def _set(name):
    return os.environ.get(name, "").strip()
