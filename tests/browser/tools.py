"""Tools for the browser tests."""

from chat.tools import asks_first
from chat.tools.calculator import calculator as work_out
from tests.browser.gates import gates


async def calculator(expression: str) -> str:
    """Work out an expression, once the gate of that name is open."""
    await gates[expression].wait()
    return work_out(expression)


@asks_first
async def send_mail(to: str, subject: str) -> str:
    """Send a mail."""
    return f"Sent to {to}."
