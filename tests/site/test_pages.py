"""The pages as the server makes them: as the user likes it from the first byte; and the site as an app."""

import json
import re


def data_of(answer, element="page-data"):
    """What the page's scripts are given in the element of this id."""
    return json.loads(re.search(rf'<script id="{element}"[^>]*>(.*?)</script>', answer.content.decode())[1])


async def test_page_has_the_defaults_without_preferences(client_of, alice):
    answer = await client_of(alice).get("/")
    likes = {
        "language": "",
        "theme": "",
        "send_key": "enter",
        "notifications": "",
        "transport": "sse",
        "shows_steps": True,
    }
    assert data_of(answer, "preferences-data") == likes
    text = answer.content.decode()
    assert '<html lang="en">' in text
    assert '<body class="app"' in text
    assert 'data-theme="light" media="(prefers-color-scheme: light)"' in text
    assert 'data-theme="dark" media="(prefers-color-scheme: dark)"' in text


async def test_page_has_the_users_preferences_from_the_first_byte(client_of, alice):
    client = client_of(alice)
    likes = {"language": "en", "theme": "light", "send_key": "ctrl+enter", "transport": "websocket"}
    likes["notifications"] = "title"
    likes["shows_steps"] = False
    assert (await client.send("PATCH", "/api/me", {**likes, "instructions": "Nobody's business"})).status_code == 200
    client.cookies["sidebar"] = "closed"
    answer = await client.get("/")
    assert data_of(answer, "preferences-data") == likes
    text = answer.content.decode()
    assert '<html lang="en" data-theme="light">' in text
    assert '<body class="app sidebar-closed without-steps"' in text
    assert 'data-theme="light" media="all"' in text
    assert 'data-theme="dark" media="not all"' in text
    assert "Nobody" not in text


async def test_page_never_contains_the_text_of_a_cookie(client_of, alice):
    client = client_of(alice)
    client.cookies["sidebar"] = '"><script>'
    answer = await client.get("/")
    assert b'<body class="app" data-site' in answer.content


async def test_pages_preload_their_typeface(client_of, alice):
    for client, path in ((client_of(), "/accounts/login/"), (client_of(alice), "/"), (client_of(), "/offline")):
        text = (await client.get(path)).content.decode()
        assert re.search(
            r'<link rel="preload" href="/static/vendor/fonts/geist-latin[^"]*" as="font"[^>]* crossorigin>', text
        )


async def test_manifest_needs_no_login_and_is_in_the_language(client_of):
    answer = await client_of().get("/manifest.webmanifest", headers={"Accept-Language": "ja"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/manifest+json"
    manifest = json.loads(answer.content)
    assert (manifest["lang"], manifest["start_url"], manifest["scope"], manifest["display"]) == (
        "ja",
        "/",
        "/",
        "standalone",
    )
    assert {icon.get("purpose", "any") for icon in manifest["icons"]} == {"any", "maskable"}


async def test_worker_caches_the_offline_page_and_its_files(client_of):
    client = client_of()
    worker = await client.get("/worker.js")
    assert worker["Content-Type"] == "text/javascript"
    assert worker["Cache-Control"] == "no-cache"
    page = await client.get("/offline")
    assert page.status_code == 200
    assert 'const PAGE = "/offline?en"' in worker.content.decode()
    needed = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.content.decode()))
    kept = set(re.findall(r'"(/static/[^"]+)"', worker.content.decode().replace("\\u002D", "-")))
    assert kept == {path for path in needed if not path.endswith(".png")}  # a device takes that one when it installs
