"""`python -m tests.browser.pictures` takes the screenshots in docs/pictures again, in both languages: a wide window, a
dark one, a phone, and a film of a reload in the middle of a reply.
"""

import io
import json
import sys
import tempfile
import time

from PIL import Image, ImageDraw
from playwright.sync_api import expect, sync_playwright

from scripts.debian import chromium
from scripts.environment import ROOT
from tests.browser.pictured import ENGLISH, JAPANESE
from tests.server_process import PASSWORD, Site

FOLDER = ROOT / "docs/pictures"
LANGUAGES = {"": ("en-US", ENGLISH), ".ja": ("ja-JP", JAPANESE)}
WIDE, PHONE = {"width": 1280, "height": 820}, {"width": 390, "height": 780}
SMALL = {"width": 720, "height": 520}
ZONE = "Asia/Tokyo"
MAX_FILM_BYTES = 150_000
BAR = 44  # pixels; the height of the drawn browser's bar above the page


def main(*only):
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Site(folder, "tests.browser.pictured.application")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            site.start()
            for suffix, (locale, words) in LANGUAGES.items():
                create_rows(site, words)
                photographer = Photographer(site, browser, locale, words, suffix)
                for name, take in photographer.shots.items():
                    if not only or name in only:
                        take()
        finally:
            browser.close()
            site.close()


def create_rows(site, words):
    """Creates the assistant and Alice's conversations."""
    site.shell(f"""
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from chat.models import Assistant, Conversation
Conversation.objects.all().delete()
Assistant.objects.all().delete()
assistant = Assistant.objects.create(slug="astra", name={words["assistant"]!r}, model="pictured:", is_default=True)
alice = get_user_model().objects.get(username="alice")
for title, pinned, days in {words["others"]!r}:
    then = timezone.now() - timedelta(days=days, minutes=7)
    Conversation.objects.create(
        owner=alice, assistant=assistant, title=title, title_by="user", created_at=then, updated_at=then,
        pinned_at=then if pinned else None,
    )
""")


class Photographer:
    def __init__(self, site, browser, locale, words, suffix):
        self.site, self.browser, self.locale, self.words, self.suffix = site, browser, locale, words, suffix
        self.address = None  # of the conversation, once it is answered
        self.shots = {"wide": self.wide, "dark": self.dark, "phone": self.phone, "reload": self.reload}

    def page(self, viewport, scale=2, **wishes):
        context = self.browser.new_context(
            locale=self.locale, timezone_id=ZONE, viewport=viewport, device_scale_factor=scale, **wishes
        )
        page = context.new_page()
        page.goto(self.site.url)
        page.locator("[name=username]").fill("alice")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[type=submit]").click()
        expect(page.locator("[data-ref=assistant-name]")).to_have_text(self.words["assistant"])
        expect(page.locator(".conversation").first).to_be_attached()
        return page

    def ask(self, page):
        page.locator("#text").fill(self.words["question"])
        page.locator("#text").press("Enter")
        expect(page.locator(".message--reply")).to_be_visible()

    def answered(self, page):
        """Open the answered conversation, with its title, and scroll to its beginning."""
        if self.address is None:
            self.ask(page)
            expect(page.locator(".message--reply")).to_have_attribute("aria-busy", "false", timeout=60_000)
            self.address = page.url
            self.name(page)
        page.goto(self.address)
        expect(page.locator(".katex").first).to_be_attached()
        page.evaluate("document.fonts.ready")
        page.locator(".message--question").first.scroll_into_view_if_needed()
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(500)  # for animations to end; no event reports that a scroll bar has faded

    def name(self, page):
        id = page.url.split("/c/")[1].rstrip("/")
        [token] = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken"]
        headers = {"X-CSRFToken": token, "Content-Type": "application/json"}
        title = json.dumps({"title": self.words["title"]})
        assert page.request.patch(f"{self.site.url}/api/conversations/{id}", data=title, headers=headers).ok

    def wide(self):
        page = self.page(WIDE)
        self.answered(page)
        self.save("wide", page)

    def dark(self):
        page = self.page(WIDE, color_scheme="dark")
        self.answered(page)
        self.save("dark", page)

    def phone(self):
        page = self.page(PHONE, is_mobile=True, has_touch=True)
        self.answered(page)
        self.save("phone", page)

    def save(self, name, page):
        picture = Image.open(io.BytesIO(page.screenshot()))
        picture.convert("RGB").save(FOLDER / f"{name}{self.suffix}.webp", quality=80, method=6)
        page.context.close()

    def reload(self):
        """Films a reply that begins, a reload of the page, and the reply continuing where it was."""
        page, film = self.page(SMALL, scale=1), Film(self.locale)
        film.take(page, hold=0.8)
        page.locator("#text").press_sequentially(self.words["question"], delay=15)
        film.take(page, hold=0.6)
        self.ask(page)
        film.run(page, 3)
        for size in (1, 2, 3, 3, 2, 1):
            film.take(page, pressed=size, hold=0.15)
        page.reload(wait_until="commit")
        film.run(page, 0.6)
        film.run(page, 4)
        film.take(page, hold=2.5)
        film.save(FOLDER / f"reload{self.suffix}.webp")
        page.context.close()


