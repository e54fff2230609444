import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { retryDelay } from "../../../static/chat/js/data/backoff.js"
import { EventSourceStream, WebSocketStream } from "../../../static/chat/js/data/run_stream.js"

const flush = () => new Promise((resolve) => setImmediate(resolve))

class Source {
  static all = []
  readyState = 0

  constructor(url) {
    this.url = url
    Source.all.push(this)
  }

  close() {
    this.readyState = 2
  }

  say(seq, event) {
    this.onmessage({ data: JSON.stringify(event), lastEventId: String(seq) })
  }

  giveUp() {
    this.readyState = 2
    this.onerror()
  }
}

class Socket {
  static all = []
  readyState = 0
  sent = []

  constructor(url) {
    this.url = url
    Socket.all.push(this)
  }

  open() {
    this.readyState = 1
    this.onopen()
  }

  send(text) {
    this.sent.push(JSON.parse(text))
  }

  say(event) {
    this.onmessage({ data: JSON.stringify(event) })
  }

  close() {
    this.readyState = 3
  }

  drop(code = 1006) {
    this.readyState = 3
    this.onclose({ code })
  }
}

let received, position, answer
const listener = () => ({
  onEvent: (runId, event, seq) => {
    position = seq
    received.push([runId, event.type, seq])
  },
  onRunEnded: (runId) => received.push(["ended", runId]),
  onNotFound: () => received.push(["not found"]),
  onConnection: (isUp) => received.push([isUp ? "up" : "down"]),
  onRunCreated: ({ run_id }) => received.push(["run created", run_id]),
  onSignedOut: () => received.push(["signed out"]),
})
const getRun = async () => answer()
const streamed = () => new EventSourceStream(listener(), { getRun, EventSource: Source })
const socketed = () =>
  new WebSocketStream(listener(), { conversationId: "c", getRun, WebSocket: Socket, origin: "https://chat.test" })
const newest = (kind) => kind.all.at(-1)

beforeEach(() => {
  Source.all = []
  Socket.all = []
  received = []
  position = 0
  answer = () => ({ status: "in_progress" })
  mock.timers.enable({ apis: ["setTimeout"] })
})
afterEach(() => mock.timers.reset())

test("retry delays grow, are bounded and random", () => {
  assert.equal(
    retryDelay(0, () => 1),
    500,
  )
  assert.equal(
    retryDelay(0, () => 0),
    250,
  )
  assert.equal(
    retryDelay(3, () => 1),
    4000,
  )
  assert.equal(
    retryDelay(50, () => 1),
    20_000,
  )
})

