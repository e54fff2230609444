import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { Connection } from "../../../static/chat/js/data/connection.js"

let connection, hookCalls, pings, time, isOnline

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] })
  ;[hookCalls, pings, time, isOnline] = [[], 0, 0, true]
  connection = new Connection(
    {
      onChange: () => hookCalls.push(connection.state),
      onBack: () => hookCalls.push("onBack"),
    },
    {
      ping: async () => {
        pings += 1
      },
      isOnline: () => isOnline,
      now: () => time,
    },
  )
})
afterEach(() => mock.timers.reset())

const pass = (ms) => {
  time += ms
  mock.timers.tick(ms)
}

test("nothing changes while calls succeed", () => {
  connection.report(true)
  connection.report(true, "stream")
  assert.equal(connection.state, "up")
  assert.deepEqual(hookCalls, [])
})

test("an unreachable server is pinged until it answers", () => {
  connection.report(false)
  assert.equal(connection.state, "reconnecting")
  pass(500)
  assert.equal(pings, 1)
  connection.report(false)
  pass(1000)
  assert.equal(pings, 2)
  connection.report(true)
  pass(60_000)
  assert.equal(pings, 2)
})

test("an outage has its seconds", () => {
  assert.equal(connection.downSeconds, 0)
  connection.report(false)
  time = 2000
  connection.report(false, "stream")
  time = 5500
  assert.deepEqual([connection.isDown, connection.downSeconds], [true, 5.5])
  connection.report(true)
  assert.equal(connection.downSeconds, 5.5)
  connection.report(true, "stream")
  assert.deepEqual([connection.isDown, connection.downSeconds], [false, 0])
})

test("a noticeable outage ends with a short notice", () => {
  connection.report(false)
  time = 2000
  connection.report(true)
  assert.deepEqual(hookCalls.slice(-2), ["back", "onBack"])
  pass(4000)
  assert.equal(connection.state, "up")
  assert.equal(hookCalls.at(-1), "up")
})

test("a short outage ends without a notice, but with onBack", () => {
  connection.report(false)
  time = 200
  connection.report(true)
  assert.equal(connection.state, "up")
  assert.equal(hookCalls.at(-1), "onBack")
})

test("offline needs both the browser and an unreachable server", () => {
  isOnline = false
  assert.equal(connection.state, "up") // a server on this machine needs no network
  connection.report(false)
  assert.equal(connection.state, "offline")
  isOnline = true
  assert.equal(connection.state, "reconnecting")
})

test("the connection is up when all sources are", () => {
  connection.report(false, "stream")
  pass(500)
  assert.equal(pings, 0) // a stream asks by itself
  connection.report(false)
  connection.report(true)
  assert.equal(connection.state, "reconnecting")
  connection.report(true, "stream")
  assert.equal(connection.state, "up")
})

test("losing the connection again ends the notice", () => {
  connection.report(false)
  time = 2000
  connection.report(true)
  connection.report(false)
  assert.equal(connection.state, "reconnecting")
  pass(200)
  connection.report(true)
  assert.equal(connection.state, "up")
})

test("check pings at once", () => {
  connection.check()
  assert.equal(pings, 1)
})