class Film:
    """Screenshots of a page below a drawn browser's bar, each shown for the time that it took."""

    def __init__(self, locale):
        self.images = []
        self.durations = []  # in milliseconds

    def take(self, page, pressed=0, hold=0.0):
        start = time.monotonic()
        shot = Image.open(io.BytesIO(page.screenshot(animations="allow", caret="initial"))).convert("RGB")
        self.images.append(add_bar(shot, pressed))
        self.durations.append(round(1000 * (hold or max(0.1, time.monotonic() - start))))

    def run(self, page, seconds, every=0.4):
        end = time.monotonic() + seconds
        while (start := time.monotonic()) < end:
            self.take(page)
            page.wait_for_timeout(1000 * max(0.01, every - (time.monotonic() - start)))
            self.durations[-1] = round(1000 * (time.monotonic() - start))

    def save(self, path):
        for quality in (70, 55, 40, 30):
            first, *others = self.images
            options = {"duration": self.durations, "quality": quality, "method": 6, "minimize_size": True}
            first.save(path, save_all=True, append_images=others, loop=0, **options)
            if path.stat().st_size < MAX_FILM_BYTES:
                return
        raise SystemExit(f"{path} is larger than {MAX_FILM_BYTES:,} bytes")


def add_bar(shot, pressed=0):
    """Returns the screenshot in a drawn window. `pressed`: how far its reload button is pressed, from 0 to 3."""
    picture = Image.new("RGB", (shot.width, shot.height + BAR), "#e9edee")
    picture.paste(shot, (0, BAR))
    scale = 3  # drawn three times as large, for smooth edges
    bar = Image.new("RGB", (shot.width * scale, BAR * scale), "#e9edee")
    draw = ImageDraw.Draw(bar)

    def at(*numbers):
        return [number * scale for number in numbers]

    middle = BAR / 2
    for place, color in enumerate(("#e0655c", "#e6b64c", "#63b565")):
        draw.ellipse(at(16 + 20 * place, middle - 6, 28 + 20 * place, middle + 6), fill=color)
    if pressed:
        radius = 11 + 2 * pressed
        draw.ellipse(at(106 - radius, middle - radius, 106 + radius, middle + radius), fill="#bfe0de")
    draw.arc(at(98, middle - 8, 114, middle + 8), 0, 300, fill="#0b6f78" if pressed else "#465054", width=2 * scale)
    draw.polygon(at(108, middle - 11, 117, middle - 6, 109, middle - 1), fill="#0b6f78" if pressed else "#465054")
    draw.rounded_rectangle(at(136, 8, shot.width - 16, BAR - 8), radius=at(10)[0], fill="#ffffff")
    picture.paste(bar.resize((shot.width, BAR), Image.Resampling.LANCZOS), (0, 0))
    return picture


if __name__ == "__main__":
    main(*sys.argv[1:])
