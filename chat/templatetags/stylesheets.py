"""Links to groups of stylesheets."""

from django import template
from django.templatetags.static import static
from django.utils.html import format_html_join

from chat.storage import stylesheet_names

register = template.Library()


@register.simple_tag
def stylesheets(group):
    """Returns the links to a group of stylesheets: see `chat.storage`."""
    links = ((static(name),) for name in stylesheet_names(group))
    return format_html_join("\n  ", '<link rel="stylesheet" href="{}">', links)
