"""`manage.py prepare`, and the assistants that it creates."""

from io import StringIO

from asgiref.sync import sync_to_async
from django.core.management import call_command

from chat.models import Assistant


async def prepare():
    """Runs the command. Returns what it printed about models, but not that it found no Ollama."""
    out = StringIO()
    await sync_to_async(call_command)("prepare", stdout=out, stderr=out, no_color=True)
    other_lines = ("First login", "(shown", "Open ", "No Ollama answers at http://127.0.0.1:9.")
    return [line for line in out.getvalue().splitlines() if not line.startswith(other_lines)]


async def rows():
    return {row.slug: row async for row in Assistant.objects.exclude(slug="demo")}


async def models():
    return {slug: row.model for slug, row in (await rows()).items()}
