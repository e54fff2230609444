"""The images that a model makes, in the forms in which servers send them -> pieces."""

from collections.abc import Iterator
from typing import Any

from ..events import GeneratedImage, Text

MAX_IMAGES = 100  # of one delta; the engine keeps fewer of a reply
MAX_URL_LENGTH = 2_000  # characters of an address
TYPES = {"image", "image_url", "output_image"}  # of a part of the content
DATA_FIELDS = ("b64_json", "base64", "data")


def is_image(part: Any) -> bool:
    return type(part) is dict and part.get("type") in TYPES


def image_pieces(images: Any) -> Iterator[GeneratedImage | Text]:
    """Yields the images of a delta's `images`, or of an image among the parts of a content.

    They have their data, as a `data:` URL (OpenRouter, Gemini) or in base64. One that has only an address becomes a
    link in the text, because nobody here fetches what a model names.
    """
    for image in (images if type(images) is list else [images])[:MAX_IMAGES]:
        source = _source(image)
        head, comma, data = source.partition(",")
        if head.startswith("data:") and head.endswith(";base64") and comma:
            yield GeneratedImage(data)
        elif source.startswith(("https://", "http://")):
            if len(source) <= MAX_URL_LENGTH and not set(source) & set(" ()<>\n"):
                yield Text(f"\n\n![]({source})\n\n")


def _source(image: Any) -> str:
    """Returns an image's URL, or its data as one."""
    if type(image) is str:
        return image
    if type(image) is not dict:
        return ""
    for name in ("image_url", "url"):
        if source := _source(image.get(name)):
            return source
    data = next((image[name] for name in DATA_FIELDS if type(image.get(name)) is str), "")
    return f"data:;base64,{data}" if data else ""
