"""Pages of the admin."""

from django.urls import reverse

ASSISTANTS, CONVERSATIONS, RUNS = (f"/admin/chat/{model}/" for model in ("assistant", "conversation", "run"))
DEMO = {"name": "Demo", "slug": "demo-two", "model": "demo:", "max_model_calls": "3", "is_enabled": "on"}


async def get_page(client, path):
    response = await client.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


def change_url(row):
    return reverse(f"admin:chat_{row._meta.model_name}_change", args=[row.pk])
