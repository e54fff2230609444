"""Parts of an answer, and the events that make them."""

from tests.providers.responses_stream import completed, delta, message_item

HELLO = {"type": "text", "text": "Hello"}
THOUGHT = {"type": "reasoning", "text": "hm"}


def tool_part(name, arguments, id="call_1", result=None, error=None):
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments, "result": result, "error": error}


DELTAS = b"".join((delta("Hel"), delta("lo")))
END = completed(message_item("Hello"))
