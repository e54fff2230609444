"""Uploaded images are decoded, rotated upright, scaled down and encoded again, so that nothing else is stored.

The name, type and metadata that a file comes with are ignored. `chat.image_codec` does the work, in a worker process.
"""

from tempfile import NamedTemporaryFile
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from .errors import Refused
from .models import Attachment
from .upload_slots import upload_slots
from .workers import Pool, Task, TaskFailed, path_of

CPU_SECONDS = 20  # that decoding one image may take
TIMEOUT = 60  # seconds: a worker has a low priority, and others may keep the cores busy
WAIT_TIMEOUT = 60  # seconds

MAX_UNSENT = 500  # of one user; they are deleted after a day

REFUSALS = {
    "too_large": (_("This image has too many pixels. Use a smaller one."), 413),
    "too_slow": (_("Reading this image took too long. Use a smaller one."), 422),
}
NOT_AN_IMAGE = (_("This image cannot be read. Use PNG, JPEG, WebP or GIF."), 415)

pool = Pool("images", settings.IMAGE_WORKERS)
slots = upload_slots(settings.IMAGE_WORKERS, WAIT_TIMEOUT)


async def save(owner: Any, file: Any) -> Attachment:
    """Creates an Attachment from an image file: an UploadedFile, or any file in binary mode. Raises Refused.

    Of an animation, the first frame is kept; the Attachment then has the note "first_frame".
    """
    await refuse_too_many_unsent(owner)
    fields = await _convert(owner.pk, file)
    is_animated = fields.pop("is_animated")
    attachment = await sync_to_async(Attachment.objects.save_new)(owner.pk, **fields)
    attachment.notes = ["first_frame"] if is_animated else []
    return attachment


async def refuse_too_many_unsent(owner: Any) -> None:
    """Raises Refused if this user has uploaded too many images and files without sending them."""
    if await Attachment.objects.filter(owner=owner, message=None).acount() >= MAX_UNSENT:
        sentence = _("You have uploaded too many images and files without sending them. Try again tomorrow.")
        raise Refused(str(sentence), "too_many_images", 429)


async def reduce(owner_id: Any, file: Any) -> dict[str, Any]:
    """Returns the fields of an Attachment for an image file of this user. Raises Refused."""
    fields = await _convert(owner_id, file)
    del fields["is_animated"]
    return fields


async def _convert(owner_id: Any, file: Any) -> dict[str, Any]:
    """Returns the fields of an Attachment, and whether the file is an animation."""
    async with slots.get().hold(owner_id):
        try:
            return await pool.run(_reduce, file)
        except TaskFailed as failure:
            raise refusal(failure.code) from None


def _reduce(task: Task, file: Any) -> dict[str, Any]:
    with path_of(file) as source, NamedTemporaryFile(prefix="image-", dir=settings.FILE_UPLOAD_TEMP_DIR) as target:
        result = task("image", TIMEOUT, source=source, target=target.name, cpu_seconds=CPU_SECONDS)
        return {**result, "data": target.read()}


def refusal(code: str) -> Refused:
    """Returns the Refused for an image that could not be read; `code` is that of the TaskFailed."""
    if code not in REFUSALS:
        code = "not_an_image"
    sentence, status = REFUSALS.get(code, NOT_AN_IMAGE)
    return Refused(str(sentence), code, status)
