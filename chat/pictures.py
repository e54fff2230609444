"""Images that people give: looked at, turned upright, made smaller and written anew, so that nothing else is kept.

What a file says of itself (name, type, metadata) counts for nothing; what cannot be read as an image is Refused.
"""

import io

from django.utils.translation import gettext
from PIL import Image, ImageOps

from .models import Attachment, Refused

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MOST_PIXELS = 50_000_000  # a small file may claim to be a picture as large as the memory
LONGEST_SIDE = 2048  # pixels; the models see no more
QUALITY = 88


def keep(owner, data):
    """An unused Attachment of this person, made of the bytes of an image. Sync; takes some hundred milliseconds."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Refused(gettext("This image has too many pixels."), "too_large", 413)
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a large JPEG is read small at once
            upright = ImageOps.exif_transpose(image)
            has_alpha = "transparency" in image.info or "A" in upright.getbands()
            upright = upright.convert("RGBA" if has_alpha else "RGB")
    except Refused:
        raise
    except Exception as error:  # the decoders raise whatever they stumble over
        raise Refused(
            gettext("This is no image that can be read. Send PNG, JPEG, WebP or GIF."), "not_an_image", 415
        ) from error
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    written = io.BytesIO()
    if has_alpha:
        upright.save(written, "PNG", optimize=True)
    else:
        upright.save(written, "JPEG", quality=QUALITY)
    return Attachment.objects.create(
        owner=owner,
        data=written.getvalue(),
        media_type="image/png" if has_alpha else "image/jpeg",
        width=upright.width,
        height=upright.height,
    )
