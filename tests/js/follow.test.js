import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { pauseBefore, SocketFollower, StreamFollower } from "../../static/chat/js/follow.js"

const settled = () => new Promise((resolve) => setImmediate(resolve))

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

let heard, position, answer
const listener = () => ({
  onEvent: (runId, event, seq) => {
    position = seq
    heard.push([runId, event.type, seq])
  },
  onOver: (runId) => heard.push(["over", runId]),
  onGone: () => heard.push(["gone"]),
  onConnection: (isUp) => heard.push([isUp ? "up" : "down"]),
  onAnnounce: ({ run_id }) => heard.push(["announce", run_id]),
  onAnonymous: () => heard.push(["anonymous"]),
})
const ask = async () => answer()
const streamed = () => new StreamFollower(listener(), { ask, EventSource: Source })
const socketed = () => new SocketFollower(listener(), { conversationId: "c", ask, WebSocket: Socket, origin: "https://chat.test" })
const newest = (kind) => kind.all.at(-1)

beforeEach(() => {
  Source.all = []
  Socket.all = []
  heard = []
  position = 0
  answer = () => ({ status: "in_progress" })
  mock.timers.enable({ apis: ["setTimeout"] })
})
afterEach(() => mock.timers.reset())

test("pauses grow, stay bounded and never fall into step", () => {
  assert.equal(pauseBefore(0, () => 1), 500)
  assert.equal(pauseBefore(0, () => 0), 250)
  assert.equal(pauseBefore(3, () => 1), 4000)
  assert.equal(pauseBefore(50, () => 1), 20_000)
})

