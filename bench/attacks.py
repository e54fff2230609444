"""What one client does to stop the site: `python -m bench.attacks NAME PORT COOKIE` goes on until it is ended.

Every attack comes from an address of its own, as those of a client without a proxy do. `COOKIE` is a session key.
"""

import asyncio
import io
import json
import os
import random
import sys
import zipfile

from PIL import Image

from bench import system
from bench.load import request

ADDRESS = "127.0.0.9"
TOKEN = "c" * 32  # of CSRF
ROUND_PAUSE = 0.05  # seconds


class Attacker:
    """`share` makes an attack smaller than it is in the bench."""

    def __init__(self, port, session_key, share=1):
        self.port = port
        self.share = share
        self.headers = {"Cookie": f"sessionid={session_key}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(ADDRESS, 0))

    async def send(self, content):
        """Sends these bytes and reads the answer to its end."""
        try:
            reader, writer = await self.connect()
            writer.write(content)
            await writer.drain()
            answer = await reader.read()
            writer.close()
            return answer
        except OSError:  # the server hung up
            return b""

    def times(self, count):
        return round(count * self.share)

    def upload(self, path, name, content):
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        body = head + content + b"\r\n--b--\r\n"
        headers = self.headers | {"Host": "127.0.0.1", "Connection": "close", "Content-Length": len(body)}
        headers |= {"Content-Type": "multipart/form-data; boundary=b"}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def post(self, path, body):
        return request("POST", path, body, self.headers)


async def at_once(attacker, requests, pause=ROUND_PAUSE):
    """Sends all of these, again and again."""
    while True:
        await asyncio.gather(*(attacker.send(content) for content in requests))
        await asyncio.sleep(pause)


async def images(attacker):
    """Eight images of 49 megapixels at a time."""
    file = io.BytesIO()
    Image.new("RGB", (7000, 7000)).save(file, "PNG")
    await at_once(attacker, [attacker.upload("/api/attachments", "a.png", file.getvalue())] * 8)


async def imports(attacker):
    """A ZIP of pictures, a JSON bomb, a large export and malformed files, one after the other."""
    picture = io.BytesIO()
    Image.new("L", (5000, 5000)).save(picture, "PNG")
    bomb = b'{"format": "chat-export", "version": 1, "conversations": [' + b"[[]," * 12_000_000
    texts = ",".join(json.dumps({"mapping": {}, "title": "x" * 990}) for _ in range(100_000))
    files = [
        packed({"conversations.json": b"[]"} | {f"{number}.png": picture.getvalue() for number in range(40)}),
        packed({"conversations.json": bomb}),
        f"[{texts}]".encode(),
        *(bytes(random.Random(seed).randbytes(1000)) for seed in range(5)),
        *(b"PK\x03\x04" + random.Random(seed).randbytes(1000) for seed in range(5)),
        b"[" * 1_000_000,
        b'[{"mapping": {"a": NaN}}]',
    ]
    while True:
        for content in files:
            await attacker.send(attacker.upload("/api/import", "conversations.zip", content))


def packed(files):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for name, content in files.items():
            zip_file.writestr(name, content)
    return archive.getvalue()


async def anonymous(attacker):
    """1,000 half requests, 40 bodies of 100 MB and 100 logins at a time."""
    form = f"csrfmiddlewaretoken={TOKEN}&username=bench-0&password=wrong".encode()
    login = (
        b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: csrftoken="
        + TOKEN.encode()
        + b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b" % (len(form), form)
    )

    async def half_request():
        while True:
            try:
                reader, writer = await attacker.connect()
                writer.write(b"GET / HTTP/1.1\r\nHost: 127")
                await reader.read()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(1)

    async def body():
        head = b"POST /api/import HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n\r\n"
        while True:
            try:
                reader, writer = await attacker.connect()
                writer.write(head)
                for _ in range(100):
                    writer.write(bytes(1_000_000))
                    await writer.drain()
                await reader.read()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(1)

    await asyncio.gather(
        *(half_request() for _ in range(attacker.times(1000))),
        *(body() for _ in range(attacker.times(40))),
        at_once(attacker, [login] * attacker.times(100)),
    )


async def agent(attacker):
    """Answers whose model sends endless arguments, or calls tools without end; four at a time."""
    asks = [{"text": "Go", "assistant": slug} for slug in ("arguments-100-9", "calls-100-9")]
    await at_once(attacker, [attacker.post("/api/chat", body) for body in asks * 2])


async def streams(attacker):
    """500 streams of one run, 300 sockets and 300 messages at once."""
    answer = await attacker.send(attacker.post("/api/conversations", {"assistant": "bench-1-500"}))
    conversation = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
    path = f"/api/conversations/{conversation}/messages"
    answer = await attacker.send(attacker.post(path, {"text": "Go"}))
    events = json.loads(answer.partition(b"\r\n\r\n")[2])["events_url"]
    socket = (
        f"GET /ws/conversations/{conversation} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
        f"Cookie: {attacker.headers['Cookie']}\r\n\r\n"
    ).encode()
    await asyncio.gather(
        at_once(attacker, [request("GET", events, headers=attacker.headers)] * attacker.times(500), pause=1),
        at_once(attacker, [socket] * attacker.times(300), pause=1),
        at_once(attacker, [attacker.post(path, {"text": "And?"})] * attacker.times(300), pause=1),
    )


ATTACKS = {attack.__name__: attack for attack in (images, imports, anonymous, agent, streams)}


if __name__ == "__main__":
    os.nice(10)  # the clients that are measured share the core
    system.raise_file_limit()
    asyncio.run(ATTACKS[sys.argv[1]](Attacker(int(sys.argv[2]), sys.argv[3])))
