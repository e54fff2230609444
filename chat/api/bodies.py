"""JSON bodies: a large one is read before the call, beside the event loop, in which ninja would read it."""

from django.conf import settings
from django.utils.translation import gettext
from ninja.parser import Parser

from ..errors import Refused
from ..json_bodies import is_large, read_json


async def read_large_body(request, user):
    """Reads a large JSON body of this user for BodyParser."""
    if request.path in settings.LARGER_BODIES or not is_large(request.body):
        return
    try:
        request.json = await read_json(request.body, user.pk)
    except (ValueError, RecursionError) as error:
        raise Refused(gettext("This is not valid JSON.")) from error


class BodyParser(Parser):
    def parse_body(self, request):
        return request.json if hasattr(request, "json") else super().parse_body(request)
