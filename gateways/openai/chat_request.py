"""Turns a request to OpenAI's API into turns, instructions and params of the site."""

import base64
import binascii
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from chat import images
from chat.errors import Refused
from chat.models import Assistant, Attachment, GivenTurn

from .errors import BadParameter
from .schemas import ChatRequest, MessageIn

DATA_URL = re.compile(r"data:image/(?:png|jpeg|jpg|webp|gif);base64,", re.IGNORECASE)
INSTRUCTION_ROLES = ("system", "developer")
LENGTH_LIMITS = ("max_tokens", "max_completion_tokens")
# What the limit of an assistant may be called, whatever its provider.
OWN_LENGTH_LIMITS = (*LENGTH_LIMITS, "max_output_tokens", "n_predict", "num_predict")
MAX_IMAGES = 50  # that a model is shown of a conversation


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the request that is not stored yet, and the parameter that it came in."""

    param: str
    data: bytes


Draft = tuple[str, list[str | Image]]  # a role, and the texts and images of the message


def read_messages(request: ChatRequest) -> tuple[str, list[Draft]]:
    """Returns the instructions and the messages after them. Raises Refused; stores nothing."""
    instructions = []
    drafts: list[Draft] = []
    for index, message in enumerate(request.messages):
        param = f"messages.{index}"
        contents = _contents(message, param)
        if message.role in INSTRUCTION_ROLES:
            if drafts:
                raise BadParameter(gettext("Instructions must come before the other messages."), f"{param}.role")
            instructions += [content for content in contents if isinstance(content, str)]
        else:
            drafts.append((message.role, contents))
    if not drafts or drafts[-1][0] != "user":
        raise BadParameter(gettext("The last message must be from the user."), "messages")
    _check_sizes(instructions, drafts)
    return "\n\n".join(instructions), drafts


def _contents(message: MessageIn, param: str) -> list[str | Image]:
    if isinstance(message.content, str):
        return [message.content]
    contents: list[str | Image] = []
    for index, part in enumerate(message.content):
        name = f"{param}.content.{index}"
        if part.type == "text" and part.text is not None and part.image_url is None:
            contents.append(part.text)
        elif part.type == "image_url" and part.image_url and part.text is None and message.role == "user":
            contents.append(Image(f"{name}.image_url", _decode(part.image_url.url, f"{name}.image_url")))
        else:
            raise BadParameter(gettext("This part does not have the content that its type needs."), name)
    return contents


def _decode(url: str, param: str) -> bytes:
    """Returns the bytes of an image in a data: URL. The site loads nothing from addresses in messages."""
    start = DATA_URL.match(url)
    if start is None:
        raise BadParameter(gettext("Send images as data: URLs in base64 (PNG, JPEG, WebP or GIF)."), param)
    encoded = url[start.end() :]
    if len(encoded) > settings.MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise BadParameter(gettext("This image is too large. Use a smaller one."), param, "too_large", 413)
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise BadParameter(gettext("This is not valid base64."), param) from None


def _check_sizes(instructions: list[str], drafts: list[Draft]) -> None:
    lengths = [
        (role, sum(len(content) for content in contents if isinstance(content, str))) for role, contents in drafts
    ]
    for role, length in [("system", sum(map(len, instructions))), *lengths]:
        limit = settings.MAX_REPLY_LENGTH if role == "assistant" else settings.MAX_TEXT_LENGTH
        if length > limit:
            sentence = gettext("A message has more characters than are allowed (%(limit)s).")
            raise BadParameter(sentence % {"limit": f"{limit:,}"}, "messages", "string_above_max_length")
    question = [content for content in drafts[-1][1] if isinstance(content, Image) or content.strip()]
    if not question:
        raise BadParameter(gettext("Write something first."), "messages")
    if _count_images(drafts) > MAX_IMAGES:
        sentence = gettext("Too many images: at most %(limit)s are allowed.")
        raise BadParameter(sentence % {"limit": MAX_IMAGES}, "messages")


def _count_images(drafts: list[Draft]) -> int:
    return len([content for _, contents in drafts for content in contents if isinstance(content, Image)])


def read_params(request: ChatRequest, assistant: Assistant, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the params that replace the assistant's. `names` are those that its provider takes.

    Where the assistant has a limit on the length of its own, the smaller of the two applies. Raises Refused for a
    parameter that the provider does not take.
    """
    own_limits = {name: limit for name in OWN_LENGTH_LIMITS if type(limit := assistant.params.get(name)) is int}
    params: dict[str, Any] = {}
    for name, value in request.model_params().items():
        if name not in names:
            sentence = gettext("The model of “%(assistant)s” does not take the parameter “%(name)s”.")
            sentence %= {"assistant": assistant.slug, "name": name}
            raise BadParameter(sentence, name, "unsupported_parameter")
        if name in LENGTH_LIMITS and own_limits:
            params |= {own_name: min(value, limit) for own_name, limit in own_limits.items()}
        else:
            params[names[name]] = value
    return params


async def store_turns(owner: Any, drafts: list[Draft], assistant: Assistant) -> list[GivenTurn]:
    """Returns the turns with their images stored, like uploads. Raises Refused; nothing stays stored then."""
    if not assistant.sees_images and _count_images(drafts):
        sentence = gettext("%(assistant)s does not support images. Choose another assistant.")
        raise BadParameter(sentence % {"assistant": assistant.name}, "messages", "sees_no_images")
    stored: list[Attachment] = []
    try:
        return [await _store_turn(owner, role, contents, stored) for role, contents in drafts]
    except BaseException:
        await discard_images(stored)
        raise


async def _store_turn(owner: Any, role: str, contents: list[str | Image], stored: list[Attachment]) -> GivenTurn:
    parts: list[dict[str, Any]] = []
    first = len(stored)
    for content in contents:
        if isinstance(content, str):
            parts.append({"type": "text", "text": content})
            continue
        try:
            stored.append(await images.save(owner, io.BytesIO(content.data)))
        except Refused as error:
            raise BadParameter(error.message, content.param, error.code, error.status) from None
        parts.append(stored[-1].as_part())
    return GivenTurn(role, parts, stored[first:])


async def discard_images(stored: list[Attachment]) -> None:
    """Deletes images whose request was refused."""
    if stored:
        await Attachment.objects.filter(pk__in=[row.pk for row in stored], message=None).adelete()
