"""A LangChain tool as a Tool. Imported where the registry names one, so that LangChain is loaded no earlier."""

from typing import Any

from django.utils import translation
from langchain_core.tools import BaseTool, ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from .base import Context, Tool, ToolError
from .execution import run_in_pool, run_within_limits
from .functions import invalid_arguments, not_an_object


def langchain_tool(name: str, tool: BaseTool, context: Context) -> Tool:
    """Returns the Tool that invokes this LangChain tool.

    A tool with a `config: RunnableConfig` parameter finds the context in `config["configurable"]["context"]`. One with
    `metadata={"asks_first": True}` needs the user's approval, and with {"asks_every_time": True} for each call.
    """
    metadata = tool.metadata or {}
    function = convert_to_openai_tool(tool)["function"]
    config: Any = {"configurable": {"context": context}}

    async def use(arguments: dict[str, Any]) -> str:
        if not isinstance(arguments, dict):
            raise ToolError(not_an_object(name))
        call = {"type": "tool_call", "id": name, "name": tool.name, "args": arguments}
        if _is_async(tool):
            return await run_within_limits(name, _translated(name, tool.ainvoke(call, config)))
        language = translation.get_language()

        def call_in_thread() -> Any:
            with translation.override(language):  # the user may read what it raises
                return tool.invoke(call, config)

        return await run_within_limits(name, _translated(name, run_in_pool(call_in_thread, context.user_id)))

    return Tool(
        name=name,
        description=function.get("description", ""),
        schema=function.get("parameters") or {"type": "object", "properties": {}},
        use=use,
        asks_first=bool(metadata.get("asks_first") or metadata.get("asks_every_time")),
        asks_every_time=bool(metadata.get("asks_every_time")),
    )


def _is_async(tool: BaseTool) -> bool:
    if hasattr(tool, "coroutine"):  # a decorated function
        return tool.coroutine is not None
    return type(tool)._arun is not BaseTool._arun  # the method that LangChain documents for overriding


async def _translated(name: str, call: Any) -> Any:
    """Returns the content of the tool's message; raises ToolError for errors that are meant for the model."""
    try:
        message = await call
    except ValidationError as error:
        raise ToolError(invalid_arguments(name, error)) from None
    except ToolException as error:
        raise ToolError(str(error)) from None
    content = getattr(message, "content", message)
    if type(content) is list:  # content blocks
        content = message.text
    if getattr(message, "status", None) == "error":
        raise ToolError(str(content))
    return content
