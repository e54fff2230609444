"""Loads what the first answers need, before anybody waits for them."""

import logging

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from .. import outages, providers
from ..models import Assistant

logger = logging.getLogger(__name__)


async def warm_up() -> None:
    """Imports the providers of the enabled assistants, and what vendors' models and agents need: seconds of work.

    Raises nothing: what cannot be loaded now says why when it is used.
    """
    try:
        rows = await sync_to_async(_models_in_use)()
    except outages.DATABASE_ERRORS:
        return
    for model_id, params, tools in rows:
        try:
            await providers.prepare(model_id, params, tools)
        except Exception as error:
            logger.debug("The model %s could not be prepared: %s", model_id, error)


def _models_in_use() -> list[tuple]:
    try:
        return list(Assistant.objects.offered().values_list("model", "params", "tools"))
    finally:
        close_old_connections()
