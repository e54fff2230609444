import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { Failure } from "../../static/chat/js/api.js"
import { Outbox } from "../../static/chat/js/outbox.js"

// A server that answers when the test lets it.

let calls, waiting, told, kept, tab
const later = (name, ...given) => {
  calls.push([name, ...given])
  return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
}
const api = Object.fromEntries(["createConversation", "deleteConversation", "send"].map((name) => [name, (...given) => later(name, ...given)]))
const settled = () => new Promise((resolve) => setImmediate(resolve))

const answer = async (name, value) => {
  const index = waiting.findIndex((call) => call.name === name)
  assert.notEqual(index, -1, `nobody asked for ${name}`)
  const [{ resolve, reject }] = waiting.splice(index, 1)
  if (value instanceof Error) reject(value)
  else resolve(value)
  await settled()
}

const failure = (status) => new Failure("No.", { status })
const accepted = (name) => ({ message_id: `${name}-message`, reply_id: `${name}-reply`, run_id: `${name}-run` })

// As a browser's: names are properties, methods are not.
const storage = () => Object.defineProperties({}, {
  getItem: { value(name) { return this[name] ?? null } },
  setItem: { value(name, value) { this[name] = value } },
  removeItem: { value(name) { delete this[name] } },
})

// As a browser's, for tabs that live as long as the test lets them.
const lockKeeper = () => {
  const held = new Set()
  return {
    held,
    async request(name, { signal }, act) {
      if (held.has(name)) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      held.add(name)
      act()
    },
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
  }
}

const entry = (changes = {}) => ({
  key: "k", place: "c", parent_id: "p", text: "Hi", images: [], documents: [], assistant: "demo", is_temporary: false, at: 1, ...changes,
})

let takesBack, outbox
const open = async (options = {}) => {
  const opened = new Outbox(api, {
    onChange() {},
    onOpened: () => told.push(["onOpened"]),
    onSent: (entry, accepted) => told.push(["onSent", entry.key, entry.place, accepted.conversation_id]),
    onRefused: (entry, error) => {
      told.push(["onRefused", entry.key, error.status])
      return takesBack
    },
  }, { user: "alice", storage: kept, locks: null, ...options })
  await settled()
  return opened
}

beforeEach(async () => {
  ;[calls, waiting, told, kept, takesBack] = [[], [], [], storage(), true]
  mock.timers.enable({ apis: ["setTimeout"] })
  outbox = await open()
})
afterEach(() => mock.timers.reset())

const sends = () => calls.filter(([name]) => name === "send")
const standing = (place = "c") => outbox.of(place).map(({ key, isSending, problem, isRefused }) => ({ key, isSending, problem, isRefused }))

test("what is sent goes to the server at once, and is gone when it has it", async () => {
  outbox.put(entry({ images: [{ id: "i", width: 1 }], documents: [{ name: "a", text: "b" }] }))
  assert.equal(outbox.of("c")[0].isSending, true)
  const fields = { text: "Hi", parent_id: "p", assistant: "demo", documents: [{ name: "a", text: "b" }], attachments: ["i"] }
  assert.deepEqual(calls, [["send", "c", fields, "k"]])
  await answer("send", accepted("k"))
  assert.deepEqual(told, [["onSent", "k", "c", "c"]])
  assert.ok(outbox.isEmpty)
  assert.deepEqual(Object.keys(kept), [])
})

test("what may not have arrived is sent again with the same key", async () => {
  outbox.put(entry())
  await answer("send", failure(0))
  assert.deepEqual(standing(), [{ key: "k", isSending: false, problem: "No.", isRefused: undefined }])
  mock.timers.tick(500)
  await answer("send", failure(502))
  mock.timers.tick(1000)
  await answer("send", accepted("k"))
  assert.equal(new Set(sends().map((call) => JSON.stringify(call))).size, 1)
  assert.equal(sends().length, 3)
  assert.ok(outbox.isEmpty)
})

test("it does not wait when the server is known to be back", async () => {
  outbox.put(entry())
  await answer("send", failure(0))
  outbox.nudge()
  outbox.nudge()
  assert.equal(sends().length, 2)
})

test("what is sent to one conversation goes in order, each to the answer before", async () => {
  outbox.put(entry())
  outbox.put(entry({ key: "l", text: "And", parent_id: undefined, at: 2 }))
  assert.equal(sends().length, 1)
  await answer("send", failure(0))
  assert.equal(sends().length, 1)
  mock.timers.tick(500)
  await answer("send", accepted("k"))
  assert.deepEqual(sends().at(-1).slice(2), [{ text: "And", parent_id: "k-reply", assistant: "demo", documents: [], attachments: [] }, "l"])
})

