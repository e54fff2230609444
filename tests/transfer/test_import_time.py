"""An import spends its time for images and files on these alone, however long its conversations take to read."""

import io
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from chat.importers import documents, task
from chat.importers.base import FILE_TIME, IMAGE_CPU_TIME, ImportedConversation, ImportedMessage


class Clock:
    """A clock, and a file that takes six tenths of the time that all files have, and cannot be read."""

    def __init__(self, limit):
        self.now = 0.0
        self.limit = limit
        self.read_count = 0

    def read(self):
        self.read_count += 1
        self.now += 0.6 * self.limit
        raise OSError


@pytest.fixture
def read_file(monkeypatch, tmp_path):
    clock = Clock(FILE_TIME)
    monkeypatch.setattr(documents, "time", SimpleNamespace(monotonic=lambda: clock.now))
    reader = documents.DocumentReader(str(tmp_path))
    reader.begin_conversation()
    return clock, lambda: reader.read("a.txt", clock.read)


@pytest.fixture
def read_image(monkeypatch):
    clock = Clock(IMAGE_CPU_TIME)
    monkeypatch.setattr(task, "time", SimpleNamespace(process_time=lambda: clock.now))
    writer = task.ImageWriter(io.BytesIO())

    def read():
        message = ImportedMessage("1", None, "user", [{"type": "image", "id": "i"}], datetime.now(UTC))
        writer.convert(conversation_of(message, {"i": clock.read}))

    return clock, read


def conversation_of(message, images):
    now = datetime.now(UTC)
    return ImportedConversation("c", "Title", now, now, [message], images=images)


@pytest.mark.parametrize("kind", ["read_file", "read_image"])
def test_time_is_that_of_reading_the_files(request, kind):
    clock, read = request.getfixturevalue(kind)
    for _ in range(4):
        clock.now += clock.limit  # for conversations
        read()
    assert clock.read_count == 2
