import assert from "node:assert/strict"
import { test } from "node:test"

import { activityOf } from "../../../static/chat/js/data/activity.js"
import { joinReplies } from "../../../static/chat/js/data/turns.js"
import {
  at,
  callEnd,
  callResult,
  callStart,
  finished,
  played,
  reply,
  started,
  text,
  textEnd,
  textStart,
  thought,
  thoughtEnd,
  thoughtStart,
} from "./run_events.js"

const ASKED = Date.parse("2026-01-01T12:00:00Z")
const CREATED = { created_at: "2026-01-01T12:00:00Z" }

// What is going on in this reply a minute after the question, of which the page saw the last change `quiet` seconds ago.
const activity = (message, { quiet = 5, areStepsShown = true, before = [] } = {}) => {
  const now = ASKED + 60_000
  const last = { ...message, ...CREATED }
  const answer = joinReplies([...before, last], { isLast: true, now })
  const found = activityOf(answer, last, { areStepsShown, changedAt: now - quiet * 1000, now })
  return found && [found.kind, (now - found.since) / 1000]
}

test("a queued answer waits since the question was asked", () => {
  assert.deepEqual(activity(reply()), ["queued", 60])
})

test("a model reads the message from the start of the run to the first word", () => {
  assert.deepEqual(activity(played(started)), ["reading", 5])
  assert.deepEqual(activity({ ...played(started), started_at: "2026-01-01T12:00:20Z" }), ["reading", 40])
  assert.deepEqual(activity(played(started, textStart)), ["reading", 5])
})

test("a note about the conversation is not what the model reads", () => {
  const note = { type: "CUSTOM", name: "context_trimmed", value: { kept: 2 } }
  const noted = played(started, note)
  assert.equal(noted.parts.length, 1)
  assert.deepEqual(activity(noted), ["reading", 5])
  const done = [at(callStart("a", "f"), ASKED), callEnd("a"), at(callResult("a", "1"), ASKED + 30_000)]
  assert.deepEqual(activity(played(started, ...done, note)), ["reading_result", 30])
  assert.equal(activity(played(started, textStart, text("Hello"), note)), null)
})

test("an answer that is continued is waited for from the start of its own run", () => {
  const before = [{ ...played(started, textStart, text("Hel")), status: "interrupted", ...CREATED }]
  assert.deepEqual(activity(played(started), { before }), ["reading", 5])
})

test("text that arrives needs no words", () => {
  assert.equal(activity(played(started, textStart, text("Hello")), { quiet: 9 }), null)
})

test("text that stops arriving is waited for", () => {
  assert.deepEqual(activity(played(started, textStart, text("Hello")), { quiet: 42 }), ["silent", 42])
  assert.deepEqual(activity(played(started, textStart, text("Hello"), textEnd), { quiet: 42 }), ["silent", 42])
})

test("thoughts are waited for where their line is not on the page", () => {
  const running = played(started, at(thoughtStart[0], ASKED + 10_000), thoughtStart[1], thought("hm"))
  assert.equal(activity(running), null)
  assert.deepEqual(activity(running, { areStepsShown: false }), ["thinking", 50])
})

test("the answer is waited for after the thoughts", () => {
  const begin = [at(thoughtStart[0], ASKED), thoughtStart[1], thought("hm")]
  assert.deepEqual(activity(played(started, ...begin, at(thoughtEnd[1], ASKED + 9_000))), ["thinking", 5])
})

test("a tool is waited for where its line is not on the page", () => {
  const running = played(started, at(callStart("a", "f"), ASKED + 20_000), callEnd("a"))
  assert.equal(activity(running), null)
  assert.deepEqual(activity(running, { areStepsShown: false }), ["using_tool", 40])
})

test("one of several tools is waited for until all have answered", () => {
  const both = [at(callStart("a", "f"), ASKED), callEnd("a"), at(callStart("b", "g"), ASKED + 30_000), callEnd("b")]
  const one = played(started, ...both, at(callResult("b", "2"), ASKED + 40_000))
  assert.deepEqual(activity(one, { areStepsShown: false }), ["using_tool", 60])
})

test("a model reads the result since the tool has answered", () => {
  const done = played(started, at(callStart("a", "f"), ASKED), callEnd("a"), at(callResult("a", "1"), ASKED + 30_000))
  assert.deepEqual(activity(done, { quiet: 2 }), ["reading_result", 30])
})

test("a model reads the result of a tool that was approved", () => {
  const before = [{ ...played(started, callStart("a", "f"), callEnd("a"), finished("interrupt")), ...CREATED }]
  assert.deepEqual(activity(played(started, callResult("a", "1")), { before }), ["reading_result", 5])
})
