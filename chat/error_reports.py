"""Django's page for an exception in debug mode, without keys: it shows the local variables of every function."""

from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter

from .redaction import redact


class RedactingReporter(ExceptionReporter):
    def get_traceback_html(self) -> SafeString:
        return mark_safe(redact(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return mark_safe(redact(super().get_traceback_text()))
