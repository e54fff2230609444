"""The calls about oneself; chatsite.api puts them under /api/."""

from django.utils import timezone
from ninja import Router

from chat import transfer
from chat.api.transfer import download

from . import locale
from .models import Preferences
from .schemas import MeOut, PreferencesPatch

router = Router()


@router.get("/me", response=MeOut)
async def get_me(request):
    return _me(request.auth, await Preferences.of(request.auth))


@router.patch("/me", response=MeOut)
async def change_me(request, data: PreferencesPatch):
    preferences = await Preferences.change(request.auth, **data.model_dump(exclude_none=True))
    locale.apply_preference(request, preferences.language)
    return _me(request.auth, preferences)


def _me(user, preferences):
    return {"username": user.get_username(), "is_staff": user.is_staff, **preferences.values()}


@router.get("/export", response={200: None})
async def export_everything(request):
    """Downloads all data of the user as one JSON file."""
    preferences = await Preferences.of(request.auth)
    pieces = transfer.export_all(request.auth, preferences=preferences.values())
    content = await transfer.stream(request.auth, pieces)
    return download(content, f"chat {timezone.now():%Y-%m-%d}", "json", "application/json")
