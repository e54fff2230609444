"""Taking conversations along: as Markdown, as JSON that this site and others can read, and back in again.

Our own format is one JSON object, `{"format": "chat-export", "version": 1, "conversations": [...]}`; ChatGPT's is the
list in its conversations.json. What comes in is somebody else's file: everything in it is checked.
"""

import base64
import io
import json
import re
import uuid
import zipfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import events, pictures
from .models import Assistant, Attachment, Conversation, Message, Preferences, Refused

FORMAT = "chat-export"
MOST_UNPACKED = 200_000_000  # bytes of conversations.json in a zip file
NAMES = {"user": _("You"), "assistant": _("Assistant")}


# Out ------------------------------------------------------------------------------------------------------------------


def whole(conversation):
    """All of a conversation, every branch, as plain JSON values. Sync."""
    rows = conversation.messages.select_related("run__assistant").order_by("created_at", "id")
    images = Attachment.objects.filter(message__conversation=conversation)
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "assistant": conversation.assistant and conversation.assistant.slug,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "pinned_at": conversation.pinned_at and conversation.pinned_at.isoformat(),
        "archived_at": conversation.archived_at and conversation.archived_at.isoformat(),
        "leaf_id": conversation.leaf_id and str(conversation.leaf_id),
        "messages": [_message(row) for row in rows],
        "images": {
            str(row.pk): {"media_type": row.media_type, "data": base64.b64encode(row.data).decode()} for row in images
        },
    }


def _message(row):
    run = getattr(row, "run", None)
    return {
        "id": str(row.pk),
        "parent_id": row.parent_id and str(row.parent_id),
        "role": row.role,
        "parts": row.parts,
        "created_at": row.created_at.isoformat(),
        "feedback": row.feedback,
        "model": run and run.model,
        "status": run and run.status,
        "usage": run and run.usage,
    }


def everything(person):
    """All of a person's data, in pieces of JSON text that make one object. Sync; in memory is one conversation."""
    likes = Preferences.objects.filter(person=person).values("instructions", "language", "theme").first()
    head = {
        "format": FORMAT,
        "version": 1,
        "exported_at": timezone.now().isoformat(),
        "person": {"username": person.get_username(), "email": person.email, "preferences": likes},
    }
    yield json.dumps(head)[:-1] + ', "conversations": ['
    kept = Conversation.objects.visible_to(person).filter(is_temporary=False)
    rows = kept.select_related("assistant").order_by("created_at")
    for number, row in enumerate(rows.iterator(chunk_size=100)):
        yield (",\n" if number else "\n") + json.dumps(whole(row))
    yield "\n]}"


def one(conversation):
    """A conversation as a file of our format."""
    return json.dumps({"format": FORMAT, "version": 1, "conversations": [whole(conversation)]}, indent=1)


def shown(conversation):
    """The messages of the branch that is shown, oldest first. Sync."""
    leaf = conversation.leaf or conversation.messages.select_related("parent").order_by("created_at", "id").last()
    rows = leaf.branch() if leaf else []
    prefetch_related_objects(rows, "run__assistant")
    return rows


def markdown(conversation):
    """The branch that is shown: a heading for each message, texts as they were written, tools named. Sync."""
    title = conversation.title or gettext("Chat")
    lines = [f"# {title}", ""]
    for row in shown(conversation):
        name = NAMES[row.role]
        if row.role == Message.ASSISTANT and (run := getattr(row, "run", None)) and run.assistant:
            name = run.assistant.name
        lines += [f"## {name}", "", f"*{row.created_at:%Y-%m-%d %H:%M} UTC*", ""]
        for part in row.parts:
            if told := _lines(part):
                lines += [*told, ""]
    return "\n".join(lines).rstrip() + "\n"


def _lines(part):
    match part["type"]:
        case "text":
            return [part["text"]]
        case "document":
            fence = "`" * max(3, _longest_run(part["text"]) + 1)
            return [f"**{part['name']}**", "", fence, part["text"], fence]
        case "image":
            return ["*({})*".format(gettext("an image"))]
        case "tool_call":
            return ["*({})*".format(gettext("used %(tool)s") % {"tool": part["name"]})]
    return []


