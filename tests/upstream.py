"""A scripted server behind OpenAI's chat API on loopback, which can misbehave on the wire as real ones do.

In a test it says what the test wrote, step by step; each further request takes the next answer, and the last answer
serves all that follow:

    async def test_cut_in_mid_answer_keeps_the_text_before_it(upstream):
        upstream.answers("Hel", "lo", RESET)

A step is a text (a chunk with this content), a dict (a chunk), bytes (a packet, exactly), a number (seconds of
silence), a callable (awaited, such as `gate.wait`), or one of FIN, RESET, SILENCE. `upstream.requests` lists
the requests.

As a process, for tests that need one, it answers like a real model, and the model's name chooses how (see MODELS):

    python -m tests.upstream --port 9000        # `GET /requests` returns the requests it received
"""

import argparse
import asyncio
import enum
import json
import re
import socket
import struct
import time
from dataclasses import dataclass, field


class Wire(enum.Enum):
    FIN = "the connection ends"
    RESET = "the connection is reset"
    SILENCE = "nothing more is sent, and the connection stays open"


FIN, RESET, SILENCE = Wire
DONE = b"data: [DONE]\n\n"
WRITE_SIZE = 65_536  # bytes

ANSWER = """## An answer

It comes from a *scripted* model, **token by token**, with a [link](https://example.com/) and `code`. 🙂 日本語も。

1. first
2. second

| place | value |
|---|---|
| here | 1 |
| there | 2 |

```python
def fold(events):
    return "".join(event.delta for event in events)
```

The sum is $\\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}$.
"""


# What is sent ---------------------------------------------------------------------------------------------------------


def chunk(delta=None, finish_reason=None, **more):
    """A chunk as OpenAI sends it, with this delta (a text is its content)."""
    delta = {"content": delta} if isinstance(delta, str) else delta or {}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "x", "usage": None}
    return head | {"choices": [choice]} | more