test("EventSource: reads from the position and closes after the end", () => {
  const stream = streamed()
  position = 7
  stream.follow("run", () => position)
  const source = newest(Source)
  assert.equal(source.url, "/api/runs/run/events?after=7")
  source.say(8, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  source.say(9, { type: "RUN_FINISHED" })
  assert.deepEqual(received, [
    ["run", "TEXT_MESSAGE_CONTENT", 8],
    ["run", "RUN_FINISHED", 9],
  ])
  assert.equal(source.readyState, 2)
})

test("EventSource: following a run twice opens one stream", () => {
  const stream = streamed()
  stream.follow("run", () => 0)
  stream.follow("run", () => 0)
  assert.equal(Source.all.length, 1)
})

test("EventSource: after a lost connection, the browser reconnects by itself", async () => {
  streamed().follow("run", () => position)
  newest(Source).onerror() // readyState 0: connecting again
  await flush()
  mock.timers.tick(5000)
  assert.equal(Source.all.length, 1)
  assert.deepEqual(received, [["down"]])
})

test("EventSource: a source that gave up is replaced, and continues from the last position", async () => {
  streamed().follow("run", () => position)
  newest(Source).say(5, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  newest(Source).giveUp()
  await flush()
  assert.equal(Source.all.length, 1)
  mock.timers.tick(500)
  assert.equal(newest(Source).url, "/api/runs/run/events?after=5")
})

test("EventSource: delays grow with each failure and reset with an event", async () => {
  streamed().follow("run", () => position)
  for (let attempt = 0; attempt < 4; attempt += 1) {
    newest(Source).giveUp()
    await flush()
    mock.timers.tick(500 * 2 ** attempt)
    assert.equal(Source.all.length, attempt + 2)
  }
  newest(Source).giveUp()
  await flush()
  mock.timers.tick(3000)
  assert.equal(Source.all.length, 5)
  mock.timers.tick(5000)
  assert.equal(Source.all.length, 6)
  newest(Source).say(1, { type: "RUN_STARTED" })
  newest(Source).giveUp()
  await flush()
  mock.timers.tick(500)
  assert.equal(Source.all.length, 7)
})

test("EventSource: a run that ended meanwhile is reported and not followed again", async () => {
  answer = () => ({ status: "completed" })
  streamed().follow("run", () => position)
  newest(Source).giveUp()
  await flush()
  mock.timers.tick(60_000)
  assert.deepEqual(received, [["down"], ["ended", "run"]])
  assert.equal(Source.all.length, 1)
})

for (const status of [401, 404]) {
  test(`EventSource: stops when the run answers ${status}`, async () => {
    answer = () => {
      throw Object.assign(new Error(), { status })
    }
    streamed().follow("run", () => position)
    newest(Source).giveUp()
    await flush()
    mock.timers.tick(60_000)
    assert.equal(Source.all.length, 1)
    assert.equal(
      received.some(([what]) => what === "not found"),
      status === 404,
    )
  })
}

test("EventSource: keeps trying while the server does not answer", async () => {
  answer = () => {
    throw Object.assign(new Error(), { status: 0 })
  }
  streamed().follow("run", () => position)
  newest(Source).giveUp()
  await flush()
  mock.timers.tick(500)
  assert.equal(Source.all.length, 2)
})

test("EventSource: a silent connection is replaced", () => {
  streamed().follow("run", () => position)
  const first = newest(Source)
  mock.timers.tick(44_000)
  first.say(3, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  mock.timers.tick(44_000)
  assert.equal(Source.all.length, 1)
  mock.timers.tick(2000)
  assert.equal(first.readyState, 2)
  assert.equal(newest(Source).url, "/api/runs/run/events?after=3")
})

test("EventSource: pause closes the connection, resume continues from the position", async () => {
  const stream = streamed()
  stream.follow("run", () => position)
  newest(Source).say(4, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  stream.pause()
  assert.equal(newest(Source).readyState, 2)
  stream.follow("other", () => 0)
  mock.timers.tick(60_000)
  assert.equal(Source.all.length, 1)
  stream.resume()
  assert.deepEqual(
    Source.all.slice(1).map(({ url }) => url),
    ["/api/runs/run/events?after=4", "/api/runs/other/events?after=0"],
  )
})

test("EventSource: pausing while a lost run is looked up opens one stream", async () => {
  const stream = streamed()
  stream.follow("run", () => position)
  newest(Source).giveUp()
  stream.pause()
  stream.resume()
  await flush()
  mock.timers.tick(20_000)
  assert.equal(Source.all.length, 2)
})

test("EventSource: leave ends the attempts to reconnect", async () => {
  const stream = streamed()
  stream.follow("run", () => position)
  newest(Source).giveUp()
  stream.leave("run")
  await flush()
  mock.timers.tick(60_000)
  assert.equal(Source.all.length, 1)
})

test("WebSocket: follows its runs once open, and again after a loss", async () => {
  const stream = socketed()
  stream.follow("run", () => position)
  assert.equal(newest(Socket).url, "wss://chat.test/ws/conversations/c")
  assert.deepEqual(newest(Socket).sent, [])
  newest(Socket).open()
  assert.deepEqual(newest(Socket).sent, [{ type: "run.follow", run_id: "run", after: 0 }])
  newest(Socket).say({ type: "TEXT_MESSAGE_CONTENT", delta: "x", runId: "run", seq: 3 })
  newest(Socket).drop()
  await flush()
  mock.timers.tick(500)
  newest(Socket).open()
  assert.equal(Socket.all.length, 2)
  assert.deepEqual(newest(Socket).sent, [{ type: "run.follow", run_id: "run", after: 3 }])
})

test("WebSocket: reports events and new runs, and stops after the end", () => {
  const stream = socketed()
  newest(Socket).open()
  newest(Socket).say({ type: "run.created", run_id: "run" })
  stream.follow("run", () => position)
  newest(Socket).say({ type: "RUN_STARTED", runId: "run", seq: 1 })
  newest(Socket).say({ type: "RUN_FINISHED", runId: "run", seq: 2 })
  newest(Socket).say({ type: "TEXT_MESSAGE_CONTENT", delta: "late", runId: "run", seq: 3 })
  assert.deepEqual(received, [["up"], ["run created", "run"], ["run", "RUN_STARTED", 1], ["run", "RUN_FINISHED", 2]])
})

test("WebSocket: does not reconnect when refused or signed out", async () => {
  for (const [code, word] of [
    [4404, "not found"],
    [4401, "signed out"],
  ]) {
    socketed()
    const count = Socket.all.length
    newest(Socket).drop(code)
    await flush()
    mock.timers.tick(60_000)
    assert.equal(Socket.all.length, count)
    assert.deepEqual(received.at(-1), [word])
  }
})

test("WebSocket: with too many sockets open, it tries again after longer and longer delays", async () => {
  socketed()
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const count = Socket.all.length
    newest(Socket).open() // the server accepts a socket before it closes it with a code
    newest(Socket).drop(4429)
    await flush()
    mock.timers.tick(250 * 2 ** attempt - 1)
    assert.equal(Socket.all.length, count)
    mock.timers.tick(250 * 2 ** attempt + 1)
    assert.equal(Socket.all.length, count + 1)
  }
})

test("WebSocket: a run that ended during a loss is reported", async () => {
  answer = () => ({ status: "failed" })
  socketed().follow("run", () => position)
  newest(Socket).open()
  newest(Socket).drop()
  await flush()
  assert.deepEqual(received.at(-1), ["ended", "run"])
})

test("WebSocket: pause closes the socket, resume opens it", () => {
  const stream = socketed()
  newest(Socket).open()
  stream.pause()
  assert.equal(newest(Socket).readyState, 3)
  mock.timers.tick(60_000)
  assert.equal(Socket.all.length, 1)
  stream.resume()
  assert.equal(Socket.all.length, 2)
})
