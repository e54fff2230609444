"""The text of a file as a model reads it: all of it, or as many pages as fit, which readers are told."""

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

LEFT_OUT = "[What follows in this document is left out, because it is too long for you. If it matters, say so.]"
NONE_SHOWN = "[This document is left out, because there is no room for it. If it matters, say so.]"

TRIMMED = {  # unit -> what readers are told of a file with a known number of them
    "page": _("The file “%(name)s” was too long for the model. Pages that it saw: %(shown)s of %(count)s."),
    "sheet": _("The file “%(name)s” was too long for the model. Sheets that it saw: %(shown)s of %(count)s."),
    "slide": _("The file “%(name)s” was too long for the model. Slides that it saw: %(shown)s of %(count)s."),
    "message": _("The file “%(name)s” was too long for the model. Emails that it saw: %(shown)s of %(count)s."),
}


def file_text(part: Mapping[str, Any], shown: int | None = None, beginning: str = "") -> str:
    """Returns the first `shown` units (None: all) with their labels, then the `beginning` of the next one.

    A unit is a page, a sheet, a slide or a message; `part` is that of the file, with its `units`.
    """
    units = part["units"] if shown is None else part["units"][:shown]
    count = f' {part["unit"]}s="{part["count"]}"' if part["unit"] and part["count"] else ""
    texts = [f"<document name={json.dumps(part['name'], ensure_ascii=False)}{count}>"]
    for unit in units:
        texts += [label_of(part, unit), unit["text"]] if unit["label"] else [unit["text"]]
    if beginning:
        next_unit = part["units"][len(units)]
        texts += [label_of(part, next_unit), beginning] if next_unit["label"] else [beginning]
    if len(units) < len(part["units"]):
        texts.append(LEFT_OUT if units or beginning else NONE_SHOWN)
    return "\n".join([*texts, "</document>\n\n"])


def label_of(part: Mapping[str, Any], unit: Mapping[str, str]) -> str:
    return f"[{part['unit']} {unit['label']}]"


def trimmed_sentence(part: Mapping[str, Any]) -> str:
    """Returns what readers are told of a file that the model did not see whole; `part` is a FileTrimmedPart."""
    sentence = TRIMMED.get(part["unit"] or "") if part["count"] else None
    return str(sentence or _("The file “%(name)s” was too long for the model, which saw only its beginning.")) % part
