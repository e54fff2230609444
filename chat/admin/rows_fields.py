"""Lists and pairs as rows of inputs, in place of JSON."""

import re

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

EMPTY_ROWS = 3  # below those with a value


class RowsWidget(forms.Widget):
    """The value is a list of (name, value); without names, each name is "". `kind` says what a row is."""

    def __init__(self, kind, has_names):
        super().__init__()
        self.kind = kind
        self.has_names = has_names

    def value_from_datadict(self, data, files, name):
        values = [value.replace("\r\n", "\n") for value in data.getlist(f"{name}_value")]
        names = data.getlist(f"{name}_name") if self.has_names else [""] * len(values)
        return list(zip(names, values, strict=False))

    def value_omitted_from_data(self, data, files, name):
        return f"{name}_value" not in data

    def id_for_label(self, id_):
        return ""

    def render(self, name, value, attrs=None, renderer=None):
        rows = [(key, text, max(1, text.count("\n") + 1)) for key, text in as_rows(value)]
        rows += [("", "", 1)] * EMPTY_ROWS
        context = {"name": name, "rows": rows, "has_names": self.has_names, "kind": self.kind}
        return render_to_string("admin/chat/rows.html", context)


def as_rows(value):
    """Returns the rows of what is stored, and rows as they are."""
    if isinstance(value, dict):
        return [(str(key), str(text)) for key, text in value.items()]
    return [row if isinstance(row, tuple) else ("", str(row)) for row in value or []]


class RowsField(forms.Field):
    has_names = False

    def __init__(self, kind, **kwargs):
        super().__init__(required=False, widget=RowsWidget(kind, self.has_names), **kwargs)

    def to_python(self, value):
        rows = as_rows(value)
        if any("\0" in text for row in rows for text in row):
            raise ValidationError(gettext("Null characters are not allowed."))
        return rows

    def has_changed(self, initial, data):
        try:
            return self.clean(initial) != self.clean(data)
        except ValidationError:  # also of what is stored, which another program may have written
            return True

    def clean(self, value):
        rows = self.to_python(value)
        self.check_rows(rows)
        return self.to_value(rows)

    def check_rows(self, rows):
        """Raises ValidationError."""

    def to_value(self, rows):
        """Returns the words, without the empty rows at the end. A command may have empty words before others."""
        words = [text for _name, text in rows]
        while words and not words[-1]:
            words.pop()
        return words


class PairsField(RowsField):
    """Returns a dict. Names and values have to match `name_pattern` and `value_pattern`."""

    has_names = True

    def __init__(self, kind, name_pattern, value_pattern, **kwargs):
        super().__init__(kind, **kwargs)
        self.name_pattern = re.compile(name_pattern, re.ASCII)
        self.value_pattern = re.compile(value_pattern, re.ASCII | re.DOTALL)

    def check_rows(self, rows):
        names = [name.strip() for name, text in rows if name.strip() or text]
        for name in names:
            if not self.name_pattern.fullmatch(name):
                raise ValidationError(gettext("“%(name)s” is not a valid name.") % {"name": name})
            if names.count(name) > 1:
                raise ValidationError(gettext("“%(name)s” is listed twice.") % {"name": name})
        for name, text in rows:
            if not self.value_pattern.fullmatch(text):
                sentence = gettext("The value of “%(name)s” contains characters that are not allowed.")
                raise ValidationError(sentence % {"name": name})

    def to_value(self, rows):
        return {name.strip(): text for name, text in rows if name.strip() or text}


COMMAND = RowsField(
    _("argument"),
    label=_("Command"),
    help_text=_(
        "For stdio: the program, and each of its arguments in a row of its own, such as uvx and mcp-server-time."
    ),
)
VARIABLES = PairsField(
    _("environment variable"),
    r"[A-Za-z_]\w*",
    r".*",
    label=_("Environment variables"),
    help_text=_("For stdio: environment variables of the program. It does not inherit those of the site."),
)
HEADERS = PairsField(
    _("header"),
    r"[\w!#$%&'*+.^`|~-]+",
    r"[ -~]*",
    label=_("Headers"),
    help_text=_("For HTTP: headers to send, such as Authorization."),
)
