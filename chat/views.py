"""The pages, and the few files that make the site an app on a device."""

import sys

from asgiref.sync import sync_to_async
from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp, csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import aget_object_or_404, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views import defaults
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import require_safe

from . import branding, outages, parts, transfer
from .attachment_response import attachment_response
from .errors import Refused, to_json_at
from .models import Attachment, Conversation, Share, shared_name
from .storage import stylesheet_names

# Under the first two, the browser refuses a script of the page that turns text into HTML.
READ_ONLY_POLICY = csp_update({"require-trusted-types-for": ["'script'"], "trusted-types": [NONE]})
# The one Trusted Types policy is for the address of the service worker, which the browser treats as a script too.
PAGE_POLICY = csp_update({"require-trusted-types-for": ["'script'"], "trusted-types": ["worker"]})
DRAWING_POLICY = csp(
    {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [UNSAFE_INLINE],  # Mermaid measures text with its own styles applied
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": ["allow-scripts"],
    }
)


async def _render(request, template, context=None, policy=None):
    """Renders a template in a database thread; `policy` is the page's content security policy."""

    def view(request):
        return render(request, template, context)

    return await sync_to_async(policy(view) if policy else view)(request)


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
        "shared_name": shared_name(user),
        "is_sidebar_closed": request.COOKIES.get("sidebar") == "closed",
        "page": {
            "conversationId": conversation and str(conversation.pk),
            "user": user.get_username(),
            "userId": str(user.pk),
            "isStaff": user.is_staff,
            "maxTextLength": settings.MAX_TEXT_LENGTH,
            "maxFileBytes": settings.MAX_FILE_BYTES,
            "publicShares": settings.PUBLIC_SHARES,
            "worker": reverse("worker"),
            "anotherUser": reverse("another_user"),
        },
    }
    return await _render(request, "chat/page.html", context, PAGE_POLICY)


@require_safe
@login_required
async def print_conversation(request, conversation_id):
    """A conversation for printing: its visible branch."""
    rows = Conversation.objects.visible_to(await request.auser()).select_related("leaf__parent")
    conversation = await aget_object_or_404(rows, pk=conversation_id)
    messages = [
        {"role": row.role, "name": _name(row), "parts": row.parts, "created_at": row.created_at.isoformat()}
        for row in await sync_to_async(transfer.visible_branch)(conversation)
    ]
    context = {"title": conversation.title, "page": {"kind": "print", "messages": messages}}
    return await _render(request, "chat/readonly.html", context, READ_ONLY_POLICY)


def _name(message):
    run = getattr(message, "run", None)
    return run.assistant.name if run and run.assistant else ""


@require_safe
async def shared(request, token):
    """A shared conversation. Its link is the key; a login is needed too unless PUBLIC_SHARES is on."""
    user = await request.auser()
    if not settings.PUBLIC_SHARES and not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    rows = Share.objects.filter(conversation__deleted_at=None).select_related("conversation__owner")
    share = await aget_object_or_404(rows, pk=token)
    author = shared_name(share.conversation.owner)
    page = {"kind": f"s/{token}", "messages": share.messages, "author": author, "sharedAt": share.created_at}
    if user.is_authenticated:
        get_token(request)  # sets the cookie that the button needs
        page |= {"token": token, "userId": str(user.pk)}
    context = {"title": share.title, "author": author, "path": request.path, "page": page}
    response = await _render(request, "chat/readonly.html", context, READ_ONLY_POLICY)
    response["Referrer-Policy"] = "no-referrer"  # the link is the key
    response["X-Robots-Tag"] = "noindex"
    return response


@require_safe
async def shared_image(request, token, attachment_id):
    """An image of a shared conversation."""
    if not settings.PUBLIC_SHARES and not (await request.auser()).is_authenticated:
        return HttpResponse(status=401)
    share = await aget_object_or_404(Share.objects.filter(conversation__deleted_at=None), pk=token)
    shared_ids = {parts.attachment_id(part) for message in share.messages for part in message["parts"]}
    if str(attachment_id) not in shared_ids:
        raise Http404
    rows = Attachment.objects.filter(message__conversation_id=share.conversation_id)
    return await attachment_response(request, rows, attachment_id)


@require_safe
@xframe_options_sameorigin
async def drawing(request):
    """The iframe that draws diagrams: code in them has no origin and no network."""
    return await _render(request, "chat/drawing.html", policy=DRAWING_POLICY)


@require_safe
async def manifest(request):
    """The web app manifest. Browsers ask for it without a login."""
    own = branding.own_icon()
    icons = [
        {"src": static("chat/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
        {"src": static("chat/icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("chat/icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {"src": static("chat/icon-maskable.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    if own:
        icons = [{"src": reverse("icon", args=[own.version]), "sizes": own.sizes, "type": own.media_type}]
    content = {
        "id": "/",
        "name": branding.site_name(),
        "short_name": branding.site_name(),
        "description": gettext("Chat with AI assistants. Answers are never lost."),
        "lang": get_language(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#ffffff",
        "icons": icons,
        "shortcuts": [{"name": gettext("New chat"), "url": "/", "icons": icons[1:2] or icons}],
    }
    return JsonResponse(content, content_type="application/manifest+json", headers={"Cache-Control": "no-cache"})


OFFLINE_FILES = [
    "chat/css/card.css",
    "vendor/fonts/geist-latin.woff2",
    "chat/js/pages/offline.js",
]


@require_safe
async def worker(request):
    """The service worker, served from the root because it controls the pages below its own address.

    Its text changes with its files and the language, which makes the browser install it and cache its page again.
    """
    files = [static(name) for name in [*stylesheet_names("site"), *OFFLINE_FILES]] + [branding.icon_address()]
    if accent_address := branding.accent_address():
        files.append(accent_address)
    context = {"page": f"{reverse('offline')}?{get_language()}", "files": files}
    response = await sync_to_async(render)(request, "chat/worker.js", context, "text/javascript")
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
async def offline(request):
    """The page that the service worker shows when the site cannot be reached."""
    return await _render(request, "chat/offline.html")


@require_safe
async def accent(request, version):
    """The stylesheet of SITE_ACCENT. `version` is of its content, so browsers may keep it."""
    if not settings.SITE_ACCENT:
        raise Http404
    styles = branding.accent_styles(settings.SITE_ACCENT)
    return HttpResponse(styles, "text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


@require_safe
async def icon(request, version):
    """The site's own icon. `version` is of its content, so browsers may keep it."""
    own = branding.own_icon()
    if own is None:
        raise Http404
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return HttpResponse(own.content, own.media_type, headers=headers)


def no_such_page(request, rest=""):
    raise Http404


def server_error(request):
    """The answer to an exception that nobody caught, as JSON under /api/: 503 if it was about the database.

    Django calls this while it handles the exception.
    """
    outage = outages.outage(sys.exc_info()[1])
    if outage is None:
        return defaults.server_error(request)
    refused = outage.refused()
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse(refused.to_json())
    else:
        response = HttpResponse(render_to_string("503.html", {"message": refused.message}))
    response.status_code = refused.status
    response["Retry-After"] = str(refused.retry_after)
    return response


@csrf_exempt  # nothing is protected here, and "Not found." helps more than an error about CSRF
def no_such_call(request, rest=""):
    return JsonResponse(to_json_at(request.path, Refused(gettext("Not found."), "not_found", 404)), status=404)
