"""The lists of staff are in natural order: upper and lower case together, numbers by value."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from chat.admin.model_lists import list_models
from chat.models import Assistant, NaturalKey
from chat.natural_order import natural_key
from tests.admin.pages import ASSISTANTS, column_values
from tests.upstream import whole

NAMES = ["a", "B", "GPT 2", "gpt 10", "gpt 010b", "v1.2", "v1.10", "Z", "Ä", "123456789012345"]


@pytest.fixture
async def named(transactional_db):
    await Assistant.objects.all().adelete()
    for number, name in enumerate(NAMES[::-1]):
        await Assistant.objects.acreate(name=name, slug=f"s{number}", model="demo:")


def natural(names):
    return sorted(names, key=natural_key)


def test_names_are_sorted_naturally():
    names = ["Model 10", "model 9", "MODEL 2b", "model 2", "10", "9", "", "x" * 3 + "0" * 20 + "7", "xxx6", "xxx8"]
    assert natural(names) == ["", "9", "10", "model 2", "MODEL 2b", "model 9", "Model 10", "xxx6", names[7], "xxx8"]


async def test_database_sorts_as_python_does(named):
    found = [key async for key in Assistant.objects.values_list(NaturalKey("name"), flat=True)]
    assert sorted(found) == sorted(map(natural_key, NAMES))


async def test_lists_are_in_natural_order(named, client_of, bob):
    client = client_of(bob)
    ascii_names = [name for name in NAMES if name.isascii()]  # where others come is the database's choice
    ordered = await column_values(client, "", ASSISTANTS, "name")
    assert [name for name in ordered if name.isascii()] == natural(ascii_names)
    ordered = await column_values(client, "o=-0", ASSISTANTS, "name")
    assert [name for name in ordered if name.isascii()] == natural(ascii_names)[::-1]


async def test_users_are_in_natural_order(client_of, bob):
    create = sync_to_async(get_user_model().objects.create_user)
    for name in ("user10", "User9", "user1"):
        await create(name)
    names = await column_values(client_of(bob), "", "/admin/auth/user/", "username")
    assert [name for name in names if name.lower().startswith("user")] == ["user1", "User9", "user10"]


async def test_models_of_a_server_are_in_natural_order(upstream):
    upstream.answer = lambda request: whole({"data": [{"id": name} for name in ("Qwen-10b", "qwen-9b", "llama")]})
    answer = await list_models("openai", upstream.base_url, "", may_bind_keys=True)
    assert [model["name"] for model in answer["models"]] == ["llama", "qwen-9b", "Qwen-10b"]
