import assert from "node:assert/strict"
import { test } from "node:test"

import { Branches } from "../../../static/chat/js/data/branches.js"

const asks = (id, parent_id = null) => ({ id, parent_id, role: "user" })
const says = (id, parent_id) => ({ id, parent_id, role: "assistant" })
const versions = (messages, ...ids) =>
  new Branches(messages).versionsOf(ids.map((id) => messages.find((message) => message.id === id)))

test("a message without alternatives has one version", () => {
  const messages = [asks("q"), says("a", "q")]
  assert.deepEqual(versions(messages, "q"), { index: 0, leafIds: ["a"] })
  assert.deepEqual(versions(messages, "a"), { index: 0, leafIds: ["a"] })
})

test("edits are versions of each other, each ending in its newest descendant", () => {
  const messages = [
    asks("q"),
    says("a", "q"),
    asks("more", "a"),
    says("b", "more"),
    asks("q2"),
    says("c", "q2"),
    says("late", "more"),
  ]
  assert.deepEqual(versions(messages, "q"), { index: 0, leafIds: ["late", "c"] })
  assert.deepEqual(versions(messages, "q2"), { index: 1, leafIds: ["late", "c"] })
  assert.deepEqual(versions(messages, "more").leafIds, ["late"])
})

test("edits below another message are not versions", () => {
  const messages = [asks("q"), says("a", "q"), asks("m1", "a"), asks("m2", "a"), says("x", "m1")]
  assert.deepEqual(versions(messages, "m2"), { index: 1, leafIds: ["x", "m2"] })
  assert.deepEqual(versions(messages, "q").leafIds, ["x"])
})

test("answers to one question are versions, each with what followed", () => {
  const messages = [asks("q"), says("a", "q"), says("b", "q"), asks("thanks", "a"), says("welcome", "thanks")]
  assert.deepEqual(versions(messages, "a"), { index: 0, leafIds: ["welcome", "b"] })
  assert.deepEqual(versions(messages, "b"), { index: 1, leafIds: ["welcome", "b"] })
})

test("an answer continued once is one version, continued twice it is two", () => {
  const messages = [asks("q"), says("half", "q"), says("rest", "half"), says("other rest", "half"), says("b", "q")]
  assert.deepEqual(versions(messages, "half", "rest"), { index: 0, leafIds: ["rest", "other rest", "b"] })
  assert.deepEqual(versions(messages, "half", "other rest"), { index: 1, leafIds: ["rest", "other rest", "b"] })
  assert.deepEqual(versions(messages, "b"), { index: 2, leafIds: ["rest", "other rest", "b"] })
})

test("an answer that was continued and also replied to is two versions", () => {
  const messages = [asks("q"), says("half", "q"), asks("stop", "half"), says("rest", "half")]
  assert.deepEqual(versions(messages, "half"), { index: 0, leafIds: ["stop", "rest"] })
  assert.deepEqual(versions(messages, "half", "rest"), { index: 1, leafIds: ["stop", "rest"] })
})

test("the leaf behind a message is its newest descendant", () => {
  const branches = new Branches([asks("q"), says("a", "q"), says("b", "q"), asks("m", "a")])
  assert.deepEqual(
    ["q", "a", "b", "m"].map((id) => branches.leafBehind(id)),
    ["m", "m", "b", "m"],
  )
})

test("versions are known while the message that they answer is not loaded", () => {
  const messages = [says("a", "old"), asks("m", "a"), says("b", "old"), says("c", "older")]
  assert.deepEqual(versions(messages, "b"), { index: 1, leafIds: ["m", "b"] })
  assert.deepEqual(versions(messages, "c"), { index: 0, leafIds: ["c"] })
})

test("a parent that comes later is ignored", () => {
  assert.deepEqual(versions([says("b", "c"), says("c", "b")], "b"), { index: 0, leafIds: ["c"] })
})
