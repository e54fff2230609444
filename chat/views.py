"""The pages, and whether the site is well."""

import asyncio

from asgiref.sync import sync_to_async
from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import JsonResponse
from django.shortcuts import aget_object_or_404, render
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import require_safe

from .models import Conversation

PATIENCE = 3  # seconds until a database that does not answer counts as down


@require_safe
@login_required
@ensure_csrf_cookie
async def page(request, conversation_id=None):
    conversation = None
    user = await request.auser()
    if conversation_id:
        conversation = await aget_object_or_404(Conversation.objects.visible_to(user), pk=conversation_id)
    context = {
        "conversation": conversation,
        "page": {
            "conversationId": conversation and str(conversation.pk),
            "user": user.get_username(),
            "maxTextLength": settings.MAX_TEXT_LENGTH,
        },
    }
    return await sync_to_async(_render)(request, context)


@csp_update({"require-trusted-types-for": ["'script'"], "trusted-types": ["dompurify"]})
def _render(request, context):
    return render(request, "chat/page.html", context)


@require_safe
async def health(request):
    """The process answers."""
    return JsonResponse({"status": "🤙"}, json_dumps_params={"ensure_ascii": False})


@require_safe
async def ready(request):
    """What this process needs is there, or which part is down."""
    look = asyncio.get_running_loop().run_in_executor(None, _down)
    try:
        down = await asyncio.wait_for(look, PATIENCE)
    except TimeoutError:
        down = ["database"]
    return JsonResponse({"status": "unavailable" if down else "🤙", "down": down}, status=503 if down else 200)


def _down():
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        return ["database"]
    finally:
        connection.close()  # this thread is not one of those that look after their connections
    return []


@csrf_exempt  # there is nothing to protect, and “not found” is what helps
def no_such_call(request, rest=""):
    return JsonResponse({"error": {"code": "not_found", "message": "There is no such thing here."}}, status=404)
