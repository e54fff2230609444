"""The JSON API under /api/: validation, OpenAPI and docs by django-ninja, a Router per subject.

A view finds the row through its owner, calls one verb on it and answers. An app adds its own calls with
`api.add_router("", router)`.
"""

from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from . import assistants, attachments, chat, conversations, messages, runs, shares, transfer
from .auth import ApiKey, SessionCookie
from .bodies import BodyParser
from .errors import add_error_handlers
from .limits import limit_requests


class ChatAPI(NinjaAPI):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._schemas = {}  # by path prefix

    def get_openapi_operation_id(self, operation):
        """Names a call by its function alone, so that clients do not notice when it moves to another file."""
        return f"chat_api_{operation.view_func.__name__}"

    def get_openapi_schema(self, **options):
        """Makes the schema once: it takes as long as a hundred other requests, and anybody may ask for it."""
        if options.get("path_params"):
            return super().get_openapi_schema(**options)
        prefix = options.get("path_prefix")
        if prefix not in self._schemas:
            self._schemas[prefix] = super().get_openapi_schema(**options)
        return self._schemas[prefix]


api = ChatAPI(
    title="Chat",
    version="1",
    auth=[ApiKey(), SessionCookie()],  # in this order: a wrong key is refused, whatever cookie comes with it
    parser=BodyParser(),
    urls_namespace="api",
    docs_decorator=require_safe,
)
add_error_handlers(api)
api.add_decorator(limit_requests)
for module in (assistants, conversations, messages, attachments, transfer, shares, runs, chat):
    api.add_router("", module.router)
