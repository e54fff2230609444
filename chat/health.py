"""Whether the process answers, and whether what it needs is there."""

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from . import readiness

HEALTHY = '{"status": "🤙"}'.encode()


@require_safe
async def health(request):
    """The process answers. On a server, chat.asgi.health does so, before everything else."""
    return HttpResponse(HEALTHY, content_type="application/json")


@require_safe
async def ready(request):
    """A new request would be served; else 503 with the names of what is down, and a reason for each."""
    reasons = await readiness.problems()
    if not reasons:
        return JsonResponse({"status": "🤙", "down": []})
    return JsonResponse({"status": "unavailable", "down": list(reasons), "reasons": reasons}, status=503)
