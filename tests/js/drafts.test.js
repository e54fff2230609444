import assert from "node:assert/strict"
import { test } from "node:test"

import { Drafts } from "../../static/chat/js/drafts.js"

// As a browser's: names are properties, methods are not.
const storage = (limit = Infinity) => Object.defineProperties({}, {
  getItem: { value(name) { return this[name] ?? null } },
  setItem: { value(name, value) {
    if (value.length > limit) throw new Error("full")
    this[name] = value
  } },
  removeItem: { value(name) { delete this[name] } },
})

const draft = (changes = {}) => ({ text: "", key: null, documents: [], images: [], assistant: null, ...changes })

test("each conversation has its own draft, and new ones share theirs", () => {
  const kept = storage()
  const drafts = new Drafts("alice", kept)
  drafts.keep("c", draft({ text: "Dear c" }))
  drafts.keep("new:1", draft({ text: "Dear who", key: "k", images: [{ id: "i" }], assistant: "seer" }))
  const later = new Drafts("alice", kept)
  assert.deepEqual(later.of("c"), draft({ text: "Dear c" }))
  assert.deepEqual(later.of("new:2"), draft({ text: "Dear who", key: "k", images: [{ id: "i" }], assistant: "seer" }))
  assert.deepEqual(later.of("d"), draft())
  assert.deepEqual(new Drafts("bob", kept).of("c"), draft())
})

test("an empty draft is none, and one with an attachment is one", () => {
  const kept = storage()
  const drafts = new Drafts("alice", kept)
  drafts.keep("c", draft({ documents: [{ name: "a", text: "b" }] }))
  assert.equal(drafts.of("c").documents.length, 1)
  drafts.keep("c", draft())
  assert.deepEqual(Object.keys(kept), [])
})

test("a message that is being written anew is kept until that is over", () => {
  const kept = storage()
  const drafts = new Drafts("alice", kept)
  assert.equal(drafts.editOf("c"), null)
  drafts.keepEdit("c", { id: "m", text: "Half" })
  assert.deepEqual(new Drafts("alice", kept).editOf("c"), { id: "m", text: "Half" })
  assert.equal(drafts.editOf("d"), null)
  assert.deepEqual(drafts.of("c"), draft())
  drafts.keepEdit("c", null)
  assert.deepEqual(Object.keys(kept), [])
})

test("the next person finds none", () => {
  const kept = storage()
  kept.setItem("draft:bob:c", "{}")
  const drafts = new Drafts("alice", kept)
  drafts.keep("c", draft({ text: "secret" }))
  drafts.forget()
  assert.deepEqual(Object.keys(kept), ["draft:bob:c"])
})

test("a storage that is full, broken or forbidden costs the draft alone", () => {
  const full = new Drafts("alice", storage(3))
  full.keep("c", draft({ text: "long" }))
  assert.deepEqual(full.of("c"), draft())
  const broken = storage()
  broken.setItem("draft:alice:c", "{")
  assert.deepEqual(new Drafts("alice", broken).of("c"), draft())
  const none = new Drafts("alice", null)
  none.keep("c", draft({ text: "x" }))
  none.forget()
  assert.deepEqual(none.of("c"), draft())
})
