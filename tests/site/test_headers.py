"""The headers with which browsers defend the site: what they may store, embed and offer, and TLS."""

import pytest
from django.core import checks
from django.core.files.uploadedfile import SimpleUploadedFile

from chat.models import Attachment, Conversation
from tests.images import PICTURE

PAGES = ["/", "/accounts/login/", "/api/me", "/api/conversations", "/api/nothing", "/admin/", "/nothing", "/offline"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("is_logged_in", [True, False])
async def test_response_is_not_stored_and_offers_nothing(client_of, alice, path, is_logged_in):
    response = await (client_of(alice) if is_logged_in else client_of()).get(path)
    assert response["Cache-Control"] == "no-store" or "no-cache" in response["Cache-Control"]
    assert "camera=()" in response["Permissions-Policy"]
    assert "microphone=()" in response["Permissions-Policy"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in response["Content-Security-Policy"]


async def test_image_is_served_from_the_browsers_cache_only_while_allowed(client_of, alice, charlie):
    client = client_of(alice)
    upload = await client.post("/api/attachments", {"file": SimpleUploadedFile("a.png", PICTURE, "image/png")})
    url = upload.json()["url"]
    first = await client.get(url)
    assert first["Cache-Control"] == "private, max-age=600, must-revalidate"
    assert first["X-Content-Type-Options"] == "nosniff"
    assert first["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'self'" in first["Content-Security-Policy"]
    again = await client.get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert again["Cache-Control"] == "private, max-age=600, must-revalidate"
    stale = await client.get(url, headers={"If-None-Match": '"other"'})
    assert (stale.status_code, stale.content) == (200, first.content)
    for other, status in ((charlie, 404), (None, 401)):
        response = await (client_of(other) if other else client_of()).get(url, headers={"If-None-Match": first["ETag"]})
        assert response.status_code == status


async def test_image_that_the_browser_has_cached_is_not_read_from_the_database(client_of, alice, monkeypatch):
    client = client_of(alice)
    image = await Attachment.objects.acreate(owner=alice, data=b"x", media_type="image/png", width=1, height=1)

    def from_db(*args):
        raise AssertionError("The image was read.")

    monkeypatch.setattr(Attachment, "from_db", from_db)
    response = await client.get(f"/api/attachments/{image.pk}", headers={"If-None-Match": f'"{image.pk}"'})
    assert response.status_code == 304


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
async def test_logout_makes_the_browser_forget_the_site(client_of, bob, path):
    response = await client_of(bob).post(path)
    assert response.status_code == 302
    assert response["Clear-Site-Data"] == '"cache", "storage"'


async def test_image_of_a_temporary_chat_is_hidden_from_reviewers(client_of, alice, bob):
    conversation = await Conversation.objects.acreate(owner=alice, is_temporary=True)
    message = await conversation.messages.acreate(role="user", text="Look", parts=[])
    image = await Attachment.objects.acreate(
        owner=alice, message=message, data=b"x", media_type="image/png", width=1, height=1
    )
    assert (await client_of(bob).get(f"/api/attachments/{image.pk}")).status_code == 404
    assert (await client_of(alice).get(f"/api/attachments/{image.pk}")).status_code == 200


async def test_site_can_require_tls(client_of, settings):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    client = client_of()
    response = await client.get("/accounts/login/")
    assert (response.status_code, response["Location"]) == (301, "https://testserver/accounts/login/")
    response = await client.get("/accounts/login/", secure=True)
    assert response["Strict-Transport-Security"] == "max-age=31536000"


def deployment_problems():
    return {message.id for message in checks.run_checks(include_deployment_checks=True) if not message.is_silenced()}


def test_deployment_check_finds_what_djangos_own_would_find(settings):
    settings.SECRET_KEY = "a-key-that-is-long-enough-0123456789-abcdefghijklmnopqrstuvwxyz"
    insecure = {"security.W004", "security.W008", "security.W010", "security.W016"}
    assert deployment_problems() == insecure
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    assert deployment_problems() == {"security.W005", "security.W021"}  # subdomains and preloading are a choice
    settings.SECURE_CONTENT_TYPE_NOSNIFF, settings.SECURE_REFERRER_POLICY = False, None
    settings.X_FRAME_OPTIONS = "SAMEORIGIN"
    assert {"security.W006", "security.W022", "security.W019"} <= deployment_problems()


def test_deployment_check_misses_a_middleware(settings):
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "Security" not in path and "Csrf" not in path]
    settings.SILENCED_SYSTEM_CHECKS = []
    assert {"security.W001", "security.W003"} <= deployment_problems()
