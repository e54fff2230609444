"""Decodes an image file, makes it upright and small, and encodes it again: the task `image` of a worker process.

A compressed image says nothing about its size in memory: 200 kB can be 200 MB of pixels. So the pixels are counted
before they are decoded, and a large image is converted and reduced in strips, not as copies of the whole.
"""

import io
import math
from typing import Any

from PIL import Image, ImageCms, ImageOps

from .worker_process import TaskRefused

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_PIXELS = 50_000_000
MAX_SIDE_PIXELS = 2048  # the models see no more
STRIP_PIXELS = 2_000_000
MAX_PROFILE_BYTES = 4_000_000
JPEG_QUALITY = 88
ORIENTATION = 0x0112  # the EXIF tag
Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked here


def run(source: str, target: str, cpu_seconds: float) -> dict[str, Any]:
    """Writes the image file `source` to `target`, as JPEG, or as PNG if it has an alpha channel.

    `cpu_seconds` is for `chat.worker_process`, which ends the process after that.

    Returns {"media_type", "width", "height", "is_animated"}; of an animation, only the first frame is written. Raises
    TaskRefused.
    """
    with open(source, "rb") as file, open(target, "wb") as output:
        return {**reduce(file, output), "is_animated": _is_animated(file)}


def reduce(file: Any, output: Any) -> dict[str, Any]:
    """As `run`, with open files; without "is_animated"."""
    image = _decode(file)
    media_type = "image/png" if image.mode == "RGBA" else "image/jpeg"
    if image.mode == "RGBA":
        image.save(output, "PNG")
    else:
        image.save(output, "JPEG", quality=JPEG_QUALITY)
    return {"media_type": media_type, "width": image.width, "height": image.height}


def _is_animated(file: Any) -> bool:
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # of the second frame, which may be damaged
        return True


def _decode(file: Any) -> Image.Image:
    """Returns the first frame, upright, at most MAX_SIDE_PIXELS wide and high, in sRGB, as RGB or RGBA."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise TaskRefused("too_large")
            scale = min(1.0, MAX_SIDE_PIXELS / max(image.size))
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image.draft(None, size)  # decodes a large JPEG at a reduced size
            reduced = _reduce_in_strips(image).resize(size, Image.Resampling.LANCZOS)
            return _upright(_to_srgb(reduced, image.info.get("icc_profile")), image)
    except (TaskRefused, MemoryError):
        raise
    except Exception as error:  # the decoders raise all kinds of errors for broken files
        raise TaskRefused("not_an_image") from error


def _reduce_in_strips(image: Image.Image) -> Image.Image:
    """Returns the image at a whole fraction of its size that is not below MAX_SIDE_PIXELS, in a mode of 8 bits."""
    factor = max(1, max(image.size) // MAX_SIDE_PIXELS)
    image.load()
    if factor == 1:
        return _with_8_bits(image)
    width, height = image.size
    rows = factor * max(1, STRIP_PIXELS // (width * factor))
    reduced = None
    for top in range(0, height, rows):
        strip = _with_8_bits(image.crop((0, top, width, min(height, top + rows)))).reduce(factor)
        if reduced is None:
            reduced = Image.new(strip.mode, (strip.width, math.ceil(height / factor)))
        reduced.paste(strip, (0, top // factor))
    assert reduced is not None  # an image has at least one row
    return reduced


def _with_8_bits(image: Image.Image) -> Image.Image:
    """Returns the image as L, CMYK, RGB or RGBA; the first two are what a profile may be for."""
    if image.mode.startswith("I"):  # grey of 16 bits; `convert` would cut off all above 255
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "CMYK", "RGB") else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Returns the image as RGB or RGBA with the colors of its profile; of none that can be read: as they are."""
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        try:
            srgb = ImageCms.createProfile("sRGB")
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, srgb, outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or for another kind of image
            pass
        else:
            assert converted is not None  # only None for inPlace
            return converted
    return image.convert(mode)


def _upright(image: Image.Image, original: Image.Image) -> Image.Image:
    try:
        orientation = original.getexif().get(ORIENTATION, 1)
    except Exception:  # broken EXIF data raise all kinds of errors
        orientation = 1
    image.info = {}  # no metadata are kept
    image.getexif()[ORIENTATION] = orientation
    ImageOps.exif_transpose(image, in_place=True)
    image.info = {}
    return image
