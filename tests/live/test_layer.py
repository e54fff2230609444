"""chat.live.layer: what it costs to tell one socket something does not grow with the number of all sockets."""

import pytest
from channels.layers import get_channel_layer

from chat.live import layer
from chat.live.layer import ChannelLayer

SOCKETS = 200


class Groups(dict):
    """Counts how often all groups are gone through."""

    walks = 0

    def values(self):
        self.walks += 1
        return super().values()


@pytest.fixture
async def busy_layer():
    """A layer with many sockets, each in a group."""
    busy = ChannelLayer()
    busy.groups = Groups()
    for number in range(SOCKETS):
        await busy.group_add(f"user.{number}", f"socket.{number}")
    return busy


def test_site_uses_this_layer():
    assert type(get_channel_layer()) is ChannelLayer


async def test_message_is_sent_and_received_without_a_look_at_all_sockets(busy_layer):
    for number in range(SOCKETS):
        await busy_layer.group_send(f"user.{number}", {"type": "conversation.changed"})
        assert await busy_layer.receive(f"socket.{number}") == {"type": "conversation.changed"}
    assert busy_layer.groups.walks <= 2  # of 400


async def test_expired_messages_are_removed_at_intervals(busy_layer, monkeypatch):
    busy_layer.expiry = -1  # seconds
    await busy_layer.group_send("user.1", {"type": "conversation.changed"})
    assert busy_layer.channels
    monkeypatch.setattr(layer, "CLEAN_INTERVAL", 0)
    await busy_layer.group_send("user.2", {"type": "conversation.changed"})
    assert "socket.1" not in busy_layer.channels
