"""Uploaded images are decoded, rotated upright, scaled down and encoded again, so that nothing else is stored.

The name, type and metadata that a file comes with are ignored. `chat.image_codec` does the work, in a worker process.
"""

from tempfile import NamedTemporaryFile
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from .models import Attachment, Refused
from .per_loop import PerLoop
from .slots import Slots
from .workers import Pool, Task, TaskFailed, path_of

DECODE_TIMEOUT = 20  # seconds
MAX_WAITING = 100
MAX_WAITING_PER_USER = 20  # a page sends the ten images of a message at once
WAIT_TIMEOUT = 60  # seconds

MAX_UNSENT = 500  # of one user; they are deleted after a day

REFUSALS = {
    "too_large": (_("This image has too many pixels. Use a smaller one."), 413),
    "too_slow": (_("Reading this image took too long. Use a smaller one."), 422),
}
NOT_AN_IMAGE = (_("This image cannot be read. Use PNG, JPEG, WebP or GIF."), 415)

pool = Pool("images", settings.IMAGE_WORKERS)


def _make_slots() -> Slots:
    """One user has one process at a time; with two, another user's image need not wait for theirs."""
    return Slots(
        settings.IMAGE_WORKERS,
        1,
        max_waiting=MAX_WAITING,
        max_waiting_per_key=MAX_WAITING_PER_USER,
        wait_timeout=WAIT_TIMEOUT,
    )


slots = PerLoop(_make_slots)


async def save(owner: Any, file: Any) -> Attachment:
    """Creates an Attachment from an image file: an UploadedFile, or any file in binary mode. Raises Refused."""
    if await Attachment.objects.filter(owner=owner, message=None).acount() >= MAX_UNSENT:
        sentence = _("You have uploaded too many images without sending them. Try again tomorrow.")
        raise Refused(str(sentence), "too_many_images", 429)
    fields = await reduce(owner.pk, file)
    return await sync_to_async(Attachment.objects.save_new)(owner.pk, **fields)


async def reduce(owner_id: Any, file: Any) -> dict[str, Any]:
    """Returns the fields of an Attachment for an image file of this user. Raises Refused."""
    async with slots.get().hold(owner_id):
        try:
            return await pool.run(_reduce, file)
        except TaskFailed as failure:
            raise refusal(failure.code) from None


def _reduce(task: Task, file: Any) -> dict[str, Any]:
    """Returns the fields of an Attachment."""
    with path_of(file) as source, NamedTemporaryFile(prefix="image-", dir=settings.FILE_UPLOAD_TEMP_DIR) as target:
        result = task("image", DECODE_TIMEOUT, source=source, target=target.name)
        return {**result, "data": target.read()}


def refusal(code: str) -> Refused:
    """Returns the Refused for an image that could not be read; `code` is that of the TaskFailed."""
    if code not in REFUSALS:
        code = "not_an_image"
    sentence, status = REFUSALS.get(code, NOT_AN_IMAGE)
    return Refused(str(sentence), code, status)
