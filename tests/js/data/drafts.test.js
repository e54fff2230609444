import assert from "node:assert/strict"
import { test } from "node:test"

import { Drafts } from "../../../static/chat/js/data/drafts.js"
import { Tab } from "../../../static/chat/js/data/tab.js"
import { lockManager, storage } from "./fake_browser.js"

const open = (stored, user = "alice", tab = new Tab({ storage: storage(), locks: null })) =>
  new Drafts(user, { storage: stored, tab })
const draft = (changes = {}) => ({ text: "", key: null, attachments: [], assistant: null, ...changes })

test("each conversation has its own draft, and new ones share one", () => {
  const stored = storage()
  const drafts = open(stored)
  drafts.save("c", draft({ text: "Dear c" }))
  drafts.save(
    "new:1",
    draft({ text: "Dear reader", key: "k", attachments: [{ type: "image", id: "i" }], assistant: "seer" }),
  )
  const reloaded = open(stored)
  assert.deepEqual(reloaded.get("c"), draft({ text: "Dear c" }))
  assert.deepEqual(
    reloaded.get("new:2"),
    draft({ text: "Dear reader", key: "k", attachments: [{ type: "image", id: "i" }], assistant: "seer" }),
  )
  assert.deepEqual(reloaded.get("d"), draft())
  assert.deepEqual(open(stored, "bob").get("c"), draft())
})

test("a draft without text or attachments is not stored", () => {
  const stored = storage()
  const drafts = open(stored)
  drafts.save("c", draft({ attachments: [{ type: "document", name: "a", text: "b" }] }))
  assert.equal(drafts.get("c").attachments.length, 1)
  drafts.save("c", draft())
  assert.deepEqual(Object.keys(stored), [])
})

test("a draft of an earlier version keeps its attachments", () => {
  const stored = storage()
  const old = { text: "Look", key: null, documents: [{ name: "a", text: "b" }], images: [{ id: "i" }], assistant: null }
  stored.setItem("draft:alice:c", JSON.stringify(old))
  const attachments = [
    { type: "image", id: "i" },
    { type: "document", name: "a", text: "b" },
  ]
  assert.deepEqual(open(stored).get("c"), draft({ text: "Look", attachments }))
})

// A tab of the browser with these locks; `close()` ends it, and `reload()` opens a new page in it.
const browser = () => {
  const [stored, locks] = [storage(), lockManager()]
  const openTab = async (tabStorage = storage()) => {
    const tab = new Tab({ storage: tabStorage, locks })
    await tab.others()
    const close = () => locks.held.delete(`tab ${tab.name}`)
    const reload = () => {
      close()
      return openTab(tabStorage)
    }
    return { drafts: open(stored, "alice", tab), close, reload }
  }
  return { stored, openTab }
}
const interrupted = async ({ drafts }, conversationKey = "new:2") =>
  (await drafts.interruptedUploads(conversationKey)).flatMap(({ names }) => names)

test("an upload is interrupted when its page is left, and told until it is forgotten", async () => {
  const { stored, openTab } = browser()
  const tab = await openTab()
  tab.drafts.saveUploads("new:1", ["a.pdf", "b.pdf"])
  tab.drafts.saveUploads("c", ["c.pdf"])
  const reloaded = await tab.reload()
  assert.deepEqual(await interrupted(reloaded), ["a.pdf", "b.pdf"])
  assert.deepEqual(await interrupted(reloaded, "c"), ["c.pdf"])
  for (const key of ["new:2", "c"]) reloaded.drafts.forgetUploads(await reloaded.drafts.interruptedUploads(key))
  assert.deepEqual(await interrupted(reloaded), [])
  assert.deepEqual(Object.keys(stored), [])
})

test("an upload of another tab is interrupted when that tab is closed", async () => {
  const { openTab } = browser()
  const [first, second] = [await openTab(), await openTab()]
  first.drafts.saveUploads("new:1", ["a.pdf"])
  second.drafts.saveUploads("new:2", [])
  assert.deepEqual(await interrupted(second), [])
  first.close()
  assert.deepEqual(await interrupted(second), ["a.pdf"])
})

test("an upload that begins meanwhile is not interrupted, and not forgotten", async () => {
  const { openTab } = browser()
  const tab = await openTab()
  tab.drafts.saveUploads("c", ["a.pdf"])
  const asked = tab.drafts.interruptedUploads("c")
  tab.drafts.saveUploads("c", ["b.pdf"])
  const uploads = await asked
  assert.deepEqual(
    uploads.flatMap(({ names }) => names),
    ["a.pdf"],
  )
  tab.drafts.forgetUploads(uploads)
  assert.deepEqual(await interrupted(tab, "c"), ["b.pdf"])
})

test("an edit is kept until it is finished", () => {
  const stored = storage()
  const drafts = open(stored)
  assert.equal(drafts.getEdit("c"), null)
  drafts.saveEdit("c", { id: "m", text: "Half" })
  assert.deepEqual(open(stored).getEdit("c"), { id: "m", text: "Half" })
  assert.equal(drafts.getEdit("d"), null)
  assert.deepEqual(drafts.get("c"), draft())
  drafts.saveEdit("c", null)
  assert.deepEqual(Object.keys(stored), [])
})

test("clear removes the user's drafts", () => {
  const stored = storage()
  stored.setItem("draft:bob:c", "{}")
  const drafts = open(stored)
  drafts.save("c", draft({ text: "secret" }))
  drafts.clear()
  assert.deepEqual(Object.keys(stored), ["draft:bob:c"])
})

test("a full, broken or forbidden storage costs only the draft", () => {
  const full = open(storage(3))
  full.save("c", draft({ text: "long" }))
  assert.deepEqual(full.get("c"), draft())
  const broken = storage()
  broken.setItem("draft:alice:c", "{")
  assert.deepEqual(open(broken).get("c"), draft())
  const none = open(null)
  none.save("c", draft({ text: "x" }))
  none.clear()
  assert.deepEqual(none.get("c"), draft())
})