def _longest_run(text):
    """How many backticks follow each other at most."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest


# In -------------------------------------------------------------------------------------------------------------------


def take_in(person, data):
    """Keep the conversations of an export of ours or of ChatGPT's, all of them or none. Sync.

    Gives {"conversations", "messages", "known"}: how many were new, and how many were here already. Raises Refused.
    """
    told = _parsed(data)
    if isinstance(told, dict) and told.get("format") == FORMAT and isinstance(told.get("conversations"), list):
        found = [_ours(row) for row in told["conversations"]]
    elif isinstance(told, list) and all(isinstance(row, dict) and "mapping" in row for row in told):
        found = [_chatgpt(row) for row in told]
    else:
        raise Refused(
            gettext("This is neither an export of this site nor ChatGPT's conversations.json."), "unknown_format"
        )
    count = {"conversations": 0, "messages": 0, "known": 0}
    with transaction.atomic():
        for row in found:
            kept = _keep(person, **row)
            count["known" if kept is None else "conversations"] += 1
            count["messages"] += kept or 0
    return count


def _parsed(data):
    try:
        if data[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                found = [one for one in archive.infolist() if one.filename.rpartition("/")[2] == "conversations.json"]
                if not found or found[0].file_size > MOST_UNPACKED:
                    raise Refused(
                        gettext("There is no conversations.json in this file, or it is too large."), "unknown_format"
                    )
                data = archive.read(found[0])
        return json.loads(data)
    except (ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Refused(gettext("This file cannot be read as JSON."), "unknown_format") from error


class _Broken(Exception):
    pass


def _text(value, most=None):
    if not isinstance(value, str):
        raise _Broken
    value = value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value[:most]


def _moment(value):
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return timezone.now()


def _checked(read):
    """`read`, with whatever a foreign file makes it stumble over as Refused."""

    def checked(row):
        try:
            return read(row)
        except (_Broken, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise Refused(gettext("This export is damaged: a conversation in it cannot be read."), "damaged") from error

    return checked


@_checked
def _ours(row):
    return {
        "id": _text(row["id"]),
        "title": _text(row["title"], 200),
        "created_at": _moment(row["created_at"]),
        "updated_at": _moment(row["updated_at"]),
        "pinned_at": _moment(row["pinned_at"]) if row.get("pinned_at") else None,
        "archived_at": _moment(row["archived_at"]) if row.get("archived_at") else None,
        "leaf": row.get("leaf_id"),
        "assistant": _text(row["assistant"]) if row.get("assistant") else None,
        "messages": [
            {
                "id": _text(message["id"]),
                "parent": message["parent_id"],
                "role": _text(message["role"]),
                "parts": [_part(part) for part in message["parts"]],
                "created_at": _moment(message["created_at"]),
                "feedback": _feedback(message["feedback"]) if message.get("feedback") else None,
            }
            for message in row["messages"]
        ],
        "images": {id: base64.b64decode(image["data"]) for id, image in row.get("images", {}).items()},
    }


SHAPES = {  # part's type -> its texts, and what may be none
    "text": (("text",), ()),
    "reasoning": (("text",), ()),
    "document": (("name", "text"), ()),
    "image": (("id",), ()),
    "tool_call": (("id", "name", "arguments"), ("result", "error")),
    "tool_result": (("id",), ("result", "error")),
}


def _feedback(told):
    if told["rating"] not in ("up", "down"):
        raise _Broken
    return {"rating": told["rating"], "reason": _text(told["reason"], 100), "comment": _text(told["comment"], 5000)}


def _part(part):
    texts, perhaps = SHAPES[part["type"]]
    made = {"type": part["type"], **{name: _text(part[name]) for name in texts}}
    if type(part.get("seconds")) in (int, float):
        made["seconds"] = part["seconds"]
    return made | {name: None if part.get(name) is None else _text(part[name]) for name in perhaps}


@_checked
def _chatgpt(row):
    """A tree of nodes; those of the system and of tools, and hidden ones, are left out, their children moved up."""
    nodes, messages = row["mapping"], []
    kept = {id: parts for id, node in nodes.items() if (parts := _spoken(node.get("message")))}

    def ancestor(id):
        seen = set()
        while id is not None and id not in kept and id not in seen:
            seen.add(id)
            id = nodes.get(id, {}).get("parent")
        return id if id in kept else None

    for id, parts in kept.items():
        message = nodes[id]["message"]
        messages.append(
            {
                "id": id,
                "parent": ancestor(nodes[id].get("parent")),
                "role": message["author"]["role"],
                "parts": parts,
                "created_at": _moment(message.get("create_time") or row.get("create_time")),
            }
        )
    updated_at = _moment(row.get("update_time") or row.get("create_time"))
    return {
        "id": _text(row.get("conversation_id") or row.get("id") or json.dumps(sorted(nodes))),
        "title": _text(row.get("title") or "", 200),
        "created_at": _moment(row.get("create_time")),
        "updated_at": updated_at,
        "pinned_at": None,
        "archived_at": updated_at if row.get("is_archived") else None,
        "leaf": ancestor(row.get("current_node")),
        "messages": messages,
        "images": {},
    }


def _spoken(message):
    """The parts of what a person or the assistant said in a node of ChatGPT's, or nothing."""
    if not message or message["author"]["role"] not in ("user", "assistant"):
        return []
    if (message.get("metadata") or {}).get("is_visually_hidden_from_conversation"):
        return []
    content = message.get("content") or {}
    if content.get("content_type") == "code":
        return [{"type": "text", "text": f"```\n{_text(content.get('text') or '')}\n```"}]
    if content.get("content_type") not in ("text", "multimodal_text"):
        return []
    texts = [_said(part) for part in content.get("parts") or ()]
    text = "\n\n".join(text for text in texts if text.strip())
    return [{"type": "text", "text": text}] if text else []


