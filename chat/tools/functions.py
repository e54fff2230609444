"""A typed function as a Tool: its arguments' JSON Schema and their validation."""

import inspect
from collections.abc import Callable
from functools import cache, partial
from typing import Any, get_type_hints

from django.utils import translation
from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from .base import Context, Tool, ToolError
from .execution import run_in_pool, run_within_limits, to_text

MAX_REPORTED_ERRORS = 5  # invalid arguments that a sentence names


def function_tool(name: str, function: Callable[..., Any], context: Context) -> Tool:
    """Returns the Tool that calls this function in this context."""
    model, context_parameters = arguments_model(function)
    optional = {field.alias for field in model.model_fields.values() if not field.is_required()}

    async def use(arguments: dict[str, Any]) -> str:
        if not isinstance(arguments, dict):
            raise ToolError(not_an_object(name))
        # Some models leave out an optional argument by sending null.
        given = {key: value for key, value in arguments.items() if value is not None or key not in optional}
        try:
            validated = model.model_validate(given)
        except ValidationError as error:
            raise ToolError(invalid_arguments(name, error)) from None
        values = {field.alias or key: getattr(validated, key) for key, field in model.model_fields.items()}
        call = partial(function, **values, **dict.fromkeys(context_parameters, context))
        if inspect.iscoroutinefunction(function):
            return await run_within_limits(name, call())
        language = translation.get_language()

        def call_in_thread() -> str:
            with translation.override(language):  # the user may read what it raises
                return to_text(call())

        return await run_within_limits(name, run_in_pool(call_in_thread, context.user_id))

    return Tool(
        name=name,
        description=inspect.getdoc(function) or "",
        schema=model.model_json_schema(schema_generator=UntitledJsonSchema),
        use=use,
        asks_first=getattr(function, "asks_first", False),
        asks_every_time=getattr(function, "asks_every_time", False),
    )


@cache
def arguments_model(function: Callable[..., Any]) -> tuple[type[BaseModel], list[str]]:
    """Returns the pydantic model of a function's arguments, and the names of the parameters that take the Context."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    context_parameters = []
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__} takes arguments that have no name: {parameter}")
        if hints.get(parameter.name) is Context:
            context_parameters.append(parameter.name)
        else:  # an alias: a tool may use names that pydantic reserves
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[f"argument{number}"] = (hints.get(parameter.name, Any), Field(default, alias=parameter.name))
    model = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    return model, context_parameters


class UntitledJsonSchema(GenerateJsonSchema):
    """JSON Schema without pydantic's titles, which tell a model nothing and cost tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        generated = super().generate(schema, mode)
        generated.pop("title", None)
        return generated


def not_an_object(name: str) -> str:
    """Returns the sentence that this tool's arguments are not named."""
    return gettext("The arguments of the tool “%(tool)s” must be a JSON object.") % {"tool": name}


def invalid_arguments(name: str, error: ValidationError) -> str:
    """Returns the sentence that names the invalid arguments, without their values."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    reasons = [
        f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].rstrip('.')}" for detail in details[:MAX_REPORTED_ERRORS]
    ]
    sentence = gettext("Invalid arguments for the tool “%(tool)s”: %(errors)s.")
    return sentence % {"tool": name, "errors": "; ".join(reasons)}
