"""Sign-in and sign-out pages."""

from asgiref.sync import sync_to_async
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.views.decorators.http import require_safe


class LogoutView(auth.LogoutView):
    """Django's logout. The browser then forgets what it has stored of the site, such as drafts and cached images."""

    def post(self, request, *args, **kwargs):
        response = super().post(request, *args, **kwargs)
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


@require_safe
@login_required
async def another_user(request):
    """Where a page goes that notices that another user has logged in since it was made."""
    return await sync_to_async(render)(request, "registration/another_user.html")
