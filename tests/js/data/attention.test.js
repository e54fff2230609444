import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

import { Attention } from "../../../static/chat/js/data/attention.js"

let attention, counts, seen, events, isConnected
beforeEach(() => {
  counts = []
  seen = []
  events = []
  isConnected = true
  attention = new Attention({
    onCount: (count) => counts.push(count),
    onSeen: (id) => isConnected && seen.push(id) > 0,
    onEvent: ({ id, activity }) => events.push(`${id} ${activity}`),
  })
})

const row = (id, activity, age = 0) => ({ id, activity, updated_at: new Date(Date.now() - age).toISOString() })
const news = (...args) => attention.take([row(...args)], { isNews: true })

test("what has an answer, a failure or a question is counted, unless the user looks at it", () => {
  attention.take([row("a", "answered"), row("b", "failed"), row("c", "waiting"), row("d", "answering"), row("e", null)])
  assert.equal(counts.at(-1), 3)
  attention.setOpen("a")
  assert.equal(counts.at(-1), 2)
  attention.setVisible(false)
  assert.equal(counts.at(-1), 3)
  attention.setVisible(true)
  attention.remove("b")
  attention.take([row("c", null)])
  assert.equal(counts.at(-1), 0)
})

test("a temporary chat is counted only in the page that has it open", () => {
  attention.take([{ ...row("a", "answered"), is_temporary: true }], { isNews: true })
  assert.deepEqual([counts.at(-1), events], [0, []])
  attention.setOpen("b")
  attention.setVisible(false)
  attention.take([{ ...row("b", "answered"), is_temporary: true }], { isNews: true })
  assert.deepEqual([counts.at(-1), events], [1, ["b answered"]])
})

test("the server is told once that an answer is seen, and only when it is", () => {
  attention.setVisible(false)
  attention.setOpen("a")
  news("a", "answering")
  news("a", "answered")
  assert.deepEqual(seen, [])
  attention.setVisible(true)
  news("a", "answered")
  assert.deepEqual(seen, ["a"])
  news("a", null)
  news("a", "answering")
  news("a", "failed")
  assert.deepEqual(seen, ["a", "a"])
  attention.setOpen("b")
  news("b", "waiting") // until it is answered
  assert.deepEqual(seen, ["a", "a"])
})

test("the server is told when the connection is back", () => {
  isConnected = false
  attention.setOpen("a")
  news("a", "answered")
  isConnected = true
  attention.take([row("a", "answered")])
  assert.deepEqual(seen, ["a"])
})

test("an event is what has just changed, once", () => {
  attention.take([row("old", "answered"), row("a", null)])
  news("a", "answering")
  news("a", "answered")
  news("a", "answered") // got a title
  news("a", "answering")
  news("a", "waiting")
  news("quick", "failed")
  news("renamed", "answered", 100_000)
  assert.deepEqual(events, ["a answered", "a waiting", "quick failed"])
})
