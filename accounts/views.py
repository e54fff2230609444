"""The pages about one's login: sign-in, sign-out, password and API keys."""

from asgiref.sync import sync_to_async
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import aget_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.errors import Refused

from .forms import ApiKeyForm
from .models import ApiKey


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


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
async def api_keys(request):
    """Lists the user's API keys and creates one, which is on the page that answers the POST and nowhere else."""
    return await sync_to_async(_api_keys)(request, await request.auser())


def _api_keys(request, user):
    form = ApiKeyForm(request.POST if request.method == "POST" else None)
    new_key = None
    if form.is_bound and form.is_valid():
        try:
            _, new_key = ApiKey.issue(user, **form.fields_of_key())
            form = ApiKeyForm()
        except Refused as error:
            form.add_error(None, str(error.message))
    context = {"form": form, "new_key": new_key, "api_keys": ApiKey.objects.filter(user=user)}
    return render(request, "accounts/api_keys.html", context)


@require_POST
@login_required
async def revoke_api_key(request, key_id):
    """Deletes a key of the user's. What is open with it ends within a minute."""
    key = await aget_object_or_404(ApiKey, pk=key_id, user=await request.auser())
    await key.adelete()
    return redirect("api_keys")
