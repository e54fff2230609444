"""The API of assistants."""

from chat.models import Assistant


async def test_list_assistants_has_the_default_first(client_of, alice):
    await Assistant.objects.all().adelete()
    calm = {"is_default": True, "system_prompt": "Be calm.", "starters": ["Breathe"]}
    await Assistant.objects.acreate(slug="zen", name="Zen", model="demo:", **calm)
    more = {"position": None, "sees_images": False, "starters": []}
    await Assistant.objects.acreate(slug="abc", name="Abc", model="demo:", description="Letters.")
    await Assistant.objects.acreate(slug="two", name="Two", model="demo:", position=2)
    await Assistant.objects.acreate(slug="one", name="Won", model="demo:", position=1)
    await Assistant.objects.acreate(slug="off", name="Off", model="demo:", is_enabled=False)
    answer = await client_of(alice).get("/api/assistants")
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {"slug": "zen", "name": "Zen", "description": "", "is_default": True, **more, "starters": ["Breathe"]},
            {"slug": "one", "name": "Won", "description": "", "is_default": False, **more, "position": 1},
            {"slug": "two", "name": "Two", "description": "", "is_default": False, **more, "position": 2},
            {"slug": "abc", "name": "Abc", "description": "Letters.", "is_default": False, **more},
        ]
    }
