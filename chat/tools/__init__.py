"""What an assistant may use. A tool is a typed function with a docstring and one line in this registry.

    def dice(sides: int = 6) -> str:
        "Throw a die with that many sides."

The docstring is what the model reads, and the types are what it may send: other arguments never reach the function. A
parameter annotated with Context is given and not shown to the model. A tool raises ToolError with a sentence when it
cannot do what it was asked. docs/tools.md has the whole story.
"""

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connections
from django.utils import translation
from django.utils.translation import gettext
from pydantic import ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from ..threads import Threads

REGISTRY = {  # name -> the function's dotted path
    "calculator": "chat.tools.calculator.calculator",
    "clock": "chat.tools.clock.clock",
    "search_conversations": "chat.tools.conversations.search_conversations",
}
TOOL_LIMIT = 30  # seconds for one use, waiting for a thread included
LAST_WORDS = 1  # seconds that a tool which is stopped gets to close what it opened
MAX_THREADS = 16  # tools that are no coroutines, at a time in this process
MAX_RESULT = 20_000  # characters, about five thousand tokens; the rest is cut
MAX_SENTENCE = 1000
NO_ZONE = (ZoneInfoNotFoundError, ValueError, TypeError, OSError)  # what ZoneInfo raises where there is none

pool = Threads("tool", MAX_THREADS)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """Whom a tool works for."""

    person: int | None = None  # the user's id
    time_zone: str = "UTC"
    conversation: str | None = None

    @property
    def zone(self):
        try:
            return ZoneInfo(self.time_zone)
        except NO_ZONE:
            return ZoneInfo("UTC")


NOBODY = Context()


class ToolError(Exception):
    """The tool cannot do this; the message is a sentence for the model and the person."""


def asks_first(function):
    """Marks a tool that runs only after the person said yes, whatever the assistant."""
    function.asks_first = True
    return function


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool as an agent is offered it."""

    name: str
    description: str
    schema: dict  # JSON Schema of its arguments
    use: Callable[[dict], Awaitable[str]]  # raises ToolError and nothing else
    asks_first: bool = False
    server: str | None = None  # the slug of the MCP server that has it


def find(name):
    """The function of that name; raises ToolError where there is none."""
    if name not in REGISTRY:
        raise ToolError(gettext("There is no tool called “%(tool)s”.") % {"tool": name})
    module, _, function = REGISTRY[name].rpartition(".")
    return getattr(import_module(module), function)


@asynccontextmanager
async def load(names, context=NOBODY, ask_first=()):
    """The tools of these names for one run, as a dict name -> Tool; `mcp:SLUG` is all that this server offers.

    What cannot be had is left out and logged: a run goes on without it. `ask_first` names those, one by one or as
    `mcp:SLUG`, that ask the person first besides the ones that always do.
    """
    toolbox = {}
    slugs = [name.removeprefix("mcp:") for name in dict.fromkeys(names) if name.startswith("mcp:")]
    for name in names:
        if not name.startswith("mcp:"):
            try:
                toolbox[name] = tool_of(name, find(name), context)
            except Exception:
                logger.exception("The tool “%s” is not offered", name)
    async with AsyncExitStack() as stack:
        if slugs:
            toolbox |= await stack.enter_async_context((await servers()).connect(slugs))
        yield {
            name: replace(tool, asks_first=tool.asks_first or name in ask_first or f"mcp:{tool.server}" in ask_first)
            for name, tool in toolbox.items()
        }


async def servers():
    """The module for MCP servers. A thread imports it when it is first wanted: its packages take half a second."""
    return await asyncio.wrap_future(pool.submit(partial(import_module, "chat.tools.mcp")))


async def offered(server):
    """The Tools of this models.ToolServer; raises ToolError with what is wrong."""
    return await (await servers()).offered(server)


# One function ---------------------------------------------------------------------------------------------------------


def tool_of(name, function, context):
    """The Tool that uses this function on somebody's behalf."""
    arguments, wants_context = model_of(function)
    optional = {field.alias for field in arguments.model_fields.values() if not field.is_required()}

    async def use(values):  # null for what has a default is how some models leave it out
        if not isinstance(values, dict):
            raise ToolError(no_object(name))
        given = {key: value for key, value in values.items() if value is not None or key not in optional}
        try:
            read = arguments.model_validate(given)
        except ValidationError as error:
            sentence = gettext("The tool “%(tool)s” cannot use these arguments: %(complaints)s.")
            raise ToolError(sentence % {"tool": name, "complaints": complaints(error)}) from None
        values = {field.alias: getattr(read, key) for key, field in arguments.model_fields.items()}
        call = partial(function, **values, **dict.fromkeys(wants_context, context))
        if inspect.iscoroutinefunction(function):
            return await within_limits(name, call())
        language = translation.get_language()

        def work():
            with translation.override(language):  # the person may read what it raises
                return written(call())

        return await within_limits(name, asyncio.wrap_future(pool.submit(partial(in_thread, work))))

    return Tool(
        name=name,
        description=inspect.getdoc(function) or "",
        schema=arguments.model_json_schema(schema_generator=Plain),
        use=use,
        asks_first=getattr(function, "asks_first", False),
    )


