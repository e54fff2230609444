import assert from "node:assert/strict"
import { beforeEach, mock, test } from "node:test"

import { Updates } from "../../../static/chat/js/data/updates.js"

let sockets, hookCalls, isReady, time, updates

class Socket {
  readyState = 0
  sent = []

  constructor(url) {
    this.url = url
    sockets.push(this)
  }

  open() {
    this.readyState = 1
    this.onopen()
  }

  receive(message) {
    this.onmessage({ data: JSON.stringify(message) })
  }

  send(text) {
    this.sent.push(JSON.parse(text))
  }

  close() {
    this.readyState = 2
  }

  lose(code = 1006) {
    this.readyState = 3
    this.onclose({ code })
  }
}

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ["setTimeout"] })
  sockets = []
  hookCalls = []
  time = 0
  const names = ["onChanged", "onDeleted", "onMissed", "onSignedOut"]
  const listener = Object.fromEntries(names.map((name) => [name, (...args) => hookCalls.push([name, ...args])]))
  isReady = false
  listener.onReady = () => {
    isReady = true
  }
  updates = new Updates(listener, { WebSocket: Socket, origin: "https://chat.test", now: () => time })
})

test("changes and deletions are reported", () => {
  assert.equal(sockets[0].url, "wss://chat.test/ws/news")
  sockets[0].open()
  sockets[0].receive({ type: "conversation.changed", conversation: { id: "a" } })
  sockets[0].receive({ type: "conversation.deleted", id: "b" })
  sockets[0].receive({ type: "something.else" })
  assert.deepEqual(hookCalls, [
    ["onChanged", { id: "a" }],
    ["onDeleted", "b"],
  ])
})

test("onReady is called when the socket opens", () => {
  assert.equal(isReady, false)
  sockets[0].open()
  assert.equal(isReady, true)
  assert.deepEqual(hookCalls, [])
})

test("a lost socket is reopened, and reports that updates were missed", () => {
  sockets[0].open()
  sockets[0].lose()
  assert.equal(updates.isConnected, false)
  mock.timers.tick(500)
  assert.equal(sockets.length, 2)
  assert.deepEqual(hookCalls, [])
  sockets[1].open()
  assert.deepEqual(hookCalls, [["onMissed"]])
})

test("a socket that failed at first reports that updates were missed", () => {
  sockets[0].lose()
  mock.timers.tick(500)
  sockets[1].open()
  assert.deepEqual(hookCalls, [["onMissed"]])
})

test("the delay between attempts grows", () => {
  for (let count = 0; count < 8; count += 1) {
    sockets.at(-1).lose()
    mock.timers.tick(20_000)
  }
  const before = sockets.length
  sockets.at(-1).lose()
  mock.timers.tick(9_000)
  assert.equal(sockets.length, before)
})

test("a signed-out socket is not reopened", () => {
  sockets[0].open()
  sockets[0].lose(4401)
  mock.timers.tick(60_000)
  assert.deepEqual([hookCalls, sockets.length], [[["onSignedOut"]], 1])
})

test("a visible page is refreshed", () => {
  sockets[0].open()
  updates.hide()
  time += 1_000
  updates.show()
  assert.deepEqual([hookCalls, sockets.length], [[["onMissed"]], 1])
})

test("a socket is replaced after a long absence", () => {
  sockets[0].open()
  updates.hide()
  time += 60_000
  updates.show()
  assert.deepEqual([hookCalls, sockets.length, sockets[0].readyState], [[], 2, 2])
  sockets[1].open()
  assert.deepEqual(hookCalls, [["onMissed"]])
})

test("a closed socket is reopened when the page is shown again", () => {
  sockets[0].open()
  updates.close()
  updates.show()
  assert.equal(sockets.length, 2)
  sockets[1].open()
  assert.deepEqual(hookCalls, [["onMissed"]])
})

test("the end of a replaced socket is ignored", () => {
  sockets[0].open()
  updates.hide()
  time += 60_000
  updates.show()
  sockets[0].lose()
  mock.timers.tick(60_000)
  assert.equal(sockets.length, 2)
})

test("showing the page while connecting opens no second socket", () => {
  updates.hide()
  updates.show()
  assert.deepEqual([hookCalls, sockets.length], [[], 1])
})

const show = (id) => ({ type: "conversation.show", conversation_id: id })

test("the temporary conversation is named once connected, when asked, and after a reconnect", () => {
  updates.keep("a")
  sockets[0].open()
  sockets[0].receive({ type: "conversation.show_again" })
  assert.deepEqual(sockets[0].sent, [show("a"), show("a")])
  sockets[0].lose()
  mock.timers.tick(1_000)
  sockets[1].open()
  updates.keep(null)
  assert.deepEqual(sockets[1].sent, [show("a"), show(null)])
})

test("a temporary conversation that the server does not know was deleted", () => {
  sockets[0].open()
  sockets[0].receive({ type: "error", error: { code: "not_found" } })
  updates.keep("a")
  sockets[0].receive({ type: "error", error: { code: "not_found" } })
  assert.deepEqual(hookCalls, [["onDeleted", "a"]])
})

test("a silent socket is replaced while a temporary conversation is shown", () => {
  sockets[0].open()
  mock.timers.tick(60_000)
  assert.equal(sockets.length, 1)
  updates.keep("a")
  mock.timers.tick(14_000)
  sockets[0].receive({ type: "conversation.show_again" })
  mock.timers.tick(14_000)
  assert.equal(sockets.length, 1)
  mock.timers.tick(1_000)
  assert.equal(sockets.length, 2)
})
