import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { Connection } from "../../static/chat/js/connection.js"

let connection, told, asked, time, isOnline

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] })
  ;[told, asked, time, isOnline] = [[], 0, 0, true]
  connection = new Connection({
    onChange: () => told.push(connection.state),
    onBack: () => told.push("onBack"),
  }, {
    reach: async () => { asked += 1 },
    isOnline: () => isOnline,
    now: () => time,
  })
})
afterEach(() => mock.timers.reset())

const pass = (ms) => {
  time += ms
  mock.timers.tick(ms)
}

test("nothing is said while everything is well", () => {
  connection.hear(true)
  connection.hear(true, "stream")
  assert.equal(connection.state, "up")
  assert.deepEqual(told, [])
})

test("a server that cannot be reached is asked again until it can", () => {
  connection.hear(false)
  assert.equal(connection.state, "reconnecting")
  pass(500)
  assert.equal(asked, 1)
  connection.hear(false)
  pass(1000)
  assert.equal(asked, 2)
  connection.hear(true)
  pass(60_000)
  assert.equal(asked, 2)
})

test("who was away for a while hears that it is back, and for a moment only", () => {
  connection.hear(false)
  time = 2000
  connection.hear(true)
  assert.deepEqual(told.slice(-2), ["back", "onBack"])
  pass(4000)
  assert.equal(connection.state, "up")
  assert.equal(told.at(-1), "up")
})

test("what nobody noticed is not told, but what waited goes on", () => {
  connection.hear(false)
  time = 200
  connection.hear(true)
  assert.equal(connection.state, "up")
  assert.equal(told.at(-1), "onBack")
})

test("offline is said where the browser knows so and the server cannot be reached either", () => {
  isOnline = false
  assert.equal(connection.state, "up") // a server on this machine needs no network
  connection.hear(false)
  assert.equal(connection.state, "offline")
  isOnline = true
  assert.equal(connection.state, "reconnecting")
})

test("it is back when everybody is", () => {
  connection.hear(false, "stream")
  pass(500)
  assert.equal(asked, 0) // a stream asks by itself
  connection.hear(false)
  connection.hear(true)
  assert.equal(connection.state, "reconnecting")
  connection.hear(true, "stream")
  assert.equal(connection.state, "up")
})

test("losing it again ends the joy", () => {
  connection.hear(false)
  time = 2000
  connection.hear(true)
  connection.hear(false)
  assert.equal(connection.state, "reconnecting")
  pass(200)
  connection.hear(true)
  assert.equal(connection.state, "up")
})

test("a sign from outside makes it look at once", () => {
  connection.look()
  assert.equal(asked, 1)
})
