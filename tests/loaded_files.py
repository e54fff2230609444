"""What a browser loads of a page without being asked to by its user."""

import re

LOADED = re.compile(
    r'<(?:link rel="(?:icon|preload|modulepreload|stylesheet)"|script type="module") (?:href|src)="/static/([^"]+)"'
)


def split_template(page, id):
    """Returns the HTML without and with what is in this <template>, which the browser does not load yet."""
    template = re.search(rf'<template id="{id}">.*?</template>', page, re.DOTALL)
    return (page.replace(template[0], ""), template[0]) if template else (page, "")


def loaded_files(page):
    """Returns the static files that a page loads at once."""
    return set(LOADED.findall(split_template(page, "message-modules")[0]))
