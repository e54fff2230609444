from ninja import Router

from .. import api_keys
from ..models import Assistant
from ..schemas import AssistantList

router = Router()


@router.get("/assistants", response=AssistantList)
async def list_assistants(request):
    return {"items": [row async for row in Assistant.objects.offered() if api_keys.allows_assistant(row.slug)]}
