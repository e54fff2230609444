"""Calls of a tool by its name."""

import pytest

from chat import tools
from chat.tools import ToolError


async def use(name, arguments, context=tools.ANONYMOUS):
    async with tools.load([name], context) as toolbox:
        return await toolbox[name].use(arguments)


async def refusal(name, arguments, context=tools.ANONYMOUS):
    with pytest.raises(ToolError) as refused:
        await use(name, arguments, context)
    return str(refused.value)