test("a new conversation is made once, and what waits behind follows it", async () => {
  outbox.put(entry({ place: "new:1", parent_id: undefined }))
  outbox.put(entry({ key: "l", place: "new:1", parent_id: undefined, at: 2 }))
  await answer("createConversation", failure(0))
  mock.timers.tick(500)
  await answer("createConversation", { id: "c" })
  await answer("send", failure(0))
  mock.timers.tick(1000)
  await answer("createConversation", { id: "c" })
  await answer("send", accepted("k"))
  const made = calls.filter(([name]) => name === "createConversation")
  assert.deepEqual(new Set(made.map((call) => JSON.stringify(call))).size, 1)
  assert.deepEqual(made[0], ["createConversation", { assistant: "demo", is_temporary: false }, "k"])
  assert.deepEqual(told, [["onSent", "k", "new:1", "c"]])
  assert.deepEqual(sends().at(-1)[1], "c")
  assert.equal(sends().at(-1)[2].parent_id, "k-reply")
  assert.equal(calls.filter(([name]) => name === "createConversation").length, 3)
})

test("a refused first message leaves no conversation behind", async () => {
  outbox.put(entry({ place: "new:1" }))
  await answer("createConversation", { id: "c" })
  await answer("send", failure(429))
  assert.deepEqual(calls.at(-1), ["deleteConversation", "c"])
  assert.deepEqual(told, [["onRefused", "k", 429]])
  assert.ok(outbox.isEmpty)
})

test("a refused message that nobody takes back stays, holds up what is behind it, and may be tried again", async () => {
  takesBack = false
  outbox.put(entry())
  outbox.put(entry({ key: "l", at: 2 }))
  await answer("send", failure(429))
  assert.deepEqual(standing()[0], { key: "k", isSending: false, problem: "No.", isRefused: true })
  mock.timers.tick(60_000)
  assert.equal(sends().length, 1)
  outbox.again("k")
  assert.equal(sends().length, 2)
  assert.notEqual(sends()[1][3], "k") // another send
  await answer("send", accepted("k"))
  assert.equal(sends()[2][3], "l")
})

test("one place that waits does not hold up another", async () => {
  takesBack = false
  outbox.put(entry())
  outbox.put(entry({ key: "l", place: "d", at: 2 }))
  await answer("send", failure(400))
  assert.equal(sends()[1][1], "d")
})

test("what waits can be taken back, and what is on its way cannot", async () => {
  outbox.put(entry())
  assert.equal(outbox.takeBack("k"), null)
  await answer("send", failure(0))
  outbox.put(entry({ key: "l", parent_id: undefined, at: 2 })) // which tries the first once more
  await answer("send", failure(0))
  assert.equal(outbox.takeBack("k").text, "Hi")
  assert.equal(outbox.takeBack("k"), null)
  assert.equal(sends().at(-1)[2].parent_id, "p") // it takes the place of the one that is gone
})

test("it survives a reload, also in the middle of sending", async () => {
  outbox.put(entry())
  await answer("send", failure(0))
  outbox.put(entry({ key: "l", place: "new:1", at: 2 }))
  calls = []
  const again = await open()
  assert.deepEqual(told.at(-1), ["onOpened"])
  assert.equal(again.newPlace, "new:1")
  assert.deepEqual(sends()[0].slice(1), ["c", { text: "Hi", parent_id: "p", assistant: "demo", documents: [], attachments: [] }, "k"])
  assert.equal(again.of("c")[0].problem, undefined)
})

test("another person's are not touched", async () => {
  outbox.put(entry())
  await open({ user: "bob" })
  assert.equal(sends().length, 1)
})

test("a tab leaves alone what another tab is sending, and takes over from one that is gone", async () => {
  const locks = lockKeeper()
  const first = await open({ locks })
  first.put(entry())
  assert.equal(sends().length, 1)
  const second = await open({ locks })
  assert.equal(sends().length, 1)
  assert.ok(second.isEmpty)
  locks.held.clear()
  await open({ locks })
  assert.equal(sends().length, 2)
})

test("what is temporary is kept nowhere, and neither is anything for the next person", async () => {
  outbox.put(entry({ is_temporary: true }))
  assert.deepEqual(Object.keys(kept), [])
  outbox.put(entry({ key: "l", at: 2 }))
  assert.equal(Object.keys(kept).length, 1)
  outbox.forget()
  assert.deepEqual(Object.keys(kept), [])
  assert.ok(outbox.isEmpty)
})

test("without a storage it waits in the page", async () => {
  const poor = await open({ storage: null })
  poor.put(entry())
  await answer("send", failure(0))
  assert.equal(poor.of("c").length, 1)
})

test("who asks is told when nothing is on its way", async () => {
  let isSent = false
  outbox.put(entry())
  outbox.whenSent().then(() => { isSent = true })
  await settled()
  assert.equal(isSent, false)
  await answer("send", failure(0))
  assert.equal(isSent, true)
})
