"""Tools for tests, which record their calls.

offer(monkeypatch)                        # registers them until the test is over
gates["door"] = asyncio.Event()           # `pass_gate` and `pass_gate_in_thread` wait for it
"""

import asyncio
import threading

from chat import tools
from chat.tools import ToolError, asks_every_time, asks_first
from tests.timeouts import GATE_TIMEOUT

calls = []  # (name, argument), in the order in which they began
ended = []  # the arguments of the calls that have ended, even by cancellation
gates = {}  # name -> asyncio.Event or threading.Event


def offer(monkeypatch):
    for made in (calls, ended, gates):
        made.clear()
    for tool in (echo, fail, break_down, flood, pass_gate, pass_gate_in_thread, transfer, sign, traced):
        monkeypatch.setitem(tools.REGISTRY, tool.__name__, f"{__name__}.{tool.__name__}")


async def echo(text: str) -> str:
    """Says it back."""
    calls.append(("echo", text))
    return f"{text}!"


def fail(text: str) -> str:
    """Cannot do it."""
    calls.append(("fail", text))
    raise ToolError("There is no more paper.")


def break_down(text: str) -> str:
    """Has a mistake in it."""
    calls.append(("break_down", text))
    raise ZeroDivisionError("the inner workings")


def flood(size: int) -> str:
    """Says more than anybody wants to hear."""
    return "x" * size


async def pass_gate(gate: str) -> str:
    """Waits until it is opened."""
    calls.append(("pass_gate", gate))
    try:
        await gates[gate].wait()
    finally:
        ended.append(gate)
    return f"{gate} is open"


def pass_gate_in_thread(gate: str) -> str:
    """Waits until it is opened, and hears of nothing else."""
    calls.append(("pass_gate_in_thread", gate))
    gates[gate].wait(GATE_TIMEOUT)
    ended.append(gate)
    return f"{gate} is open"


@asks_every_time
async def sign(contract: str) -> str:
    """Signs a contract, which nobody may allow for ever."""
    calls.append(("sign", contract))
    return f"{contract} is signed"


@asks_first
def transfer(amount: int) -> str:
    """Moves money."""
    calls.append(("transfer", amount))
    if amount > 1000:
        raise ToolError("That is too much.")
    return f"{amount} moved"


async def traced() -> str:
    """Whether somebody is told what happens here."""
    from langsmith.utils import tracing_is_enabled

    return str(tracing_is_enabled())


def thread_gate(name):
    gates[name] = threading.Event()
    return gates[name]


def gate(name):
    gates[name] = asyncio.Event()
    return gates[name]
