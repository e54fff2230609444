"""Exports of each site, made for a test."""

import base64
import json

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.images import PICTURE


def own_conversation(number):
    image = {"media_type": "image/png", "data": base64.b64encode(PICTURE).decode()}
    question = {
        "id": "1",
        "parent_id": None,
        "role": "user",
        "parts": [
            {"type": "image", "id": "i"},
            {"type": "document", "name": "a", "text": "b"},
            {"type": "text", "text": "Hi"},
        ],
        "created_at": "2026-01-01T00:00:00+00:00",
        "feedback": None,
        "model": None,
        "status": None,
        "usage": None,
    }
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "noon", "error": None}
    answer = question | {
        "id": "2",
        "parent_id": "1",
        "role": "assistant",
        "parts": [{"type": "reasoning", "text": "hm", "seconds": 1.5}, call, {"type": "text", "text": "Hello"}],
        "feedback": {"rating": "up", "reason": "", "comment": "good"},
    }
    return {
        "id": f"own {number}",
        "title": f"Number {number}",
        "assistant": "demo",
        "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:00:00+00:00",
        "pinned_at": None,
        "archived_at": "2026-01-01T00:00:00+00:00",
        "leaf_id": "2",
        "messages": [question, answer],
        "images": {"i": image},
    }


def chatgpt_conversation(number):
    def node(id, parent, role, content):
        message = {
            "id": id,
            "author": {"role": role, "name": None, "metadata": {}},
            "create_time": 1.7e9,
            "content": content,
            "metadata": {"is_visually_hidden_from_conversation": False},
        }
        return {"id": id, "message": message, "parent": parent, "children": []}

    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-abcdefgh"}
    spoken = {"content_type": "audio_transcription", "text": "Which bird?"}
    return {
        "id": f"chatgpt {number}",
        "conversation_id": f"chatgpt {number}",
        "title": f"Number {number}",
        "create_time": 1.7e9,
        "update_time": 1.7e9,
        "is_archived": True,
        "current_node": "3",
        "mapping": {
            "0": {"id": "0", "message": None, "parent": None, "children": ["1"]},
            "1": node("1", "0", "user", {"content_type": "multimodal_text", "parts": [image, spoken, "Hi"]}),
            "2": node("2", "1", "assistant", {"content_type": "code", "text": "print(1)"}),
            "3": node("3", "2", "assistant", {"content_type": "text", "parts": ["Hello"]}),
        },
    }


def claude_conversation(number):
    question = {
        "uuid": "1",
        "sender": "human",
        "text": "Hi",
        "content": [{"type": "text", "text": "Hi"}],
        "attachments": [{"file_name": "a.txt", "extracted_content": "one"}],
        "files": [],
        "created_at": "2026-01-01T00:00:00Z",
        "parent_message_uuid": "00000000-0000-4000-8000-000000000000",
    }
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "tool_use", "name": "x"},
        {"type": "text", "text": "Hello"},
    ]
    answer = {"uuid": "2", "sender": "assistant", "text": "", "content": blocks, "parent_message_uuid": "1"}
    return {
        "uuid": f"claude {number}",
        "name": f"Number {number}",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "chat_messages": [question, question | answer],
    }


def open_webui_conversation(number):
    image = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    files = [
        {"type": "image", "url": image},
        {"type": "image", "url": "abc"},
        {"type": "file", "name": "a.txt", "content": "one"},
    ]
    question = {
        "id": "1",
        "parentId": None,
        "childrenIds": ["2"],
        "role": "user",
        "content": "Hi",
        "timestamp": 1700000000,
    }
    messages = {
        "1": question | {"files": files},
        "2": question | {"id": "2", "parentId": "1", "role": "assistant", "content": "Hello"},
    }
    return {
        "id": f"webui {number}",
        "title": f"Number {number}",
        "chat": {"title": f"Number {number}", "history": {"messages": messages, "currentId": "2"}},
        "created_at": 1700000000,
        "updated_at": 1700000000,
        "archived": True,
        "pinned": False,
    }


FORMATS = {
    "claude": (claude_conversation, lambda rows: rows),
    "open_webui": (open_webui_conversation, lambda rows: rows),
    "own": (own_conversation, lambda rows: {"format": "chat-export", "version": 1, "user": {}, "conversations": rows}),
    "chatgpt": (chatgpt_conversation, lambda rows: rows),
}


async def send(client, data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return await client.post("/api/import", {"file": SimpleUploadedFile("conversations.json", data)})


def own_file(**fields):
    return FORMATS["own"][1]([own_conversation(1) | fields])


MESSAGE = own_conversation(1)["messages"][0] | {"parts": [{"type": "text", "text": "Hi"}]}
