"""What an assistant may use. A tool is a typed function with a docstring and one line in this registry.

The docstring is what the model reads. A tool raises ToolError with a sentence when it cannot do what it was asked.
"""

from importlib import import_module

REGISTRY = {  # name -> the function's dotted path
    "clock": "chat.tools.clock.clock",
}


class ToolError(Exception):
    """The tool cannot do this; the message is a sentence for the model and the person."""


def find(name):
    """The function of that name; raises ToolError where there is none."""
    if name not in REGISTRY:
        raise ToolError(f"There is no tool called “{name}”.")
    module, _, function = REGISTRY[name].rpartition(".")
    return getattr(import_module(module), function)