test("it reads from the position and closes after the end", () => {
  const follower = streamed()
  position = 7
  follower.follow("run", () => position)
  const source = newest(Source)
  assert.equal(source.url, "/api/runs/run/events?after=7")
  source.say(8, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  source.say(9, { type: "RUN_FINISHED" })
  assert.deepEqual(heard, [["run", "TEXT_MESSAGE_CONTENT", 8], ["run", "RUN_FINISHED", 9]])
  assert.equal(source.readyState, 2)
})

test("following twice opens one stream", () => {
  const follower = streamed()
  follower.follow("run", () => 0)
  follower.follow("run", () => 0)
  assert.equal(Source.all.length, 1)
})

test("a cut that the browser mends is left to the browser", async () => {
  streamed().follow("run", () => position)
  newest(Source).onerror() // readyState 0: connecting again
  await settled()
  mock.timers.tick(5000)
  assert.equal(Source.all.length, 1)
  assert.deepEqual(heard, [["down"]])
})

test("a source that gave up is replaced after a pause, from the last position", async () => {
  streamed().follow("run", () => position)
  newest(Source).say(5, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  newest(Source).giveUp()
  await settled()
  assert.equal(Source.all.length, 1)
  mock.timers.tick(500)
  assert.equal(newest(Source).url, "/api/runs/run/events?after=5")
})

test("failure after failure waits longer, a word from the server resets it", async () => {
  streamed().follow("run", () => position)
  for (let attempt = 0; attempt < 4; attempt += 1) {
    newest(Source).giveUp()
    await settled()
    mock.timers.tick(500 * 2 ** attempt)
    assert.equal(Source.all.length, attempt + 2)
  }
  newest(Source).giveUp()
  await settled()
  mock.timers.tick(3000)
  assert.equal(Source.all.length, 5)
  mock.timers.tick(5000)
  assert.equal(Source.all.length, 6)
  newest(Source).say(1, { type: "RUN_STARTED" })
  newest(Source).giveUp()
  await settled()
  mock.timers.tick(500)
  assert.equal(Source.all.length, 7)
})

test("a run that ended meanwhile is over, and nobody asks for it again", async () => {
  answer = () => ({ status: "completed" })
  streamed().follow("run", () => position)
  newest(Source).giveUp()
  await settled()
  mock.timers.tick(60_000)
  assert.deepEqual(heard, [["down"], ["over", "run"]])
  assert.equal(Source.all.length, 1)
})

for (const status of [401, 404]) {
  test(`it stops when the run answers ${status}`, async () => {
    answer = () => {
      throw Object.assign(new Error(), { status })
    }
    streamed().follow("run", () => position)
    newest(Source).giveUp()
    await settled()
    mock.timers.tick(60_000)
    assert.equal(Source.all.length, 1)
    assert.equal(heard.some(([what]) => what === "gone"), status === 404)
  })
}

test("a server that does not answer is tried again", async () => {
  answer = () => {
    throw Object.assign(new Error(), { status: 0 })
  }
  streamed().follow("run", () => position)
  newest(Source).giveUp()
  await settled()
  mock.timers.tick(500)
  assert.equal(Source.all.length, 2)
})

test("silence longer than any heartbeat is a dead connection", () => {
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

test("a paused follower holds no connection and goes on where it was", async () => {
  const follower = streamed()
  follower.follow("run", () => position)
  newest(Source).say(4, { type: "TEXT_MESSAGE_CONTENT", delta: "x" })
  follower.pause()
  assert.equal(newest(Source).readyState, 2)
  follower.follow("other", () => 0)
  mock.timers.tick(60_000)
  assert.equal(Source.all.length, 1)
  follower.resume()
  assert.deepEqual(Source.all.slice(1).map(({ url }) => url), ["/api/runs/run/events?after=4", "/api/runs/other/events?after=0"])
})

test("a pause during the question about a lost run does not open it twice", async () => {
  const follower = streamed()
  follower.follow("run", () => position)
  newest(Source).giveUp()
  follower.pause()
  follower.resume()
  await settled()
  mock.timers.tick(20_000)
  assert.equal(Source.all.length, 2)
})

test("who left hears nothing more", async () => {
  const follower = streamed()
  follower.follow("run", () => position)
  newest(Source).giveUp()
  follower.leave("run")
  await settled()
  mock.timers.tick(60_000)
  assert.equal(Source.all.length, 1)
})

test("the socket asks for its runs once it is open, and again after it was lost", async () => {
  const follower = socketed()
  follower.follow("run", () => position)
  assert.equal(newest(Socket).url, "wss://chat.test/ws/conversations/c")
  assert.deepEqual(newest(Socket).sent, [])
  newest(Socket).open()
  assert.deepEqual(newest(Socket).sent, [{ type: "run.follow", run_id: "run", after: 0 }])
  newest(Socket).say({ type: "TEXT_MESSAGE_CONTENT", delta: "x", runId: "run", seq: 3 })
  newest(Socket).drop()
  await settled()
  mock.timers.tick(500)
  newest(Socket).open()
  assert.equal(Socket.all.length, 2)
  assert.deepEqual(newest(Socket).sent, [{ type: "run.follow", run_id: "run", after: 3 }])
})

test("the socket tells events and announcements, and stops after the end", () => {
  const follower = socketed()
  newest(Socket).open()
  newest(Socket).say({ type: "run.created", run_id: "run" })
  follower.follow("run", () => position)
  newest(Socket).say({ type: "RUN_STARTED", runId: "run", seq: 1 })
  newest(Socket).say({ type: "RUN_FINISHED", runId: "run", seq: 2 })
  newest(Socket).say({ type: "TEXT_MESSAGE_CONTENT", delta: "late", runId: "run", seq: 3 })
  assert.deepEqual(heard, [["up"], ["announce", "run"], ["run", "RUN_STARTED", 1], ["run", "RUN_FINISHED", 2]])
})

test("a socket for strangers or without a session is not tried again", async () => {
  for (const [code, word] of [[4404, "gone"], [4401, "anonymous"]]) {
    socketed()
    const count = Socket.all.length
    newest(Socket).drop(code)
    await settled()
    mock.timers.tick(60_000)
    assert.equal(Socket.all.length, count)
    assert.deepEqual(heard.at(-1), [word])
  }
})

test("a run that ended while the socket was away is over", async () => {
  answer = () => ({ status: "failed" })
  socketed().follow("run", () => position)
  newest(Socket).open()
  newest(Socket).drop()
  await settled()
  assert.deepEqual(heard.at(-1), ["over", "run"])
})

test("a paused socket is closed and opened again", () => {
  const follower = socketed()
  newest(Socket).open()
  follower.pause()
  assert.equal(newest(Socket).readyState, 3)
  mock.timers.tick(60_000)
  assert.equal(Socket.all.length, 1)
  follower.resume()
  assert.equal(Socket.all.length, 2)
})
