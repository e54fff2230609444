"""Assertions about responses and events."""

import json

from ag_ui.core import Event
from pydantic import TypeAdapter

AG_UI = TypeAdapter(Event)


def assert_error(response, status=400):
    """Assert that this is an API error of the documented shape. Returns its code."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message"}
    assert all(type(value) is str and value for value in body["error"].values())
    return body["error"]["code"]


def assert_ag_ui(data):
    """Assert that this JSON object is an AG-UI event with nothing missing and nothing added. Returns the event."""
    event = AG_UI.validate_python(data, by_alias=True)
    assert not event.model_extra
    assert event.model_dump(mode="json", by_alias=True, exclude_unset=True) == data
    return event


def without_seconds(parts):
    """Returns the parts without their durations, which no test can predict."""
    return [{key: value for key, value in part.items() if key != "seconds"} for part in parts]
