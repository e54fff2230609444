"""The JSON of /api/me, made from the fields of `Preferences`: a new field is in the API without a line here."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from django.db import models
from ninja import Schema
from pydantic import Field, StrictBool, create_model

from chat.schemas import Body

from .models import Preferences


def _input_type(field: models.Field) -> Any:
    """The type that checks what a client sends for this field."""
    if isinstance(field, models.BooleanField):
        return StrictBool
    if field.choices:
        values = [str(value) for value, _label in field.choices]
        if field.blank and "" not in values:
            values.insert(0, "")
        return Literal.__getitem__(tuple(values))
    return Annotated[str, Field(max_length=field.max_length)]


def _output_type(field: models.Field) -> Any:
    """The type of the stored value. Not checked against the choices: a row may hold what was one before."""
    return bool if isinstance(field, models.BooleanField) else str


_changes: dict[str, Any] = {field.name: (_input_type(field) | None, None) for field in Preferences.value_fields()}
_values: dict[str, Any] = {field.name: (_output_type(field), ...) for field in Preferences.value_fields()}

if TYPE_CHECKING:  # mypy cannot read models that are made at run time
    PreferencesPatch = Body
    MeOut = Schema
else:
    PreferencesPatch = create_model(
        "PreferencesPatch", __base__=Body, __doc__="Preferences to change; those left out stay as they are.", **_changes
    )
    MeOut = create_model("MeOut", __base__=Schema, username=(str, ...), is_staff=(bool, ...), **_values)
