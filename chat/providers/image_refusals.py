"""Recognizes what model servers report when a model cannot see the images of a request.

No server has a code for it, and some send it with status 404 or 500. The wordings are those of the servers in
tests/providers/test_image_refusals.py.
"""

import re

MAX_READ_LENGTH = 600  # characters of a report; some repeat the conversation behind their own words
CONTEXT_LENGTH = 40  # characters around the words that are recognized, which may tell what they are about
REFUSAL = re.compile(
    # image input is not supported · image_url is only supported by certain models · vision add-on is not loaded
    r"\b(?:images?|image_url|vision|multi-?modal)\b[^.;:!?]{0,50} (?:not|isn't|aren't|only) (?:yet |currently )?"
    r"(?:support|enabled|allowed|accepted|available|loaded)"
    # does not support images · doesn't support the image content block · not support multimodal messages
    r"|(?: not|n't| cannot|unable to) (?:currently |yet )?(?:support|accept|see|have)(?: the| any| an?)? "
    r"(?:images?|image_url|vision|multi-?modal)\b"
    r"|(?: not|n't| cannot|unable to) (?:process|handle|read|view) (?:images|multi-?modal)\b"
    r"|unsupported (?:message )?content(?: part)?(?: type)?\b[^.;]{0,40}\bimage"
    r"|unknown (?:variant|part type|content type)\W{1,4}image"
    r"|invalid content type\W{1,3}image_url"
    r"|at most 0 images?\b|is not a (?:multi-?modal|vision)|non-text content requires"
    r"|no (?:endpoints?|models?|providers?) (?:found |available )?that supports? (?:images?|vision|multi-?modal)\b"
    r"|missing data required for image|no (?:vision|image) (?:encoder|projector|processor)|provide the mmproj"
    r"|only (?:the )?['\"`]?text['\"`]? (?:content|parts?|messages?|inputs?)\b[^.;]{0,20} (?:is|are) (?:supported|all)"
    r"|content\W{0,5}(?:value )?must be a string|取值范围 ?\['text'\]"
    r"|不支持(?:图片|图像|图文|视觉|多模态|image)|画像(?:入力)?(?:を|は|に)(?:サポート|対応)していま"
)
# The model sees images, but not this one.
OTHER = re.compile(
    r"\b(?:format|mime|media[_ ]type|file type|extension|too (?:large|many|big|small)|size|dimensions?|resolution"
    r"|pixels|generation|editing|corrupt|decode|download|fetch|url scheme|base64)\b"
)


def refuses_images(report: str) -> bool:
    """Returns whether a server reports that its model takes no images at all."""
    text = report[:MAX_READ_LENGTH].lower()
    match = REFUSAL.search(text)
    return match is not None and not OTHER.search(
        text, max(0, match.start() - CONTEXT_LENGTH), match.end() + CONTEXT_LENGTH
    )