@cache
def model_of(function):
    """(the pydantic model of its arguments, the names of its parameters that want the Context)."""
    hints = get_type_hints(function, include_extras=True)
    fields, wants_context = {}, []
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__} takes arguments that have no name: {parameter}")
        if hints.get(parameter.name) is Context:
            wants_context.append(parameter.name)
        else:  # an alias: pydantic has names of its own that a tool may want to use
            default = ... if parameter.default is parameter.empty else parameter.default
            field = Field(default, alias=parameter.name)
            fields[f"argument{number}"] = (hints.get(parameter.name, Any), field)
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields), wants_context


class Plain(GenerateJsonSchema):
    """JSON Schema without pydantic's titles, which tell a model nothing and cost tokens."""

    def field_title_should_be_set(self, schema):
        return False

    def generate(self, schema, mode="validation"):
        made = super().generate(schema, mode)
        made.pop("title", None)
        return made


def no_object(name):
    """The sentence that this tool was sent something else than named arguments."""
    return gettext("The arguments of the tool “%(tool)s” are a JSON object.") % {"tool": name}


def complaints(error):
    """What is wrong with the arguments, without their values."""
    told = [
        f"{'.'.join(map(str, one['loc']))}: {one['msg'].rstrip('.')}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "; ".join(told[:5])


def in_thread(call):
    """What `call()` gives in a thread of the pool, and the database closed behind it."""
    try:
        return call()
    except StopIteration as error:
        raise RuntimeError("A future cannot carry a StopIteration") from error
    finally:
        connections.close_all()  # this thread's own; nobody else would


async def within_limits(name, work):
    """What this use of a tool gives, as bounded text; raises ToolError whatever else happens.

    It runs in a task of its own, so that nothing a tool does to its task ends the run.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=TOOL_LIMIT)
    finally:
        if late := not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=LAST_WORDS)
    if late:
        logger.warning("The tool “%s” took longer than %s seconds", name, TOOL_LIMIT)
        sentence = gettext("The tool “%(tool)s” took longer than %(seconds)s seconds.")
        raise ToolError(sentence % {"tool": name, "seconds": TOOL_LIMIT})
    try:
        return bounded(written(task.result()), MAX_RESULT)
    except ToolError as error:
        raise ToolError(bounded(str(error), MAX_SENTENCE)) from None
    except BaseException:  # its own: this run is not being cancelled here, nor is the process being stopped
        logger.exception("The tool “%s” failed", name)
        raise ToolError(gettext("The tool “%(tool)s” failed.") % {"tool": name}) from None


def written(result):
    """A tool's result as text."""
    if isinstance(result, str):
        return result
    try:
        return json.dumps(result, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return str(result)


def bounded(text, most):
    """At most so many characters, fit for every encoder and database; what is missing is told."""
    kept = text[:most].replace("\0", "").encode("utf-8", "replace").decode()
    return kept if len(text) <= most else f"{kept}\n[Cut here: the whole is {len(text):,} characters long.]"
