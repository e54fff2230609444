import json

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput


class StrictJSONField(forms.JSONField):
    """JSON that every database can store: without NaN, null characters, unpaired surrogates and endless depth."""

    def to_python(self, value):
        try:
            result = super().to_python(value)
            text = json.dumps(result, allow_nan=False, ensure_ascii=False)
            text.encode()
        except (ValueError, RecursionError):
            raise self._invalid(value) from None
        if "\\u0000" in text:
            raise self._invalid(value)
        return result

    def bound_data(self, data, initial):
        return InvalidJSONInput(data or "")  # shows the text as it was typed

    def _invalid(self, value):
        return ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value})
