"""Recognizes what model servers report when a model cannot see the images of a request.

No server has a code for it, and some send it with status 404 or 500. The wordings are those of the servers in
tests/providers/test_image_refusals.py.
"""

import re

MAX_READ_LENGTH = 600  # characters of a report; some repeat the conversation behind their own words
CONTEXT_LENGTH = 40  # characters around the words that are recognized, which may tell what they are about
IMAGE = r"(?:images?|image_url|vision|multi-?modal|pictures?)"
REFUSAL = re.compile(
    # image input is not supported · image_url is only supported by certain models · vision add-on is not loaded
    rf"\b{IMAGE}\b[^.;:!?]{{0,50}}\b(?:not|isn't|aren't|only)\b (?:yet |currently )?"
    r"(?:support|enabled|allowed|accepted|available|loaded)"
    # does not support images · doesn't support the image content block · not support multimodal messages
    rf"|(?:\bnot|n't|\bcannot|\bunable to) (?:currently |yet )?(?:support|accept|see|have)(?: the| any| an?)? {IMAGE}\b"
    r"|(?:\bnot|n't|\bcannot|\bunable to) (?:process|handle|read|view) (?:images|multi-?modal)\b"
    rf"|\bunsupported (?:message )?content(?: part)?(?: type)?\b[^.;]{{0,40}}\bimage"
    rf"|\bunknown (?:variant|part type|content type)\W{{0,3}} ?\W?image"
    rf"|\binvalid content type\W{{0,2}} ?image_url"
    rf"|at most 0 images?\b|is not a (?:multi-?modal|vision)|non-text content requires"
    rf"|no (?:endpoints?|models?|providers?) (?:found |available )?that supports? {IMAGE}"
    rf"|missing data required for image|no (?:vision|image) (?:encoder|projector|processor)|provide the mmproj"
    r"|only (?:the )?['\"`]?text['\"`]? (?:content|parts?|messages?|inputs?)\b[^.;]{0,20} (?:is|are) (?:supported|all)"
    rf"|content\W{{0,4}} ?(?:value )?must be a string|取值范围 ?\['text'\]"
    rf"|不支持(?:图片|图像|图文|视觉|多模态|image)|画像(?:入力)?(?:を|は|に)(?:サポート|対応)していま"
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
