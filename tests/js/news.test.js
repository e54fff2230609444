import assert from "node:assert/strict"
import { beforeEach, mock, test } from "node:test"

import { News } from "../../static/chat/js/news.js"

let sockets, told, isReady, time, news

class Socket {
  readyState = 0

  constructor(url) {
    this.url = url
    sockets.push(this)
  }

  open() {
    this.readyState = 1
    this.onopen()
  }

  tell(message) {
    this.onmessage({ data: JSON.stringify(message) })
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
  told = []
  time = 0
  const names = ["onChanged", "onDeleted", "onAgain", "onAnonymous"]
  const listener = Object.fromEntries(names.map((name) => [name, (...given) => told.push([name, ...given])]))
  isReady = false
  listener.onReady = () => {
    isReady = true
  }
  news = new News(listener, { WebSocket: Socket, origin: "https://chat.test", now: () => time })
})

test("it hears of what changes and what is deleted", () => {
  assert.equal(sockets[0].url, "wss://chat.test/ws/news")
  sockets[0].open()
  sockets[0].tell({ type: "conversation.changed", conversation: { id: "a" } })
  sockets[0].tell({ type: "conversation.deleted", id: "b" })
  sockets[0].tell({ type: "something.else" })
  assert.deepEqual(told, [["onChanged", { id: "a" }], ["onDeleted", "b"]])
})

test("it tells when it begins to hear", () => {
  assert.equal(isReady, false)
  sockets[0].open()
  assert.equal(isReady, true)
  assert.deepEqual(told, [])
})

test("a lost socket is opened again, and what was missed is looked up", () => {
  sockets[0].open()
  sockets[0].lose()
  assert.equal(news.isConnected, false)
  mock.timers.tick(500)
  assert.equal(sockets.length, 2)
  assert.deepEqual(told, [])
  sockets[1].open()
  assert.deepEqual(told, [["onAgain"]])
})

test("so is one that could not be opened at first", () => {
  sockets[0].lose()
  mock.timers.tick(500)
  sockets[1].open()
  assert.deepEqual(told, [["onAgain"]])
})

test("a server that is not there is asked less and less", () => {
  for (let count = 0; count < 8; count += 1) {
    sockets.at(-1).lose()
    mock.timers.tick(20_000)
  }
  const before = sockets.length
  sockets.at(-1).lose()
  mock.timers.tick(9_000)
  assert.equal(sockets.length, before)
})

test("a session that ended is not knocked at", () => {
  sockets[0].open()
  sockets[0].lose(4401)
  mock.timers.tick(60_000)
  assert.deepEqual([told, sockets.length], [[["onAnonymous"]], 1])
})

test("a page that comes to the front looks at once", () => {
  sockets[0].open()
  news.hide()
  time += 1_000
  news.show()
  assert.deepEqual([told, sockets.length], [[["onAgain"]], 1])
})

test("after a long absence it trusts no socket", () => {
  sockets[0].open()
  news.hide()
  time += 60_000
  news.show()
  assert.deepEqual([told, sockets.length, sockets[0].readyState], [[], 2, 2])
  sockets[1].open()
  assert.deepEqual(told, [["onAgain"]])
})

test("a page that was put away and comes back has a socket again", () => {
  sockets[0].open()
  news.close()
  news.show()
  assert.equal(sockets.length, 2)
  sockets[1].open()
  assert.deepEqual(told, [["onAgain"]])
})

test("what an old socket still says of its end is no news", () => {
  sockets[0].open()
  news.open()
  sockets[0].lose()
  mock.timers.tick(60_000)
  assert.equal(sockets.length, 2)
})

test("coming to the front while it still connects asks for nothing twice", () => {
  news.hide()
  news.show()
  assert.deepEqual([told, sockets.length], [[], 1])
})
