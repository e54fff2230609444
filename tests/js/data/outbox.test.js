import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { Failure } from "../../../static/chat/js/data/api.js"
import { Outbox } from "../../../static/chat/js/data/outbox.js"
import { Tab } from "../../../static/chat/js/data/tab.js"
import { lockManager, storage } from "./fake_browser.js"

// A fake server that answers when the test tells it to.

let calls, waiting, hookCalls, stored
const record = (name, ...args) => {
  calls.push([name, ...args])
  return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
}
const api = Object.fromEntries(
  ["createConversation", "deleteConversation", "send"].map((name) => [name, (...args) => record(name, ...args)]),
)
const flush = () => new Promise((resolve) => setImmediate(resolve))

const answer = async (name, value) => {
  const index = waiting.findIndex((call) => call.name === name)
  assert.notEqual(index, -1, `nobody asked for ${name}`)
  const [{ resolve, reject }] = waiting.splice(index, 1)
  if (value instanceof Error) reject(value)
  else resolve(value)
  await flush()
}

const failure = (status) => new Failure("No.", { status })
const accepted = (name) => ({ message_id: `${name}-message`, reply_id: `${name}-reply`, run_id: `${name}-run` })

const entry = (changes = {}) => ({
  key: "k",
  conversationKey: "c",
  parent_id: "p",
  text: "Hi",
  attachments: [],
  assistant: "demo",
  is_temporary: false,
  at: 1,
  ...changes,
})

let isTakenBack, outbox
const open = async ({ user = "alice", locks = null } = {}) => {
  const opened = new Outbox(
    api,
    {
      onChange() {},
      onOpened: () => hookCalls.push(["onOpened"]),
      onSent: (entry, accepted) =>
        hookCalls.push(["onSent", entry.key, entry.conversationKey, accepted.conversation_id]),
      onRefused: (entry, error) => {
        hookCalls.push(["onRefused", entry.key, error.status])
        return isTakenBack
      },
    },
    { user, storage: stored, tab: new Tab({ storage: storage(), locks }) },
  )
  await flush()
  return opened
}

beforeEach(async () => {
  ;[calls, waiting, hookCalls, stored, isTakenBack] = [[], [], [], storage(), true]
  mock.timers.enable({ apis: ["setTimeout"] })
  outbox = await open()
})
afterEach(() => mock.timers.reset())

const sends = () => calls.filter(([name]) => name === "send")
const states = (conversationKey = "c") =>
  outbox
    .entriesOf(conversationKey)
    .map(({ key, isSending, problem, isRefused }) => ({ key, isSending, problem, isRefused }))

test("a message is sent at once, and removed when the server has it", async () => {
  const attachments = [
    { type: "image", id: "i", width: 1 },
    { type: "document", name: "a", text: "b" },
    { type: "file", id: "f", name: "c", unit: "page", count: 2 },
  ]
  outbox.add(entry({ attachments }))
  assert.equal(outbox.entriesOf("c")[0].isSending, true)
  const fields = {
    text: "Hi",
    parent_id: "p",
    assistant: "demo",
    documents: [{ name: "a", text: "b" }],
    attachments: ["i", "f"],
  }
  assert.deepEqual(calls, [["send", "c", fields, "k"]])
  await answer("send", accepted("k"))
  assert.deepEqual(hookCalls, [["onSent", "k", "c", "c"]])
  assert.ok(outbox.isEmpty)
  assert.deepEqual(Object.keys(stored), [])
})

test("a message that may not have arrived is sent again with the same key", async () => {
  outbox.add(entry())
  await answer("send", failure(0))
  assert.deepEqual(states(), [{ key: "k", isSending: false, problem: "No.", isRefused: undefined }])
  mock.timers.tick(500)
  await answer("send", failure(502))
  mock.timers.tick(1000)
  await answer("send", accepted("k"))
  assert.equal(new Set(sends().map((call) => JSON.stringify(call))).size, 1)
  assert.equal(sends().length, 3)
  assert.ok(outbox.isEmpty)
})

test("retry sends at once", async () => {
  outbox.add(entry())
  await answer("send", failure(0))
  outbox.retry()
  outbox.retry()
  assert.equal(sends().length, 2)
})

test("messages of one conversation are sent in order, each as an answer to the reply before it", async () => {
  outbox.add(entry())
  outbox.add(entry({ key: "l", text: "And", parent_id: undefined, at: 2 }))
  assert.equal(sends().length, 1)
  await answer("send", failure(0))
  assert.equal(sends().length, 1)
  mock.timers.tick(500)
  await answer("send", accepted("k"))
  assert.deepEqual(sends().at(-1).slice(2), [
    { text: "And", parent_id: "k-reply", assistant: "demo", documents: [], attachments: [] },
    "l",
  ])
})

