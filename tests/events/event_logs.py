"""Logs of events, and what AG-UI asks of them."""

import json

from ag_ui.core import events as agui
from ag_ui.core import types as agui_types
from hypothesis import HealthCheck, settings, strategies
from pydantic import TypeAdapter

from chat.events import (
    EventBuilder,
    ReasoningEnd,
    ReasoningMessageContent,
    ReasoningMessageEnd,
    ReasoningMessageStart,
    ReasoningStart,
    TextMessageContent,
    TextMessageEnd,
    TextMessageStart,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    closing_events,
    to_json,
)

# The same cases in every run: a change is to blame for what breaks. Raise max_examples to search for more.
any_case = settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
agui_event = TypeAdapter(agui.Event)
agui_message = TypeAdapter(agui_types.Message)


def events_of(*pieces):
    """The events of these pieces, also those that end what they leave open."""
    builder = EventBuilder("m")
    log = [event for piece in pieces for event in builder.feed(piece)]
    return [*log, *closing_events(log)]


def is_agui(event):
    """It is an AG-UI 1.0 event, and says nothing that AG-UI does not know."""
    wire = json.loads(to_json(event))
    read = agui_event.validate_python(wire)
    assert read.model_extra == {}
    assert json.loads(read.model_dump_json(by_alias=True)) == wire
    return True


def check(log):
    """What AG-UI asks of an order of events: nothing is said in what is not open, and all that is opened is closed."""
    texts, thoughts, messages, calls, ended = set(), set(), set(), set(), set()
    for event in log:
        match event:
            case TextMessageStart():
                assert not texts and not messages
                texts.add(event.message_id)
            case TextMessageContent():
                assert event.message_id in texts
                assert event.delta
            case TextMessageEnd():
                texts.remove(event.message_id)
            case ReasoningStart():
                assert not texts and not thoughts and event.message_id not in ended
                thoughts.add(event.message_id)
            case ReasoningMessageStart():
                assert event.message_id in thoughts
                messages.add(event.message_id)
            case ReasoningMessageContent():
                assert event.message_id in messages
                assert event.delta
            case ReasoningMessageEnd():
                messages.remove(event.message_id)
            case ReasoningEnd():
                assert event.message_id not in messages
                thoughts.remove(event.message_id)
                ended.add(event.message_id)
            case ToolCallStart():
                assert not texts and not thoughts
                assert event.tool_call_id not in calls | ended
                calls.add(event.tool_call_id)
            case ToolCallArgs():
                assert event.tool_call_id in calls
                assert event.delta
            case ToolCallEnd():
                calls.remove(event.tool_call_id)
                ended.add(event.tool_call_id)
            case ToolCallResult():
                assert event.tool_call_id in ended
                assert event.message_id not in ended
                ended.add(event.message_id)
    assert not texts | thoughts | messages | calls


characters = strategies.text(
    strategies.one_of(
        strategies.characters(codec=None, exclude_categories=()), strategies.sampled_from("\0\ud83d\ude42a")
    )
)
