"""Preload links for the page's ES modules."""

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html_join

register = template.Library()

STATIC_IMPORT = re.compile(r'^(?:import|export) (?:[^"]*from )?"(\.[^"]+)"', re.MULTILINE)


@register.simple_tag
def modulepreload(entry, *modules):
    """Returns links that preload what `entry` imports, then `modules` and what they import.

    The entry itself has a script element of its own. Without these links a browser learns of a module only after it has
    read the one that imports it. Modules that are imported on demand are not followed: name those needed at once.
    """
    return _links(name for name in _with_imports(entry, *modules) if name != entry)


@register.simple_tag
def modulepreload_beside(entry, strings, *modules):
    """Returns links that preload `modules` and what they import, except for what `entry` and `strings` import."""
    loaded = _with_imports(entry, strings)
    return _links(name for name in _with_imports(*modules) if name not in loaded)


def _links(names):
    links = ((static(name),) for name in names)
    return format_html_join("\n  ", '<link rel="modulepreload" href="{}">', links)


def _with_imports(*entries):
    return _find_with_imports(*entries) if settings.DEBUG else _cached_with_imports(*entries)


def _find_with_imports(*entries):
    names = []
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.append(name)
        path = finders.find(name)
        if path is None:
            raise FileNotFoundError(f"{name} is not among the static files.")
        source = Path(path).read_text()
        waiting += [normpath(join(dirname(name), relative)) for relative in STATIC_IMPORT.findall(source)]
    return names


_cached_with_imports = cache(_find_with_imports)
