"""The npm package @copilotkit/aimock as one process on loopback: a server that others wrote and that speaks the wire
formats of OpenAI, Azure, Anthropic, Gemini, Vertex AI and Ollama. What is asked chooses the answer, see ANSWERS.

It does not tell when a client hangs up. So between it and the site a Relay passes on the bytes, both ways, and sees.
"""

import asyncio
from contextlib import suppress

from scripts.environment import ROOT
from tests.waiting import hang_timeout

CLI = ROOT / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
TEXT = "Hello from a server that others wrote. 🙂 日本語"
LONG = "This answer is so long that something can happen to it in the middle."
ANSWERS = {  # a part of the question -> aimock's fixture
    "hello": {"response": {"content": TEXT, "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}}},
    "weather": {
        "response": {
            "toolCalls": [
                {"id": "call_a", "name": "weather", "arguments": {"city": "Bern", "days": 2}},
                {"id": "call_b", "name": "clock", "arguments": {}},
            ]
        }
    },
    "think": {"response": {"content": "Done.", "reasoning": "First I think about it."}},
    "too often": {"response": {"error": {"message": "Slow down.", "type": "rate_limit_error"}, "status": 429}},
    "wrong key": {"response": {"error": {"message": "Bad key.", "type": "authentication_error"}, "status": 401}},
    "cut": {"response": {"content": LONG}, "latency": 30, "truncateAfterChunks": 5},
    "torn": {"response": {"content": LONG}, "latency": 30, "truncateAfterChunks": 8},
    "slow": {"response": {"content": LONG}, "latency": 400},
}


class Relay:
    """Passes on to a port of this machine. `connections` were opened; `hung_up` is set when the client closed one."""

    def __init__(self, target):
        self.target = target
        self.connections, self.open = 0, 0
        self.hung_up = asyncio.Event()

    async def start(self):
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self):
        self._server.close()
        async with hang_timeout():
            while self.open:
                await asyncio.sleep(0.01)

    async def _connection(self, reader, writer):
        self.connections += 1
        self.open += 1
        there = await asyncio.open_connection("127.0.0.1", self.target)
        asking = asyncio.create_task(self._pass(reader, there[1]))
        answering = asyncio.create_task(self._pass(there[0], writer))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not answering.done():
                self.hung_up.set()
        finally:
            for task in (asking, answering):
                task.cancel()
            for each in (writer, there[1]):
                each.close()
            self.open -= 1

    async def _pass(self, reader, writer):
        with suppress(ConnectionError):
            while packet := await reader.read(65536):
                writer.write(packet)
                await writer.drain()
