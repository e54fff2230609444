"""How large the JSON Schema of a tool may be once its references are followed, as some vendors' packages do."""

from typing import Any

MAX_VALUES = 5_000
MAX_DEPTH = 50


def is_small(schema: Any) -> bool:
    """Whether the schema is small, with each reference replaced by what it refers to.

    A reference inside what it refers to is followed once. A schema of a few lines may contain itself as often as two to
    the power of the lines.
    """
    left = MAX_VALUES
    waiting: list[tuple[Any, int, frozenset[str]]] = [(schema, 0, frozenset())]
    while waiting:
        value, depth, followed = waiting.pop()
        children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        left -= 1
        if left < len(waiting) + len(children) or depth > MAX_DEPTH:
            return False
        waiting += [(child, depth + 1, followed) for child in children]
        reference = value.get("$ref") if isinstance(value, dict) else None
        if isinstance(reference, str) and reference not in followed:
            waiting.append((_look_up(schema, reference), depth + 1, followed | {reference}))
    return True


def _look_up(schema: Any, reference: str) -> Any:
    """Returns the part of the schema that a local reference such as `#/$defs/Place` names, or None."""
    start, *names = reference.split("/")
    if start != "#":
        return None
    for name in names:
        schema = schema.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(schema, dict) else None
    return schema
