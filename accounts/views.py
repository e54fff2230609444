"""The pages about one's login: sign-in, sign-out and password."""

from asgiref.sync import sync_to_async
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.decorators.http import require_safe


class LogoutView(auth.LogoutView):
    """Django's logout. The browser then forgets what it has stored of the site, such as drafts and cached images."""

    def post(self, request, *args, **kwargs):
        response = super().post(request, *args, **kwargs)
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


class PasswordView(auth.PasswordChangeView):
    """Django's form. It logs the user out everywhere else. Not found for a user whose login is checked elsewhere."""

    template_name = "registration/password_change.html"
    success_url = reverse_lazy("password_changed")

    def get_form_kwargs(self):
        user = self.request.user
        if not user.is_authenticated or not user.has_usable_password():
            raise Http404
        return super().get_form_kwargs()


class PasswordChangedView(auth.PasswordChangeDoneView):
    template_name = "registration/password_changed.html"


@require_safe
@login_required
async def another_user(request):
    """Where a page goes that notices that another user has logged in since it was made."""
    return await sync_to_async(render)(request, "registration/another_user.html")
