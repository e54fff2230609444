"""The text of a file as a model reads it, whole or as many pages as fit, and the note on what was left out."""

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

LEFT_OUT = "[What follows in this document is left out, because it is too long for you. If it matters, say so.]"
NONE_SHOWN = "[This document is left out, because there is no room for it. If it matters, say so.]"

TRIMMED = {  # unit -> the note on a file of which some whole units were shown
    "page": _("The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s pages."),
    "sheet": _("The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s sheets."),
    "slide": _("The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s slides."),
    "message": _("The file “%(name)s” was too long for the model, which saw %(shown)s of its %(count)s emails."),
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
    """Returns the note for readers on a file that the model did not see whole; `part` is a FileTrimmedPart."""
    sentence = TRIMMED.get(part["unit"] or "") if part["count"] and part["shown"] else None
    return str(sentence or _("The file “%(name)s” was too long for the model, which saw at most its beginning.")) % part


def context_trimmed_sentence(part: Mapping[str, Any]) -> str:
    """Returns the note where a model was not sent all messages; `part` is a ContextTrimmedPart."""
    sentence = ngettext(
        "The model saw only the last %(kept)s message before this answer.",
        "The model saw only the last %(kept)s messages before this answer.",
        part["kept"],
    )
    return sentence % {"kept": part["kept"]}


def images_trimmed_sentence(part: Mapping[str, Any]) -> str:
    """Returns the note from where on a model is not sent all images; `part` is an ImagesTrimmedPart."""
    return str(_("The chat has many images. From here on, the model sees only the newest ones: %(shown)s.")) % part
