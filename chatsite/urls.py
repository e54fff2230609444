from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from accounts.views import LogoutView, PasswordChangedView, PasswordView, another_user, api_keys, revoke_api_key
from chat.views import no_such_call, no_such_page

from .api import api

handler500 = "chat.views.server_error"

urlpatterns = [
    path("", include("chat.urls")),
    path("api/", api.urls),
    path("api/<path:rest>", no_such_call),
    path("v1/", include("gateways.openai.urls")),
    path("v1/<path:rest>", no_such_call),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("accounts/password/", PasswordView.as_view(), name="password"),
    path("accounts/password/changed/", PasswordChangedView.as_view(), name="password_changed"),
    path("accounts/keys/", api_keys, name="api_keys"),
    path("accounts/keys/<int:key_id>/revoke/", revoke_api_key, name="revoke_api_key"),
    path("accounts/another-user/", another_user, name="another_user"),
    path("admin/logout/", LogoutView.as_view(next_page="admin:index")),
    # Not Django's redirect to a row's own page, which fails for ids that are UUIDs.
    path("admin/r/<path:rest>", admin.site.admin_view(no_such_page)),
    path("admin/", admin.site.urls),
]
