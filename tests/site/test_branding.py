"""The site's own name, icon and accent color."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template.defaultfilters import escapejs

from chat.branding import DARK, LIGHT, READABLE, accent_styles, contrast
from chatsite.settings import image_file
from tests.images import image_file as make_image


async def test_site_name_is_on_all_pages_and_in_the_manifest(client_of, alice, settings):
    settings.SITE_NAME = "Ask <Ada>"
    for client, path in ((client_of(), "/accounts/login/"), (client_of(alice), "/"), (client_of(), "/offline")):
        text = (await client.get(path)).content.decode()
        assert re.search(r"<title>.* · Ask &lt;Ada&gt;</title>", text)
    manifest = (await client_of().get("/manifest.webmanifest")).json()
    assert (manifest["name"], manifest["short_name"]) == ("Ask <Ada>", "Ask <Ada>")


async def test_accent_is_a_stylesheet_that_browsers_keep(client_of, settings):
    page = (await client_of().get("/accounts/login/")).content.decode()
    assert "accent-" not in page
    assert (await client_of().get("/accent-0.css")).status_code == 404
    settings.SITE_ACCENT = "#aa3377"
    page = (await client_of().get("/accounts/login/")).content.decode()
    [address] = re.findall(r'href="(/accent-[0-9a-f]{12}\.css)"', page)
    styles = await client_of().get(address)
    assert styles["Content-Type"].startswith("text/css")
    assert "immutable" in styles["Cache-Control"]
    assert "--color-accent: light-dark(#aa3377," in styles.content.decode()


@pytest.mark.parametrize("accent", ["#000000", "#ffffff", "#ffff00", "#777777", "#0000ff", "#aa3377", "#0b6f78"])
def test_accent_can_be_read_in_both_themes_whatever_the_color(accent):
    shades = {
        name: [tuple(bytes.fromhex(color)) for color in pair]
        for name, *pair in re.findall(r"--color-([a-z-]+): light-dark\(#(\w{6}), #(\w{6})\)", accent_styles(accent))
    }
    for theme, background in enumerate((LIGHT, DARK)):
        for name in ("accent", "accent-strong"):
            assert contrast(shades[name][theme], background) >= READABLE
        assert contrast(shades["on-accent"][theme], shades["accent"][theme]) >= READABLE
        assert contrast(shades["accent-strong"][theme], shades["accent-soft"][theme]) >= READABLE


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("name", "content", "media_type", "sizes"),
    [("logo.svg", SVG, "image/svg+xml", "any"), ("logo.PNG", make_image(size=(64, 64)), "image/png", "64x64")],
)
async def test_logo_is_on_all_pages_in_the_admin_and_in_the_manifest(
    client_of, alice, bob, settings, tmp_path, name, content, media_type, sizes
):
    settings.SITE_LOGO = tmp_path / name
    settings.SITE_LOGO.write_bytes(content)
    pages = {"/accounts/login/": client_of(), "/offline": client_of(), "/": client_of(alice), "/admin/": client_of(bob)}
    for path, client in pages.items():
        html = (await client.get(path)).content.decode()
        assert "chat/icon" not in html, path
        [address] = set(re.findall(r'<link rel="icon" href="(/icon-[0-9a-f]{12})">', html))
        assert f'src="{address}"' in html
        assert ("apple-touch-icon" in html) == (media_type == "image/png")
    answer = await client_of().get(address)
    assert (answer.content, answer["Content-Type"]) == (content, media_type)
    assert "immutable" in answer["Cache-Control"]
    manifest = (await client_of().get("/manifest.webmanifest")).json()
    assert manifest["icons"] == [{"src": address, "sizes": sizes, "type": media_type}]
    assert escapejs(address) in (await client_of().get("/worker.js")).content.decode()


async def test_icon_has_the_accent_color(client_of, settings):
    assert (await client_of().get("/icon-0")).status_code == 404
    settings.SITE_ACCENT = "#aa3377"
    html = (await client_of().get("/accounts/login/")).content.decode()
    icon = (await client_of().get(re.search(r'src="(/icon-\w+)"', html)[1])).content.decode()
    assert 'stop-color="#aa3377"' in icon
    assert "#0b6b78" not in icon


async def test_admin_has_the_name_of_the_site(client_of, bob, settings):
    settings.SITE_NAME = "Ask <Ada>"
    html = (await client_of(bob).get("/admin/")).content.decode()
    assert "Ask &lt;Ada&gt; administration" in html


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("logo.svg", None, "SITE_LOGO cannot be read"),
        ("logo.svg", make_image(), "must be an SVG or PNG file"),
        ("logo.png", SVG, "must be an SVG or PNG file"),
        ("logo.gif", make_image("GIF"), "must be an SVG or PNG file"),
    ],
)
def test_logo_that_cannot_be_used_is_refused_at_the_start(monkeypatch, tmp_path, name, content, sentence):
    if content:
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("SITE_LOGO", str(tmp_path / name))
    with pytest.raises(ImproperlyConfigured, match=sentence):
        image_file("SITE_LOGO")
