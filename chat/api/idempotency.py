"""The `Idempotency-Key` header: a request that is repeated with the same key takes effect only once."""

import uuid
from typing import Annotated

from ninja import Header
from pydantic import AfterValidator

from ..schemas import MAX_KEY_LENGTH, validate_text


def _validate_key(key):
    """Returns the key, or None for an empty one."""
    return validate_text(key) if key else None


IdempotencyKey = Annotated[str | None, AfterValidator(_validate_key), Header(None, max_length=MAX_KEY_LENGTH)]


def id_for_key(user, key):
    """Returns the id of the row that this user creates with this key."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{user.pk} {key}")