test("a new conversation is created once, and later messages follow it", async () => {
  outbox.add(entry({ conversationKey: "new:1", parent_id: undefined }))
  outbox.add(entry({ key: "l", conversationKey: "new:1", parent_id: undefined, at: 2 }))
  await answer("createConversation", failure(0))
  mock.timers.tick(500)
  await answer("createConversation", { id: "c" })
  await answer("send", failure(0))
  mock.timers.tick(1000)
  await answer("createConversation", { id: "c" })
  await answer("send", accepted("k"))
  const creations = calls.filter(([name]) => name === "createConversation")
  assert.deepEqual(new Set(creations.map((call) => JSON.stringify(call))).size, 1)
  assert.deepEqual(creations[0], ["createConversation", { assistant: "demo", is_temporary: false }, "k"])
  assert.deepEqual(hookCalls, [["onSent", "k", "new:1", "c"]])
  assert.deepEqual(sends().at(-1)[1], "c")
  assert.equal(sends().at(-1)[2].parent_id, "k-reply")
  assert.equal(calls.filter(([name]) => name === "createConversation").length, 3)
})

test("a refused first message leaves no conversation behind", async () => {
  outbox.add(entry({ conversationKey: "new:1" }))
  await answer("createConversation", { id: "c" })
  await answer("send", failure(429))
  assert.deepEqual(calls.at(-1), ["deleteConversation", "c"])
  assert.deepEqual(hookCalls, [["onRefused", "k", 429]])
  assert.ok(outbox.isEmpty)
})

test("a refused message stays, blocks those behind it, and can be retried", async () => {
  isTakenBack = false
  outbox.add(entry())
  outbox.add(entry({ key: "l", at: 2 }))
  await answer("send", failure(429))
  assert.deepEqual(states()[0], { key: "k", isSending: false, problem: "No.", isRefused: true })
  mock.timers.tick(60_000)
  assert.equal(sends().length, 1)
  outbox.retryEntry("k")
  assert.equal(sends().length, 2)
  assert.notEqual(sends()[1][3], "k") // a new key: another send
  await answer("send", accepted("k"))
  assert.equal(sends()[2][3], "l")
})

test("a blocked conversation does not block another one", async () => {
  isTakenBack = false
  outbox.add(entry())
  outbox.add(entry({ key: "l", conversationKey: "d", at: 2 }))
  await answer("send", failure(400))
  assert.equal(sends()[1][1], "d")
})

test("a waiting message can be withdrawn, one that is being sent cannot", async () => {
  outbox.add(entry())
  assert.equal(outbox.withdraw("k"), null)
  await answer("send", failure(0))
  outbox.add(entry({ key: "l", parent_id: undefined, at: 2 })) // which also retries the first one
  await answer("send", failure(0))
  assert.equal(outbox.withdraw("k").text, "Hi")
  assert.equal(outbox.withdraw("k"), null)
  assert.equal(sends().at(-1)[2].parent_id, "p") // it takes the place of the one that is gone
})

test("entries survive a reload, even while being sent", async () => {
  outbox.add(entry())
  await answer("send", failure(0))
  outbox.add(entry({ key: "l", conversationKey: "new:1", at: 2 }))
  calls = []
  const reloaded = await open()
  assert.deepEqual(hookCalls.at(-1), ["onOpened"])
  assert.equal(reloaded.newConversationKey, "new:1")
  assert.deepEqual(sends()[0].slice(1), [
    "c",
    { text: "Hi", parent_id: "p", assistant: "demo", documents: [], attachments: [] },
    "k",
  ])
  assert.equal(reloaded.entriesOf("c")[0].problem, undefined)
})

test("entries of another user are not touched", async () => {
  outbox.add(entry())
  await open({ user: "bob" })
  assert.equal(sends().length, 1)
})

test("entries of a live tab are left alone, those of a closed tab are adopted", async () => {
  const locks = lockManager()
  const first = await open({ locks })
  first.add(entry())
  assert.equal(sends().length, 1)
  const second = await open({ locks })
  assert.equal(sends().length, 1)
  assert.ok(second.isEmpty)
  locks.held.clear()
  await open({ locks })
  assert.equal(sends().length, 2)
})

test("temporary messages are not stored, and clear removes all entries", async () => {
  outbox.add(entry({ is_temporary: true }))
  assert.deepEqual(Object.keys(stored), [])
  outbox.add(entry({ key: "l", at: 2 }))
  assert.equal(Object.keys(stored).length, 1)
  outbox.clear()
  assert.deepEqual(Object.keys(stored), [])
  assert.ok(outbox.isEmpty)
})

test("entries are kept in memory without storage", async () => {
  const unstored = await open({ storage: null })
  unstored.add(entry())
  await answer("send", failure(0))
  assert.equal(unstored.entriesOf("c").length, 1)
})

test("whenSent resolves when nothing is being sent", async () => {
  let isSent = false
  outbox.add(entry())
  outbox.whenSent().then(() => {
    isSent = true
  })
  await flush()
  assert.equal(isSent, false)
  await answer("send", failure(0))
  assert.equal(isSent, true)
})
