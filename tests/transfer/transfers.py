"""Exports and imports through the API."""

import json

from django.core.files.uploadedfile import SimpleUploadedFile


async def body(answer):
    return b"".join([chunk async for chunk in answer]) if answer.streaming else answer.content


async def import_data(client, data, name="conversations.json"):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return await client.post("/api/import", {"file": SimpleUploadedFile(name, data)})


def counts(**changed):
    """The answer to an import that left nothing out."""
    none = {"conversations": 0, "messages": 0, "known": 0, "updated": 0, "left_out": [], "left_out_count": 0}
    return none | changed


async def tree(row):
    """The messages as a tree of (role, parts without images' ids)."""
    messages = [message async for message in row.messages.all()]

    def children(parent):
        return [
            (
                message.role,
                [{**part, "id": "?"} if part["type"] == "image" else part for part in message.parts],
                children(message.pk),
            )
            for message in messages
            if message.parent_id == parent
        ]

    return children(None)


def node(id, parent, role=None, *parts, kind="text", **more):
    message = None
    if role:
        content = (
            {"content_type": kind, "parts": list(parts)} if kind != "code" else {"content_type": kind, "text": parts[0]}
        )
        message = {"id": id, "author": {"role": role}, "content": content, "create_time": 1.7e9 + int(id), **more}
    return {"id": id, "parent": parent, "children": [], "message": message}


def chatgpt(*nodes, **more):
    head = {"conversation_id": "abc", "title": "Trip", "create_time": 1.7e9, "update_time": 1.7e9 + 50}
    return [head | {"mapping": {node["id"]: node for node in nodes}, "current_node": nodes[-1]["id"]} | more]


VALID = {
    "format": "chat-export",
    "version": 1,
    "conversations": [
        {
            "id": "x",
            "title": "T",
            "created_at": "2026-01-01",
            "updated_at": "2026-01-01",
            "messages": [
                {
                    "id": "1",
                    "parent_id": None,
                    "role": "user",
                    "parts": [{"type": "text", "text": "Hi"}],
                    "created_at": "2026-01-01",
                }
            ],
        }
    ],
}
