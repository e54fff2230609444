"""The pages, and whether the site is well."""

import asyncio

from asgiref.sync import sync_to_async
from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp, csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.shortcuts import aget_object_or_404, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import require_safe

from . import carry, language
from .models import Attachment, Conversation, Share

PATIENCE = 3  # seconds until a database that does not answer counts as down
LIKES = ("language", "theme", "send_key", "transport", "shows_steps")  # what the page needs to know from the start


@require_safe
@login_required
@ensure_csrf_cookie
async def page(request, conversation_id=None):
    conversation = None
    user = await request.auser()
    likes = await language.follow(request, user)
    if conversation_id:
        conversation = await aget_object_or_404(Conversation.objects.visible_to(user), pk=conversation_id)
    context = {
        "conversation": conversation,
        "theme": likes.theme,
        "languages": settings.LANGUAGES,
        "is_sidebar_closed": request.COOKIES.get("sidebar") == "closed",
        "page": {
            "conversationId": conversation and str(conversation.pk),
            "user": user.get_username(),
            "maxTextLength": settings.MAX_TEXT_LENGTH,
            "publicShares": settings.PUBLIC_SHARES,
            "worker": reverse("worker"),
            "likes": {name: getattr(likes, name) for name in LIKES},
        },
    }
    return await sync_to_async(_render)(request, context)


# No script of the page can turn a text into HTML: the browser refuses it. The one policy lets the address of the worker
# through, which the browser takes for a script, too.
@csp_update({"require-trusted-types-for": ["'script'"], "trusted-types": ["worker"]})
def _render(request, context):
    return render(request, "chat/page.html", context)


@require_safe
@login_required
async def printed(request, conversation_id):
    """A conversation to print: the branch that is shown."""
    rows = Conversation.objects.visible_to(await request.auser()).select_related("leaf__parent")
    row = await aget_object_or_404(rows, pk=conversation_id)
    messages = [
        {"role": one.role, "name": _name(one), "parts": one.parts, "created_at": one.created_at.isoformat()}
        for one in await sync_to_async(carry.shown)(row)
    ]
    return await sync_to_async(_read_only)(request, row.title, messages, "print")


def _name(message):
    run = getattr(message, "run", None)
    return run.assistant.name if run and run.assistant else ""


@require_safe
async def shared(request, token):
    """A shared chat, for whoever has its link; with a login, unless the site lets everybody read."""
    if not settings.PUBLIC_SHARES and not (await request.auser()).is_authenticated:
        return redirect_to_login(request.get_full_path())
    share = await aget_object_or_404(Share.objects.filter(conversation__deleted_at=None), pk=token)
    response = await sync_to_async(_read_only)(request, share.title, share.messages, f"s/{token}")
    response["Referrer-Policy"] = "no-referrer"  # the link is the key
    response["X-Robots-Tag"] = "noindex"
    return response


# No script of the page can turn a text into HTML: the browser refuses it.
@csp_update({"require-trusted-types-for": ["'script'"], "trusted-types": [NONE]})
def _read_only(request, title, messages, kind):
    context = {"title": title, "page": {"messages": messages, "kind": kind}}
    return render(request, "chat/read.html", context)


@require_safe
async def shared_image(request, token, attachment_id):
    """An image of a shared chat."""
    if not settings.PUBLIC_SHARES and not (await request.auser()).is_authenticated:
        return HttpResponse(status=401)
    share = await aget_object_or_404(Share.objects.filter(conversation__deleted_at=None), pk=token)
    shown = {part["id"] for message in share.messages for part in message["parts"] if part["type"] == "image"}
    rows = Attachment.objects.filter(message__conversation_id=share.conversation_id, pk__in=shown)
    row = await aget_object_or_404(rows, pk=attachment_id)
    headers = {"Cache-Control": "private, max-age=600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(bytes(row.data), content_type=row.media_type, headers=headers)


@require_safe
@xframe_options_sameorigin
async def drawing(request):
    """The frame in which the page has diagrams drawn: whatever they do, they do without origin and network."""
    return await sync_to_async(_render_drawing)(request)


@csp(
    {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [UNSAFE_INLINE],  # Mermaid measures with its own styles in place
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": ["allow-scripts"],
    }
)
def _render_drawing(request):
    return render(request, "chat/drawing.html")


@require_safe
async def manifest(request):
    """What the site is as an app: asked for without a login."""
    icons = [
        {"src": static("chat/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
        {"src": static("chat/icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("chat/icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {"src": static("chat/icon-maskable.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    told = {
        "id": "/",
        "name": gettext("Chat"),
        "short_name": gettext("Chat"),
        "description": gettext("Talk with assistants; nothing is ever lost."),
        "lang": get_language(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#ffffff",
        "icons": icons,
        "shortcuts": [{"name": gettext("New chat"), "url": "/", "icons": icons[1:2]}],
    }
    return JsonResponse(told, content_type="application/manifest+json", headers={"Cache-Control": "no-cache"})


@require_safe
async def worker(request):
    """The service worker, served from the root because that is what it looks after.

    It is another one when its files change, or the language, and then keeps its page anew.
    """
    names = ("chat/css/app.css", "chat/css/needs.css", "chat/icon.svg", "chat/js/offline.js")
    files = [static(name) for name in names]
    context = {"page": f"{reverse('offline')}?{get_language()}", "files": files}
    response = await sync_to_async(render)(request, "chat/worker.js", context, "text/javascript")
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
async def offline(request):
    """What the worker shows where the site cannot be reached."""
    return await sync_to_async(render)(request, "chat/offline.html")


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
    return JsonResponse(
        {"error": {"code": "not_found", "message": gettext("There is no such thing here.")}}, status=404
    )
