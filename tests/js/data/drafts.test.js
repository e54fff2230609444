import assert from "node:assert/strict"
import { test } from "node:test"

import { Drafts } from "../../../static/chat/js/data/drafts.js"

// Like localStorage: names are properties, methods are not enumerated.
const storage = (limit = Infinity) =>
  Object.defineProperties(
    {},
    {
      getItem: {
        value(name) {
          return this[name] ?? null
        },
      },
      setItem: {
        value(name, value) {
          if (value.length > limit) throw new Error("full")
          this[name] = value
        },
      },
      removeItem: {
        value(name) {
          delete this[name]
        },
      },
    },
  )

const draft = (changes = {}) => ({ text: "", key: null, documents: [], images: [], assistant: null, ...changes })

test("each conversation has its own draft, and new ones share one", () => {
  const stored = storage()
  const drafts = new Drafts("alice", stored)
  drafts.save("c", draft({ text: "Dear c" }))
  drafts.save("new:1", draft({ text: "Dear who", key: "k", images: [{ id: "i" }], assistant: "seer" }))
  const reloaded = new Drafts("alice", stored)
  assert.deepEqual(reloaded.get("c"), draft({ text: "Dear c" }))
  assert.deepEqual(
    reloaded.get("new:2"),
    draft({ text: "Dear who", key: "k", images: [{ id: "i" }], assistant: "seer" }),
  )
  assert.deepEqual(reloaded.get("d"), draft())
  assert.deepEqual(new Drafts("bob", stored).get("c"), draft())
})

test("a draft without text or attachments is not stored", () => {
  const stored = storage()
  const drafts = new Drafts("alice", stored)
  drafts.save("c", draft({ documents: [{ name: "a", text: "b" }] }))
  assert.equal(drafts.get("c").documents.length, 1)
  drafts.save("c", draft())
  assert.deepEqual(Object.keys(stored), [])
})

test("an edit is kept until it is over", () => {
  const stored = storage()
  const drafts = new Drafts("alice", stored)
  assert.equal(drafts.getEdit("c"), null)
  drafts.saveEdit("c", { id: "m", text: "Half" })
  assert.deepEqual(new Drafts("alice", stored).getEdit("c"), { id: "m", text: "Half" })
  assert.equal(drafts.getEdit("d"), null)
  assert.deepEqual(drafts.get("c"), draft())
  drafts.saveEdit("c", null)
  assert.deepEqual(Object.keys(stored), [])
})

test("clear removes the user's drafts", () => {
  const stored = storage()
  stored.setItem("draft:bob:c", "{}")
  const drafts = new Drafts("alice", stored)
  drafts.save("c", draft({ text: "secret" }))
  drafts.clear()
  assert.deepEqual(Object.keys(stored), ["draft:bob:c"])
})

test("a full, broken or forbidden storage costs only the draft", () => {
  const full = new Drafts("alice", storage(3))
  full.save("c", draft({ text: "long" }))
  assert.deepEqual(full.get("c"), draft())
  const broken = storage()
  broken.setItem("draft:alice:c", "{")
  assert.deepEqual(new Drafts("alice", broken).get("c"), draft())
  const none = new Drafts("alice", null)
  none.save("c", draft({ text: "x" }))
  none.clear()
  assert.deepEqual(none.get("c"), draft())
})
