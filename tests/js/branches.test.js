import assert from "node:assert/strict"
import { test } from "node:test"

import { Branches } from "../../static/chat/js/branches.js"

const asks = (id, parent_id = null) => ({ id, parent_id, role: "user" })
const says = (id, parent_id) => ({ id, parent_id, role: "assistant" })
const versions = (messages, ...ids) => new Branches(messages).of(ids.map((id) => messages.find((message) => message.id === id)))

test("what was said once has one version", () => {
  const messages = [asks("q"), says("a", "q")]
  assert.deepEqual(versions(messages, "q"), { index: 0, ends: ["a"] })
  assert.deepEqual(versions(messages, "a"), { index: 0, ends: ["a"] })
})

test("edits are versions of each other, each with the newest of what follows it", () => {
  const messages = [asks("q"), says("a", "q"), asks("more", "a"), says("b", "more"), asks("q2"), says("c", "q2"), says("late", "more")]
  assert.deepEqual(versions(messages, "q"), { index: 0, ends: ["late", "c"] })
  assert.deepEqual(versions(messages, "q2"), { index: 1, ends: ["late", "c"] })
  assert.deepEqual(versions(messages, "more").ends, ["late"])
})

test("an edit below another message is none of the first", () => {
  const messages = [asks("q"), says("a", "q"), asks("m1", "a"), asks("m2", "a"), says("x", "m1")]
  assert.deepEqual(versions(messages, "m2"), { index: 1, ends: ["x", "m2"] })
  assert.deepEqual(versions(messages, "q").ends, ["x"])
})

test("answers to the same question are versions, with what was said after them", () => {
  const messages = [asks("q"), says("a", "q"), says("b", "q"), asks("thanks", "a"), says("welcome", "thanks")]
  assert.deepEqual(versions(messages, "a"), { index: 0, ends: ["welcome", "b"] })
  assert.deepEqual(versions(messages, "b"), { index: 1, ends: ["welcome", "b"] })
})

test("an answer that went on is one version, and one that went on twice is two", () => {
  const messages = [asks("q"), says("half", "q"), says("rest", "half"), says("other rest", "half"), says("b", "q")]
  assert.deepEqual(versions(messages, "half", "rest"), { index: 0, ends: ["rest", "other rest", "b"] })
  assert.deepEqual(versions(messages, "half", "other rest"), { index: 1, ends: ["rest", "other rest", "b"] })
  assert.deepEqual(versions(messages, "b"), { index: 2, ends: ["rest", "other rest", "b"] })
})

test("one that went on and was answered before that is both", () => {
  const messages = [asks("q"), says("half", "q"), asks("stop", "half"), says("rest", "half")]
  assert.deepEqual(versions(messages, "half"), { index: 0, ends: ["stop", "rest"] })
  assert.deepEqual(versions(messages, "half", "rest"), { index: 1, ends: ["stop", "rest"] })
})

test("the newest behind a message is found from anywhere above it", () => {
  const branches = new Branches([asks("q"), says("a", "q"), says("b", "q"), asks("m", "a")])
  assert.deepEqual(["q", "a", "b", "m"].map((id) => branches.endOf(id)), ["m", "m", "b", "m"])
})

test("versions are told apart also while what they answer is not here", () => {
  const messages = [says("a", "old"), asks("m", "a"), says("b", "old"), says("c", "older")]
  assert.deepEqual(versions(messages, "b"), { index: 1, ends: ["m", "b"] })
  assert.deepEqual(versions(messages, "c"), { index: 0, ends: ["c"] })
})

test("parents that come later are none", () => {
  assert.deepEqual(versions([says("b", "c"), says("c", "b")], "b"), { index: 0, ends: ["c"] })
})
