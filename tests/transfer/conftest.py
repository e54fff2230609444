"""Fixtures for the tests of export, import and sharing."""

from io import BytesIO

import pytest

from chat import engine, images
from chat.events import Finish, Reasoning, Text, ToolCallResult, ToolCallStart
from chat.models import Conversation
from tests.images import PICTURE
from tests.waiting import wait_for_run


@pytest.fixture
async def rich_conversation(alice, script, ask):
    """A conversation with an image and a document, and two answers with reasoning, a tool call and text."""
    pieces = [Reasoning("hm"), ToolCallStart("c", "clock"), ToolCallResult("c", "noon"), Text("# Noon\n\n`now`")]
    assistant = await script("teller", *pieces, Finish("stop"), sees_images=True, is_default=True)
    image = await images.save(alice, BytesIO(PICTURE))
    row = await Conversation.objects.acreate(owner=alice, assistant=assistant, title="What/time?")
    document = {"type": "document", "name": "a.md", "text": "```\nx\n```"}
    run = await row.ask("何時？", attachments=[image.pk], documents=[document])
    await engine.start(run)
    await wait_for_run(run)
    again = await run.message.regenerate()
    await engine.start(again)
    await wait_for_run(again)
    return row
