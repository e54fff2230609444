"""The environment of the checks and tests: without the settings and API keys of the developer who runs them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR_PREFIXES = (  # of the variables that model vendors and LangChain read
    "OPENAI_",
    "AZURE_",
    "ANTHROPIC_",
    "GOOGLE_",
    "GEMINI_",
    "OLLAMA_",
    "LANGSMITH_",
    "LANGCHAIN_",
)
SITE_PREFIXES = ("DATABASE_URL", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_", "MAX_", "SHUTDOWN_")


def clean_environment():
    """Returns the environment without the variables that configure the site or a model vendor."""
    excluded = SITE_PREFIXES + VENDOR_PREFIXES
    return {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
