"""Pages of the admin."""

import re
from html import unescape

from asgiref.sync import sync_to_async
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chat.models import Assistant

ASSISTANTS, CONVERSATIONS, RUNS = (f"/admin/chat/{model}/" for model in ("assistant", "conversation", "run"))
DEMO = {"name": "Demo", "slug": "demo-two", "provider": "demo", "max_model_calls": "3", "is_enabled": "on"}


async def get_page(client, path):
    response = await client.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


async def column_values(client, query="", path=CONVERSATIONS, column="short_title"):
    """Returns the values of that column of the list, from top to bottom."""
    html = await get_page(client, f"{path}?{query}")
    return [
        unescape(re.sub("<[^>]+>", "", cell))
        for cell in re.findall(f'field-{column}(?: nowrap)?">(.*?)</t[dh]>', html, re.S)
    ]


def change_url(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def posted_tools(bound):
    """Returns what a browser sends of the table of tools."""
    posted = {}
    for box in re.findall("<input[^>]+>", str(bound)):
        if " checked" in box or "hidden" in box:
            name, value = re.search('name="([^"]+)" value="([^"]+)"', unescape(box)).groups()
            posted.setdefault(name, []).append(value)
    return posted


async def assistant_of(run):
    return await Assistant.objects.aget(pk=run.assistant_id)


@sync_to_async
def count_queries(user, path):
    client = Client()
    client.force_login(user)
    client.get(path)  # fills the caches of the process
    with CaptureQueriesContext(connection) as context:
        assert client.get(path).status_code == 200
    return len(context)
