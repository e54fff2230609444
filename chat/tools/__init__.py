"""What an assistant may use. A tool is a typed function with a docstring and one line in registry.REGISTRY.

    def dice(sides: int = 6) -> str:
        "Throws a die with that many sides."

The model reads the docstring, and the types are what it may send: other arguments never reach the function. A
parameter annotated with Context is passed in and not shown to the model. A tool raises ToolError with a sentence if it
cannot do what it was asked. docs/tools.md describes the rest, and LangChain's own tools.
"""

from .base import ANONYMOUS, ZONE_ERRORS, Context, Tool, ToolError, asks_every_time, asks_first
from .execution import MAX_ERROR_LENGTH, MAX_RESULT_LENGTH, to_text, truncate
from .registry import MCP_PREFIX, REGISTRY, get_tool, load, server_of, server_tools

__all__ = [
    "ANONYMOUS",
    "MAX_ERROR_LENGTH",
    "MAX_RESULT_LENGTH",
    "MCP_PREFIX",
    "REGISTRY",
    "ZONE_ERRORS",
    "Context",
    "Tool",
    "ToolError",
    "asks_every_time",
    "asks_first",
    "get_tool",
    "load",
    "server_of",
    "server_tools",
    "to_text",
    "truncate",
]