# ChatGPT's marks in a text, of sources, names, pictures: their kind, and the rest.
MARK = re.compile("\ue200([^\ue200-\ue202]*)\ue202?([^\ue200\ue201]*)\ue201")


def _said(part):
    """The words of one of ChatGPT's parts. Its images are not in the file; they are named, so that none is missed."""
    if isinstance(part, str):
        return MARK.sub(_unmarked, _text(part))
    if part.get("content_type") == "audio_transcription":
        return _text(part["text"])
    return "({})".format(gettext("an image")) if part.get("content_type") == "image_asset_pointer" else ""


def _unmarked(mark):
    """Nothing, but the name where the mark is one's: its kind and itself, as JSON."""
    kind, value = mark.groups()
    try:
        return _text(json.loads(value)[1]) if kind == "entity" else ""
    except (_Broken, ValueError, RecursionError, TypeError, LookupError):
        return ""  # nothing that we know


def _keep(person, id, leaf, messages, images, assistant=None, **fields):
    """Write a conversation as this person's, with the assistant of that slug if there is one; gives the number of its
    messages, or None if it was here already.
    """

    def own(foreign):  # the same file read twice gives the same rows, and nobody else's are touched
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{person.pk} {id} {foreign}")

    known = Conversation.objects.filter(pk__in=[own(""), *_uuid(id)], owner=person, deleted_at=None)
    if known.exists():
        return None
    Conversation.objects.filter(pk=own(""), owner=person).delete()  # one that is hidden, waiting to be undone
    fields |= {"assistant": Assistant.objects.offered().filter(slug=assistant).first(), "title_by": "person"}
    row = Conversation.objects.create(pk=own(""), owner=person, **fields)
    children, written, rows, kept = defaultdict(list), {}, [], []
    for message in sorted(messages, key=lambda message: message["created_at"]):
        children[message["parent"]].append(message)
    ids = {message["id"] for message in messages}
    next_ones = [one for parent in children if parent not in ids for one in children[parent]]
    while next_ones:  # parents first
        message = next_ones.pop()
        parent = written.get(message["parent"])
        parts, seen = _with_pictures(person, message["parts"], images)
        rows.append(_row(row, own(message["id"]), parent, message, parts))
        written[message["id"]] = rows[-1]
        kept += [(image, rows[-1]) for image in seen]
        next_ones += children[message["id"]]
    if len(written) < len(messages):
        raise Refused(gettext("This export is damaged: its messages form no tree."), "damaged")
    Message.objects.bulk_create(rows, batch_size=500)
    for image, message in kept:
        Attachment.objects.filter(pk=image.pk).update(message=message)
    if leaf in written:
        row.leaf_id = own(leaf)
        row.save(update_fields=["leaf"])
    return len(messages)


def _uuid(text):
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return []


def _row(conversation, id, parent, message, parts):
    if message["role"] not in (Message.USER, Message.ASSISTANT):
        raise Refused(gettext("This export is damaged: a message in it is nobody's."), "damaged")
    after_parent = parent.created_at + timedelta(microseconds=1) if parent else message["created_at"]
    return Message(
        pk=id,
        conversation=conversation,
        parent=parent,
        role=message["role"],
        parts=parts,
        text=events.text_of(parts),
        created_at=max(message["created_at"], after_parent),
        feedback=message.get("feedback"),
    )


def _with_pictures(person, parts, images):
    """The parts with images of this person's own in place of the file's, and those images."""
    made, seen = [], []
    for part in parts:
        if part["type"] == "image":
            if part["id"] not in images:
                continue
            seen.append(pictures.keep(person, images[part["id"]]))
            part = seen[-1].as_part()
        made.append(part)
    return made, seen
