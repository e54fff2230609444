"""OpenAI's chat messages and tools -> those of a Responses request."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..openai.chunks import text_of
from .events import PARAGRAPH, message_text

NOT_NULL = {"content", "encrypted_content", "phase", "status"}  # fields of an item that may only be left out


def input_items(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages as input items.

    A message of the assistant's may have `output_items`, those of the response that it comes from: they go back as the
    server sent them, with the reasoning that belongs to the calls, unless the message was changed since.
    """
    items: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            output = text_of(message.get("content"))
            items.append({"type": "function_call_output", "call_id": message["tool_call_id"], "output": output})
        elif message["role"] == "assistant":
            items += _assistant_items(message)
        elif content := _user_content(message.get("content")):
            items.append({"role": message["role"], "content": content})
    return items


def function_tools(tools: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the tools of a chat completion as those of a response.

    Optional arguments stay optional: unlike chat completions, responses are strict unless they are told otherwise.
    """
    return [{"type": "function", "strict": False, **tool["function"]} if "function" in tool else tool for tool in tools]


def tool_choice(choice: Any) -> Any:
    if type(choice) is dict and "function" in choice:
        return {"type": "function", "name": choice["function"]["name"]}
    return choice


def _user_content(content: Any) -> Any:
    """Returns text, or a list of input parts."""
    if type(content) is not list:
        return content
    return [_input_part(part) for part in content]


def _input_part(part: Any) -> Any:
    if type(part) is str:
        return {"type": "input_text", "text": part}
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": part["text"]}
        case "image_url":
            image = part["image_url"]
            return {"type": "input_image"} | {"image_url" if name == "url" else name: image[name] for name in image}
        case "file":
            return {"type": "input_file", **part["file"]}
    return part


def _assistant_items(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the items of an answer: its output items if it has them, else its text and its calls."""
    text = text_of(message.get("content"))
    output = message.get("output_items") or ()
    is_unchanged = text == PARAGRAPH.join(filter(None, map(_answer_text, output)))
    calls = [_function_call(call) for call in message.get("tool_calls") or ()]
    for item in output:
        match item["type"]:
            case "function_call":
                if calls:
                    yield calls.pop(0)
            case "message":
                if is_unchanged or not _answer_text(item):
                    yield _returned(item)
                elif text:
                    yield {"role": "assistant", "content": text}
                    text = ""
            case "reasoning":
                if item.get("encrypted_content") or item.get("content"):
                    yield _returned(item)
            case _:
                yield _returned(item)
    if text and not is_unchanged:
        yield {"role": "assistant", "content": text}
    yield from calls


def _answer_text(item: dict[str, Any]) -> str:
    is_answer = item["type"] == "message" and item.get("phase") != "commentary"
    return message_text(item) if is_answer else ""


def _function_call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {
        "type": "function_call",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": function["arguments"],
    }


def _returned(item: dict[str, Any]) -> dict[str, Any]:
    """Returns the item as it came, without the empty fields that are refused in a request."""
    return {name: value for name, value in item.items() if value is not None or name not in NOT_NULL}
