"""The cursor of the list of conversations: the position of the last row of a page, opaque to clients."""

import base64
import binascii
import uuid
from datetime import UTC, datetime

from django.utils.translation import gettext

from ..errors import Refused


def write_cursor(conversation):
    position = f"{conversation.updated_at.isoformat()} {conversation.pk}"
    return base64.urlsafe_b64encode(position.encode()).decode()


def read_cursor(cursor):
    """Returns (updated_at, id) of the row that the cursor stands for; raises Refused."""
    try:
        time, pk = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().split(" ")
        updated_at = datetime.fromisoformat(time)
        if updated_at.tzinfo is None:
            raise ValueError(cursor)
        return updated_at.astimezone(UTC), uuid.UUID(pk)
    except (ValueError, OverflowError, binascii.Error, UnicodeError):
        raise Refused(
            gettext("This is not a valid cursor. Use the next_cursor of the previous page."), "bad_cursor"
        ) from None