def usage(prompt, completion, **more):
    """The last chunk of a stream that was asked to include usage."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return chunk(choices=[], usage=counts | more)


def event(value):
    return f"data: {json.dumps(value)}\n\n".encode()


STOP = chunk(finish_reason="stop")
END = (STOP, usage(9, 3), DONE)  # of a proper answer
CALLS = (chunk(finish_reason="tool_calls"), usage(9, 3), DONE)  # the end of a turn that calls tools


def call(name, arguments, id="call_1", index=0):
    """The chunks of one tool call as OpenAI streams it; arguments that are no text are written as JSON."""
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
    head = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
    yield chunk({"tool_calls": [head]})
    for piece in re.findall(r".{1,8}", arguments, re.DOTALL):
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def tokens(text):
    """The text in pieces of about the size that models speak in; joined they are the text."""
    return re.findall(r"\s*\S{1,5}|\s+$", text)


@dataclass
class Answer:
    """The response to one request. `framing`: "chunked"; "close", the body ends with the connection; a number, the
    Content-Length; None, the steps are all there is and hold the head, too.
    """

    steps: list
    status: int = 200
    headers: dict = field(default_factory=dict)
    framing: str | int | None = "chunked"


def refusal(status, error, **headers):
    """An answer with an HTTP error; `error` is the body, as JSON if it is no bytes."""
    body = error if isinstance(error, bytes) else json.dumps(error).encode()
    headers = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer([body], status, headers, len(body))


# The server -----------------------------------------------------------------------------------------------------------


@dataclass
class Request:
    """One request and what became of its answer."""

    method: str
    path: str
    headers: dict  # lower-case names
    body: dict | None
    at: float = field(default_factory=time.time)
    closed_at: float | None = None  # when the client closed the connection in mid-answer
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # the same, to wait for

    @property
    def question(self):
        questions = [
            message["content"] for message in (self.body or {}).get("messages", []) if message["role"] == "user"
        ]
        question = questions[-1] if questions else ""
        return question if isinstance(question, str) else "".join(part.get("text", "") for part in question)


class Upstream:
    """The server. `answer(request)` gives the Answer to a request; by default what the test wrote with `answers`."""

    def __init__(self, answer=None):
        self.answer = answer or self._next_written
        self.requests, self.connections, self.written = [], 0, []
        self.answering = 0  # answers that are under way
        self._tasks = set()  # one per open connection

    def answers(self, *steps, **how):
        """Write the next answer: one Answer, or the steps and other fields of one."""
        self.written.append(steps[0] if steps and isinstance(steps[0], Answer) else Answer(steps, **how))

    def times(self, model):
        """How often this model was asked."""
        return sum((request.body or {}).get("model") == model for request in self.requests)

    def _next_written(self, request):
        if request.method == "GET":  # which asks about the server
            return refusal(404, {"error": {"message": "Not Found"}})
        asked = sum(request.method != "GET" for request in self.requests)
        return self.written[min(asked, len(self.written)) - 1]

    async def start(self, port=0):
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    async def stop(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def all_closed(self):
        """Wait until nobody holds a connection."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _connection(self, reader, writer):
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        try:
            first = b""
            while request := await self._request(reader, first):
                self.requests.append(request)
                first = await self._exchange(request, reader, writer)
                if not first:
                    return
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _request(self, reader, first):
        """The next request, whose first byte may have been read; None when the client has no more."""
        try:
            head = first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = line.split(" ")
        return Request(method, path, headers, json.loads(body) if body[:1] == b"{" else None)

    async def _exchange(self, request, reader, writer):
        """Answer, and listen meanwhile: gives the first byte of the connection's next request, b"" when it is over."""
        responding = asyncio.create_task(_respond(self.answer(request), writer))
        listening = asyncio.create_task(_byte(reader))
        try:
            self.answering += 1
            try:
                await asyncio.wait({responding, listening}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.answering -= 1
            if responding.done() and not isinstance(responding.exception(), ConnectionError):
                return await listening if responding.result() else b""
            if byte := await listening:
                return byte if await responding else b""
            request.closed_at = time.time()
            request.closed.set()
            return b""
        finally:
            responding.cancel()
            listening.cancel()
            await asyncio.gather(responding, listening, return_exceptions=True)


async def _byte(reader):
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""


async def _respond(answer, writer):
    """Say all steps; tells whether the connection may serve another request."""
    framing = answer.framing

    async def send(data):
        if framing == "chunked":
            data = b"%x\r\n%b\r\n" % (len(data), data)
        for start in range(0, len(data), WRITE_SIZE):  # writing megabytes at once would hold up the loop
            writer.write(data[start : start + WRITE_SIZE])
            await writer.drain()

    if framing is not None:
        writer.write(_head(answer))
    for step in answer.steps:
        if step is FIN:
            return False
        elif step is RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        elif step is SILENCE:
            await asyncio.Event().wait()
        elif isinstance(step, int | float):
            await asyncio.sleep(step)
        elif callable(step):
            await step()
        elif isinstance(step, bytes):
            await send(step)
        else:
            await send(event(chunk(step) if isinstance(step, str) else step))
    if framing == "chunked":
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    return framing not in ("close", None)


def _head(answer):
    headers = {"content-type": "text/event-stream; charset=utf-8"} | answer.headers
    if answer.framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    elif answer.framing == "close":
        headers["connection"] = "close"
    else:
        headers["content-length"] = answer.framing
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


# As a process ---------------------------------------------------------------------------------------------------------

PACE = 0.02  # seconds between tokens
MODELS = {
    "slow": "a quarter of a second between tokens",
    "long": "the answer twenty times over",
    "echo": "says the question back",
    "think": "reasons before it answers",
    "use": "calls the tool that it was offered with what the question has in brackets, then answers with the result",
    "cut": "resets the connection in the middle of the answer",
    "error": "reports an error in the middle of the answer",
    "silent": "says nothing at all",
    "status-N": "refuses with HTTP status N",
}  # any other name gives the answer


def model_behavior(server, pace=PACE):
    """Returns an `answer(request)` that behaves as the model of that name does."""

    def answer(request):
        if request.method == "GET":
            return whole(get(request.path))
        name = str((request.body or {}).get("model"))
        if refused := re.fullmatch(r"status-(\d{3})", name):
            return refusal(int(refused[1]), {"error": {"message": "This is what you asked for.", "code": None}})
        if name == "use":
            return Answer(list(call_tool(request.body)))
        return Answer(list(steps(name, request.question)))

    def get(path):
        if path == "/v1/models":
            return {"object": "list", "data": [{"id": name, "object": "model"} for name in ("scripted", *MODELS)]}
        fields = ("path", "headers", "body", "at", "closed_at")
        posts = [request for request in server.requests if request.method == "POST"]
        return [{field: getattr(request, field) for field in fields} for request in posts]

    def call_tool(body):
        last, offered = body["messages"][-1], body.get("tools")
        yield chunk({"role": "assistant", "content": ""})
        if last["role"] == "tool" or not offered:
            for token in tokens(f"The tool says: {last['content']}"):
                yield from (token, pace)
            yield from END
            return
        yield from call(offered[0]["function"]["name"], re.search(r"{.*}", last["content"])[0])
        yield from CALLS

    def steps(name, question):
        pieces = tokens({"echo": question, "long": ANSWER * 20}.get(name, ANSWER))
        yield chunk({"role": "assistant", "content": ""})
        if name == "silent":
            yield SILENCE
        for token in tokens("First I think about it.") if name == "think" else ():
            yield from (chunk({"reasoning_content": token}), pace)
        for number, token in enumerate(pieces):
            yield from (token, 0.25 if name == "slow" else pace)
            if number == len(pieces) // 2 and name == "cut":
                yield RESET
            if number == len(pieces) // 2 and name == "error":
                yield {"error": {"message": "The scripted model fell over.", "type": "server_error", "code": None}}
                return
        yield from (STOP, usage(len(tokens(question)), len(pieces)), DONE)

    return answer


def whole(value):
    """An answer that does not stream."""
    body = json.dumps(value).encode()
    return Answer([body], headers={"content-type": "application/json"}, framing=len(body))


async def serve(port, pace):
    server = Upstream()
    server.answer = model_behavior(server, pace)
    await server.start(port)
    print(f"A scripted model answers at {server.base_url}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free; the first line on stdout tells it")
    parser.add_argument("--pace", type=float, default=PACE, help="seconds between tokens")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.port, options.pace))
    except KeyboardInterrupt:
        pass
