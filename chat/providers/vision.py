"""Which models are known to see images, by their names. Of all others nobody knows, and staff decide."""

import re

SEEING = re.compile(
    r"\bgpt-4(?:o|\.1|\.5|-turbo|-vision)|\bgpt-[5-9](?!\d)|\bchatgpt-4o"
    r"|\bo1(?!-mini|-preview)\b|\bo3(?!-mini)\b|\bo4\b"
    r"|\bclaude-(?:3|[4-9]|opus|sonnet|haiku)"
    r"|\bgemini-(?!embedding)|\bgrok-4|\bnova-(?:lite|pro|premier)"
    r"|\bpixtral|\bmistral-(?:small-?3\.[1-9]|medium-3|large-3)|\bllama-?4|\bgemma-?3\b(?![\w.:-]*\b(?:270m|1b))"
    r"|llava|vision|multimodal|minicpm-[vo]\b|moondream|molmo|idefics|smolvlm|\bglm-4(?:\.\d)?v"
    r"|(?:\b|\d)vl\b|internvl|\bvlm\b"
)
NOT_SEEING = re.compile(r"\b(?:embed\w*|rerank\w*|tts|transcribe|audio|realtime|whisper|moderation)\b")


def is_known_to_see(model: str) -> bool:
    """Returns whether a model of this name sees images wherever it runs, as far as its name tells."""
    name = model.lower().replace("_", "-")
    return SEEING.search(name) is not None and not NOT_SEEING.search(name)
