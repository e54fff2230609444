"""A scripted model behind OpenAI's chat completions and Responses API, whose tokens carry the time they were sent.

`python -m bench.upstream PORT`. The model's name is its script: `bench-20-200` sends 200 tokens at 20 a second. A token
is the text `@<ns>;`, the time of its sending by CLOCK_MONOTONIC, which all processes of a machine share. The first one
leaves at once; the second waits a random part of a period, so that streams do not tick in step. A reader that lags does
not slow the model down: what it has not read waits in the socket, and its tokens grow old.

`page-200-100` writes 100 kB of Markdown instead, four letters at a time. `arguments-100-9` calls a tool with arguments
that never end, 100 kB at a time; `calls-100-9` calls tools without end, 100 calls at a time.

Written on a bare protocol because it shares a core with the load client: 10 to 30 µs per token.
"""

import asyncio
import gc
import json
import random
import re
import sys
import time

import uvloop

from bench import system
from bench.document import document_ending_as_it_begins

SCRIPT = re.compile(r"(bench|page|arguments|calls)-(\d+)-(\d+)")
OPENING = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


class Model(asyncio.Protocol):
    """One connection: reads requests, answers one after the other (keep-alive)."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.unread = b""
        self.timer = None
        self.attack = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self.timer:
            self.timer.cancel()
        if self.attack:
            self.attack.cancel()

    def data_received(self, data):
        self.unread += data
        head, found, rest = self.unread.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(length[1]) if length else 0
        if found and len(rest) >= length:
            self.unread = rest[length:]
            self.answer(head.split(b" ", 2), rest[:length])

    def answer(self, request, body):
        match request[:2]:
            case b"GET", b"/v1/models":
                models = [{"id": "bench-20-200", "object": "model", "created": 0, "owned_by": "bench"}]
                self.reply(200, {"object": "list", "data": models})
            case b"POST", b"/v1/chat/completions":
                asked = json.loads(body)
                script = SCRIPT.fullmatch(asked.get("model", ""))
                if script and script[1] in ("arguments", "calls"):
                    self.attack = self.loop.create_task(self.call_tools(asked, script[1], int(script[2])))
                elif script and asked.get("stream"):
                    self.stream(Completion(asked), script[1], rate=int(script[2]), size=int(script[3]))
                else:
                    self.refuse(400, "Ask for bench-<rate>-<count> with stream: true.")
            case b"POST", b"/v1/responses":
                asked = json.loads(body)
                script = SCRIPT.fullmatch(asked.get("model", ""))
                if script and script[1] in ("bench", "page") and asked.get("stream"):
                    self.stream(Response(asked), script[1], rate=int(script[2]), size=int(script[3]))
                else:
                    self.refuse(400, "Ask for bench-<rate>-<count> with stream: true.")
            case _:
                self.refuse(404, "No such address.")

    def refuse(self, status, message):
        self.reply(status, {"error": {"message": message, "type": "invalid_request_error", "code": None}})

    def reply(self, status, value):
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    def stream(self, answer, kind, rate, size):
        self.answering = answer
        self.period, self.count, self.pieces = 1 / rate, size, None
        if kind == "page":
            text = document_ending_as_it_begins(1000 * size)
            self.pieces = [json.dumps(text[start : start + 4])[1:-1].encode() for start in range(0, len(text), 4)]
            self.count = len(self.pieces)
        self.left = self.count
        self.transport.write(OPENING + b"".join(map(framed, answer.start())))
        self.token()
        self.due = self.loop.time() + random.random() * self.period
        self.timer = self.loop.call_at(self.due, self.tick)

    async def call_tools(self, asked, kind, size):
        """Calls tools until the client hangs up."""
        completion = Completion(asked)
        self.transport.write(OPENING)
        count = 0
        while not self.transport.is_closing():
            if kind == "calls":
                calls = [new_call(count + index, "{}") for index in range(size)]
            else:
                calls = (
                    [{"index": 0, "function": {"arguments": "x" * 1000 * size}}] if count else [new_call(0, '{"a": "')]
                )
            count += len(calls)
            self.transport.write(framed(completion.chunk({"tool_calls": calls})))
            await asyncio.sleep(0.001)

    def tick(self):
        if not self.left:
            return self.finish()
        self.token()
        self.due += self.period
        self.timer = self.loop.call_at(self.due, self.tick)

    def token(self):
        said = self.pieces[-self.left] if self.pieces else b"@%d;" % time.monotonic_ns()
        self.left -= 1
        self.transport.write(framed(self.answering.token(said)))

    def finish(self):
        self.transport.write(b"".join(map(framed, [*self.answering.end(self.count), b""])))


class Completion:
    """A chat completion: the data of its events. A token is JSON without the quotation marks."""

    def __init__(self, asked):
        self.wants_usage = (asked.get("stream_options") or {}).get("include_usage", False)
        self.base = {
            "id": f"chatcmpl-{random.getrandbits(96):024x}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": asked["model"],
            "service_tier": "default",
            "system_fingerprint": "fp_bench",
        }
        if self.wants_usage:
            self.base["usage"] = None
        self.before, self.after = self.chunk({"content": "|"}).split(b"|")

    def start(self):
        return [self.chunk({"role": "assistant", "content": "", "refusal": None})]

    def token(self, said):
        return b"%b%b%b" % (self.before, said, self.after)

    def end(self, count):
        yield self.chunk({}, "stop")
        if self.wants_usage:
            usage = {"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count}
            yield data(self.base | {"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    def chunk(self, delta, finish_reason=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return data(self.base | {"choices": [choice]})


class Response:
    """A response: the data of its events. As OpenAI's, those of tokens differ in their number and their padding."""

    def __init__(self, asked):
        self.number = 0
        self.response = {
            "id": f"resp_{random.getrandbits(200):050x}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "error": None,
            "model": asked["model"],
            "output": [],
            "usage": None,
        }
        self.item = {"id": f"msg_{random.getrandbits(200):050x}", "type": "message", "role": "assistant", "content": []}
        place = {"item_id": self.item["id"], "output_index": 0, "content_index": 0}
        sample = named("response.output_text.delta", 8, **place, delta="|", logprobs=[], obfuscation="~")
        before, self.between, rest = re.split(rb"\||~", sample)
        self.head, self.tail = before.split(b"8", 1)
        self.after = rest

    def start(self):
        yield self.event("response.created", response=self.response)
        yield self.event("response.in_progress", response=self.response)
        yield self.event("response.output_item.added", output_index=0, item=self.item)

    def token(self, said):
        self.number += 1
        padding = b"aB3dE6gH9jK2mN5"[: 1 + self.number % 15]
        return b"%b%d%b%b%b%b%b" % (self.head, self.number, self.tail, said, self.between, padding, self.after)

    def end(self, count):
        usage = {"input_tokens": 9, "output_tokens": count, "total_tokens": 9 + count}
        yield self.event("response.output_item.done", output_index=0, item=self.item)
        yield self.event("response.completed", response=self.response | {"status": "completed", "usage": usage})

    def event(self, type, **fields):
        self.number += 1
        return named(type, self.number, **fields)


def new_call(index, arguments):
    function = {"name": "clock", "arguments": arguments}
    return {"index": index, "id": f"call-{index}", "type": "function", "function": function}


def named(type, number, **fields):
    """One event of a response."""
    return b"event: %b\n%b" % (type.encode(), data({"type": type, "sequence_number": number} | fields))


def data(value):
    return b"data: %b\n\n" % json.dumps(value, separators=(",", ":")).encode()


def framed(body):
    """One chunk of HTTP's chunked encoding; an empty one ends the answer."""
    return b"%x\r\n%b\r\n" % (len(body), body)


async def serve(port):
    server = await asyncio.get_running_loop().create_server(Model, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    system.raise_file_limit()
    gc.disable()  # nothing here makes cycles worth a pause
    uvloop.run(serve(int(sys.argv[1])))
