"""The site's own name, icon and accent color, see SITE_NAME, SITE_LOGO and SITE_ACCENT."""

import hashlib
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext

Color = tuple[int, int, int]

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
LIGHT, DARK = (234, 238, 238), (44, 49, 54)  # the palest and the brightest background of text, in tokens.css
READABLE = 4.5  # contrast of text, WCAG 1.4.3
DEFAULT_ICON = settings.BASE_DIR / "static/chat/icon.svg"
DEFAULT_ICON_COLORS = ("#1fa596", "#0b6b78")  # from the light end of its gradient to the dark one
STEPS = 50  # between a color and black or white


def site_name() -> str:
    return settings.SITE_NAME or gettext("Chat")


def admin_name() -> str:
    return gettext("%(name)s administration") % {"name": site_name()}


@dataclass(frozen=True)
class Icon:
    content: bytes
    media_type: str  # "image/svg+xml" or "image/png"
    sizes: str  # as in a web app manifest: "any", or "512x512"

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]


def own_icon() -> Icon | None:
    """Returns the icon in SITE_LOGO, or else the default one in SITE_ACCENT; None if neither is set."""
    if settings.SITE_LOGO:
        return _read_icon(settings.SITE_LOGO)
    return _colored_icon(settings.SITE_ACCENT) if settings.SITE_ACCENT else None


def icon_address() -> str:
    """Returns the address of the icon, which changes with it."""
    icon = own_icon()
    return reverse("icon", args=[icon.version]) if icon else static("chat/icon.svg")


def accent_address() -> str | None:
    """Returns the address of the stylesheet of SITE_ACCENT, which changes with it; None if that is not set."""
    if not settings.SITE_ACCENT:
        return None
    version = hashlib.sha256(accent_styles(settings.SITE_ACCENT).encode()).hexdigest()[:12]
    return reverse("accent", args=[version])


@cache
def _read_icon(path: Path) -> Icon:
    content = path.read_bytes()
    if path.suffix.lower() == ".svg":
        return Icon(content, "image/svg+xml", "any")
    width, height = struct.unpack(">II", content[16:24])  # in the header of a PNG
    return Icon(content, "image/png", f"{width}x{height}")


@cache
def _colored_icon(accent: str) -> Icon:
    dark = readable(rgb(accent), WHITE, BLACK, 3)  # behind white lines
    svg = DEFAULT_ICON.read_text()
    for default, color in zip(DEFAULT_ICON_COLORS, (mix(dark, WHITE, 0.2), dark), strict=True):
        svg = svg.replace(default, hexed(color))
    return Icon(svg.encode(), "image/svg+xml", "any")


def accent_styles(accent: str) -> str:
    """Returns the stylesheet that replaces the accent color, in shades that can be read in both themes."""
    color = rgb(accent)
    shades = {
        "accent": (readable(color, LIGHT, BLACK), readable(color, DARK, WHITE)),
        "accent-strong": (readable(color, LIGHT, BLACK, 7), readable(color, DARK, WHITE, 7)),
        "accent-soft": (mix(color, WHITE, 0.88), mix(mix(color, WHITE, 0.2), (24, 26, 29), 0.78)),
        "on-accent": (WHITE, mix(color, BLACK, 0.85)),
    }
    lines = [f"--color-{name}: light-dark({hexed(light)}, {hexed(dark)});" for name, (light, dark) in shades.items()]
    return f"@layer tokens {{ :root {{ {' '.join(lines)} }} }}\n"


def readable(color: Color, background: Color, end: Color, least: float = READABLE) -> Color:
    """Returns the first color between this one and black or white that can be read on the background."""
    shades = (mix(color, end, step / STEPS) for step in range(STEPS + 1))
    return next((shade for shade in shades if contrast(shade, background) >= least), end)


def contrast(one: Color, other: Color) -> float:
    """Returns the contrast of two colors as WCAG defines it, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: Color) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def rgb(color: str) -> Color:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def mix(color: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def hexed(color: Color) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in color)
