"""The site's name, icon and accent color, for every template: settings.TEMPLATES lists these tags as builtins."""

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html

from chat import branding

register = template.Library()

register.simple_tag(branding.site_name)
register.simple_tag(branding.admin_name)
register.simple_tag(branding.icon_address, name="site_icon")


@register.simple_tag
def icon_links():
    """Returns the links to the icon: for browsers, and for phones, where it must be a PNG."""
    links = format_html('<link rel="icon" href="{}">', branding.icon_address())
    icon = branding.own_icon()
    if icon and icon.media_type == "image/png":
        touch_address = branding.icon_address()
    elif settings.SITE_LOGO:
        return links
    else:
        touch_address = static("chat/icon-touch.png")
    return format_html('{}<link rel="apple-touch-icon" href="{}">', links, touch_address)


@register.simple_tag
def accent_stylesheet():
    """Returns the link to the stylesheet of SITE_ACCENT, if it is set."""
    address = branding.accent_address()
    return format_html('<link rel="stylesheet" href="{}">', address) if address else ""
