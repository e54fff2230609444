import assert from "node:assert/strict"
import { beforeEach, mock, test } from "node:test"

import { Failure } from "../../static/chat/js/api.js"
import { Conversation } from "../../static/chat/js/conversation.js"

// A server that answers when the test lets it, and a reader that records what it is asked to read.

let calls, waiting, followed, told, row, sent
const later = (name, ...given) => {
  calls.push([name, ...given])
  return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
}
const names = ["messages", "regenerate", "edit", "goOn", "takeBack", "rate", "changeConversation", "resume", "cancel"]
const api = {
  ...Object.fromEntries(names.map((name) => [name, (...given) => later(name, ...given)])),
  conversation: async (id) => ({ id, ...row }),
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

const answer = async (name, value) => {
  const index = waiting.findIndex((call) => call.name === name)
  assert.notEqual(index, -1, `nobody asked for ${name}`)
  const [{ resolve, reject }] = waiting.splice(index, 1)
  if (value instanceof Error) reject(value)
  else resolve(value)
  await settled()
}

const makeFollower = (id, listener) => {
  followed = { id, runs: new Set(), listener }
  const mine = followed
  return {
    follow: (runId) => mine.runs.add(runId),
    leave: (runId) => mine.runs.delete(runId),
    pause() {},
    resume() {},
    close: () => mine.runs.clear(),
  }
}

const refusal = (status) => new Failure("No.", { status })
const accepted = { message_id: "u1", reply_id: "a1", run_id: "run1" }
const question = { id: "u1", parent_id: null, role: "user", text: "Hi", status: "completed", parts: [] }
const reply = (changes) => ({ id: "a1", parent_id: "u1", role: "assistant", run_id: "run1", status: "in_progress", parts: [], text: "", ...changes })
const ids = (conversation) => conversation.messages.map(({ id }) => id)
const entry = (changes) => ({ key: "k", place: "c", parent_id: undefined, text: "Hi", images: [], documents: [], assistant: "demo", at: 0, ...changes })
const arrived = (changes) => ({ ...accepted, conversation_id: "c", ...changes })

let conversation
beforeEach(() => {
  calls = []
  waiting = []
  told = []
  followed = null
  row = { leaf_id: null }
  sent = Promise.resolve()
  const hooks = ["onStarted", "onEnded", "onAnonymous"]
  conversation = new Conversation(api, makeFollower, {
    onChange() {},
    onKnown() {},
    whenSent: () => sent,
    ...Object.fromEntries(hooks.map((name) => [name, (value) => told.push([name, value])])),
  })
})

test("opening shows the messages and follows the run that is open", async () => {
  conversation.open("c")
  await answer("messages", [question, reply()])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  assert.deepEqual([...followed.runs], ["run1"])
  assert.equal(conversation.live.id, "a1")
  followed.listener.onEvent("run1", { type: "RUN_FINISHED", outcome: { type: "success" } }, 2)
  assert.equal(conversation.live, undefined)
  assert.deepEqual([...followed.runs], [])
  assert.equal(told[0][0], "onEnded")
})

test("a message that arrived is shown, with the reply to it", async () => {
  conversation.open("c")
  await answer("messages", [])
  const image = { id: "i", media_type: "image/png", width: 1, height: 1 }
  assert.ok(conversation.take(entry({ images: [image], documents: [{ name: "a", text: "b" }] }), arrived()))
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  assert.deepEqual(conversation.messages[0].parts, [{ type: "image", ...image }, { type: "document", name: "a", text: "b" }, { type: "text", text: "Hi" }])
  assert.equal(conversation.messages[0].created_at, "1970-01-01T00:00:00.000Z")
  assert.deepEqual([...followed.runs], ["run1"])
  assert.deepEqual(told, [["onStarted", "run1"]])
})

test("the first message gives a new conversation its id", async () => {
  conversation.open(null)
  const { place } = conversation
  assert.match(place, /^new:/)
  assert.equal(followed, null)
  assert.ok(conversation.take(entry({ place }), arrived()))
  assert.deepEqual([conversation.id, conversation.place, followed.id], ["c", "c", "c"])
  assert.ok(conversation.take(entry({ parent_id: "a1" }), arrived({ message_id: "u2", reply_id: "a2", run_id: "run2" })))
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
})

test("who leaves before it arrives finds nothing of it elsewhere", async () => {
  conversation.open(null)
  const { place } = conversation
  conversation.open("other")
  assert.ok(!conversation.take(entry({ place }), arrived()))
  conversation.open(null)
  assert.ok(!conversation.take(entry({ place }), arrived()))
  assert.deepEqual(conversation.messages, [])
  assert.deepEqual(told, [])
})

test("an older answer of the server does not undo what was sent since", async () => {
  conversation.open("c")
  await answer("messages", [])
  conversation.refresh()
  conversation.take(entry(), arrived())
  await answer("messages", [])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  await answer("messages", [question, reply()])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("messages of the conversation before are not shown in the next", async () => {
  conversation.open("one")
  conversation.open("two")
  await answer("messages", [question])
  assert.deepEqual(ids(conversation), [])
  await answer("messages", [{ ...question, id: "u2" }])
  assert.deepEqual(ids(conversation), ["u2"])
  assert.deepEqual(calls, [["messages", "one", { limit: 100 }], ["messages", "two", { limit: 100 }]])
})

test("a run of somebody else is fetched, one of its own is not", async () => {
  conversation.open("c")
  await answer("messages", [])
  let arrive
  sent = new Promise((resolve) => { arrive = resolve })
  followed.listener.onAnnounce({ run_id: "run1" }) // the socket may be faster than the answer
  conversation.take(entry(), arrived())
  arrive()
  await settled()
  assert.deepEqual(waiting, [])
  followed.listener.onAnnounce({ run_id: "run2" })
  await settled()
  await answer("messages", [question, reply({ status: "completed" }), { ...question, id: "u2", parent_id: "a1" }, reply({ id: "a2", parent_id: "u2", run_id: "run2" })])
  assert.deepEqual([...followed.runs], ["run2"])
})

test("of replies in line the first is read, and the next when that is over", async () => {
  conversation.open("c")
  const second = [{ ...question, id: "u2", parent_id: "a1" }, reply({ id: "a2", parent_id: "u2", run_id: "run2", status: "queued" })]
  await answer("messages", [question, reply(), ...second])
  assert.deepEqual([...followed.runs], ["run1"])
  assert.equal(conversation.live.id, "a1")
  followed.listener.onEvent("run1", { type: "RUN_FINISHED", outcome: { type: "success" } }, 2)
  assert.deepEqual([...followed.runs], ["run2"])
  assert.equal(conversation.live.run_id, "run2")
})

// What other windows do

const more = [{ ...question, id: "u2", parent_id: "a1" }, reply({ id: "a2", parent_id: "u2", run_id: "run2" })]

test("of news only what is new is asked for", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  conversation.hear({ id: "c", leaf_id: null })
  await settled()
  assert.deepEqual(calls.at(-1), ["messages", "c", { after: "a1" }])
  await answer("messages", more)
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
  assert.deepEqual([...followed.runs], ["run2"])
  conversation.hear({ id: "c", leaf_id: "a1" })
  await settled()
  await answer("messages", [])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("news of another conversation, or of one that is left, change nothing", async () => {
  conversation.open("c")
  await answer("messages", [question])
  conversation.hear({ id: "d", leaf_id: null })
  await settled()
  assert.deepEqual(waiting, [])
  conversation.hear({ id: "c", leaf_id: null })
  conversation.open("e")
  await settled()
  assert.deepEqual(waiting.map(({ name }) => name), ["messages"]) // of e
})

test("news are not taken for newer than what this page has done since", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  conversation.hear({ id: "c", leaf_id: "u1" })
  await settled()
  conversation.take(entry({ parent_id: "a1" }), arrived({ message_id: "u2", reply_id: "a2", run_id: "run2" }))
  await answer("messages", [])
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
})

test("where something may be gone, all is asked for", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(), ...more.map((one) => ({ ...one, status: "queued" }))])
  conversation.hear({ id: "c", leaf_id: null })
  await settled()
  assert.deepEqual(calls.at(-1), ["messages", "c", { limit: 100 }])
  await answer("messages", [question, reply()])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  conversation.hear({ id: "c", leaf_id: null })
  await settled()
  await answer("messages", refusal(404))
  assert.deepEqual(calls.at(-1), ["messages", "c", { limit: 100 }])
})

// Branches

test("the branch that the server remembers is shown, and another one when it is chosen", async () => {
  row = { leaf_id: "a1" }
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" }), reply({ id: "b1", status: "completed", run_id: "run2" })])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  assert.deepEqual(conversation.versionsOf([conversation.messages[1]]), { index: 0, ends: ["a1", "b1"] })
  const turned = conversation.turnTo("b1")
  assert.deepEqual(ids(conversation), ["u1", "b1"])
  assert.deepEqual(calls.at(-1), ["changeConversation", "c", { leaf_id: "b1" }])
  conversation.refresh() // knows nothing of it yet
  await answer("messages", [question, reply({ status: "completed" }), reply({ id: "b1", status: "completed", run_id: "run2" })])
  assert.deepEqual(ids(conversation), ["u1", "b1"])
  await answer("changeConversation", {})
  await turned
  row = { leaf_id: "b1" }
  assert.deepEqual([conversation.has("a1"), conversation.shows("a1"), conversation.has("x")], [true, false, false])
  assert.equal(conversation.endBehind("u1"), "b1")
})

test("a new message ends the choice", async () => {
  row = { leaf_id: "a1" }
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" }), reply({ id: "b1", status: "completed", run_id: "run2" })])
  conversation.take(entry({ parent_id: "a1" }), arrived({ message_id: "u2", reply_id: "a2", run_id: "run3" }))
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
})

// Many messages

const many = Array.from({ length: 250 }, (_, index) => ({
  id: `m${index}`, parent_id: index ? `m${index - 1}` : null, role: index % 2 ? "assistant" : "user", status: "completed", parts: [], text: "",
}))
const opened = async () => {
  conversation.open("c")
  await answer("messages", many.slice(150))
}

test("the newest are asked for first, and those before when somebody wants them", async () => {
  await opened()
  assert.equal(conversation.messages.length, 100)
  assert.ok(conversation.hasOlder)
  conversation.askForOlder()
  const asked = conversation.askForOlder() // once
  assert.deepEqual(calls.slice(1), [["messages", "c", { before: "m150", limit: 100 }]])
  await answer("messages", many.slice(50, 150))
  await asked
  const found = conversation.find("m3")
  await answer("messages", many.slice(0, 50))
  assert.equal(await found, true)
  assert.equal(conversation.messages.length, 250)
  assert.ok(!conversation.hasOlder)
  assert.equal(conversation.askForOlder(), null)
  assert.equal(await conversation.find("nowhere"), false)
})

test("what was asked for stays when the newest are asked for again", async () => {
  await opened()
  conversation.askForOlder()
  await answer("messages", many.slice(50, 150))
  conversation.refresh()
  await answer("messages", many.slice(150))
  assert.equal(conversation.messages.length, 200)
  assert.ok(conversation.hasOlder)
})

test("where the newest are all others, those before them are asked for anew", async () => {
  await opened()
  const newer = many.slice(150).map((one) => ({ ...one, id: `${one.id}x`, parent_id: `${one.parent_id}x` }))
  conversation.refresh()
  await answer("messages", newer)
  assert.equal(conversation.messages.length, 100)
  assert.equal(conversation.messages[0].id, "m150x")
  assert.ok(conversation.hasOlder)
})

test("a branch that ends in an old message is not shown before it is here", async () => {
  row = { leaf_id: "m100" }
  await opened()
  assert.deepEqual(ids(conversation), [])
  await answer("messages", many.slice(50, 150))
  assert.equal(conversation.messages.at(-1).id, "m100")
})

test("older messages of a conversation that was left are nobody's", async () => {
  await opened()
  const asked = conversation.askForOlder()
  conversation.open("d")
  await answer("messages", many.slice(50, 150))
  await asked
  await answer("messages", [question])
  assert.deepEqual(ids(conversation), ["u1"])
})

// What a person does with messages

test("an edit stands in the place of the old message", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  const fields = { text: "Hello", assistant: "demo", images: [], documents: [], at: 0 }
  const edited = conversation.edit("u1", fields)
  const said = { text: "Hello", assistant: "demo", documents: [], attachments: [] }
  assert.deepEqual(calls.at(-1).slice(0, 3), ["edit", "u1", said])
  await answer("edit", { message_id: "u2", reply_id: "a2", run_id: "run2" })
  await edited
  assert.deepEqual(ids(conversation), ["u2", "a2"])
  assert.deepEqual(conversation.versionsOf([conversation.messages[0]]), { index: 1, ends: ["a1", "a2"] })
})

test("an edit with images is asked for, because they are copies", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  const edited = conversation.edit("u1", { text: "Hello", images: [{ id: "i" }], documents: [] })
  await answer("edit", { message_id: "u2", reply_id: "a2", run_id: "run2" })
  await answer("messages", [question, reply({ status: "completed" }), { ...question, id: "u2", parts: [{ type: "image", id: "j" }] }, reply({ id: "a2", parent_id: "u2", run_id: "run2" })])
  await edited
  assert.equal(conversation.messages[0].parts[0].id, "j")
})

test("what was asked without an answer is asked with the same key, and after a no with another", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "interrupted" })])
  const asks = [
    ["regenerate", () => conversation.regenerate("a1", { assistant: "demo" })],
    ["edit", () => conversation.edit("u1", { text: "x", images: [], documents: [] })],
    ["goOn", () => conversation.goOn("a1")],
  ]
  for (const [name, ask] of asks) {
    for (const status of [0, 502, 409]) {
      const lost = assert.rejects(ask())
      await answer(name, refusal(status))
      if (status === 409 && name === "goOn") await answer("messages", [question, reply({ status: "interrupted" })])
      await lost
    }
    ask().catch(() => {})
    const keys = calls.filter((call) => call[0] === name).map((call) => call.at(-1))
    assert.equal(keys[0], keys[1])
    assert.equal(keys[1], keys[2])
    assert.notEqual(keys[2], keys[3])
  }
})

test("an answer that broke off goes on behind itself, with its assistant", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "interrupted", assistant: "helper" })])
  const goesOn = conversation.goOn("a1")
  await answer("goOn", { message_id: "a1", reply_id: "a2", run_id: "run2" })
  await goesOn
  assert.deepEqual(ids(conversation), ["u1", "a1", "a2"])
  assert.equal(conversation.live.assistant, "helper")
})

test("what is taken back is gone, and what waits behind it stays", async () => {
  conversation.open("c")
  const third = [{ ...question, id: "u3", parent_id: "a2" }, reply({ id: "a3", parent_id: "u3", run_id: "run3", status: "queued" })]
  await answer("messages", [question, reply(), ...more.map((one) => ({ ...one, status: "queued" })), ...third])
  const taken = conversation.takeBack("u2")
  await answer("takeBack", null)
  assert.equal((await taken).id, "u2")
  assert.deepEqual(ids(conversation), ["u1", "a1", "u3", "a3"])
})

test("what cannot be taken back any more is seen as it is", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(), ...more.map((one) => ({ ...one, status: "queued" }))])
  const refused = assert.rejects(conversation.takeBack("u2"), { message: "No." })
  await answer("takeBack", refusal(409))
  await answer("messages", [question, reply({ status: "completed" }), ...more])
  await refused
  assert.equal(conversation.live.id, "a2")
})

test("what was stopped in line is asked for: it may have been taken back elsewhere", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "queued" })])
  followed.listener.onEvent("run1", { type: "RUN_FINISHED", outcome: { type: "cancelled" } }, 2)
  await answer("messages", [])
  assert.deepEqual(ids(conversation), [])
})

test("a rating is shown at once, and taken back where the server does not have it", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  const up = { rating: "up", reason: "", comment: "" }
  const rated = conversation.rate("a1", up)
  assert.deepEqual(conversation.messages[1].feedback, up)
  await answer("rate", null)
  await rated
  const failed = assert.rejects(conversation.rate("a1", { rating: null }))
  assert.equal(conversation.messages[1].feedback, null)
  await answer("rate", refusal(0))
  await failed
  assert.deepEqual(conversation.messages[1].feedback, up)
})

test("another answer takes the place of the failed one", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "failed", error: { code: "x", message: "No." } })])
  const retried = conversation.regenerate("a1", { assistant: "other" })
  await answer("regenerate", { message_id: "u1", reply_id: "a2", run_id: "run2" })
  await retried
  assert.deepEqual(ids(conversation), ["u1", "a2"])
  assert.deepEqual([...followed.runs], ["run2"])
})

const waits = { status: "completed", finish_reason: "tool_calls", interrupts: [{ id: "run1:1", toolCallId: "a" }] }
const yes = [{ interruptId: "run1:1", status: "resolved", payload: { approved: true } }]

test("what the person allowed goes on in a reply behind the one that waited", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ ...waits, assistant: "helper" })])
  const allowed = conversation.answer("run1", yes)
  await answer("resume", { message_id: "a1", reply_id: "a2", run_id: "run2" })
  await allowed
  assert.deepEqual(calls.at(-1), ["resume", "run1", yes])
  assert.deepEqual(ids(conversation), ["u1", "a1", "a2"])
  assert.equal(conversation.live.assistant, "helper")
  assert.deepEqual([...followed.runs], ["run2"])
  assert.deepEqual(told.at(-1), ["onStarted", "run2"])
})

test("an answer that comes too late brings what happened instead", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(waits)])
  const refused = assert.rejects(conversation.answer("run1", yes), { message: "No." })
  await answer("resume", refusal(409))
  await answer("messages", [question, reply(waits), reply({ id: "a2", parent_id: "a1", run_id: "run2" })])
  await refused
  assert.deepEqual(ids(conversation), ["u1", "a1", "a2"])
  assert.deepEqual([...followed.runs], ["run2"])
})

test("an answer that may not have arrived changes nothing here", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(waits)])
  const lost = assert.rejects(conversation.answer("run1", yes))
  await answer("resume", refusal(0))
  await lost
  assert.deepEqual(waiting, [])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("who leaves before the answer is taken finds nothing of it elsewhere", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(waits)])
  const allowed = conversation.answer("run1", yes)
  conversation.open("other")
  await answer("resume", { message_id: "a1", reply_id: "a2", run_id: "run2" })
  await allowed
  assert.deepEqual(ids(conversation), [])
  assert.deepEqual(told, [])
})

test("after a crash the stored row is the truth", async () => {
  conversation.open("c")
  await answer("messages", [question, reply()])
  for (const [seq, event] of [{ type: "TEXT_MESSAGE_START" }, { type: "TEXT_MESSAGE_CONTENT", delta: "read but never kept" }].entries()) {
    followed.listener.onEvent("run1", event, seq + 1)
  }
  followed.listener.onEvent("run1", { type: "RUN_ERROR", code: "interrupted", message: "Cut." }, 3)
  await answer("messages", [question, reply({ status: "interrupted", parts: [{ type: "text", text: "read" }] })])
  assert.equal(conversation.messages[1].parts[0].text, "read")
})

test("a conversation that is gone says so and asks no more", async () => {
  conversation.open("c")
  await answer("messages", refusal(404))
  assert.ok(conversation.isGone)
  await conversation.refresh()
  assert.equal(calls.length, 1)
})

test("messages that cannot be fetched are asked for again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] })
  conversation.open("c")
  await answer("messages", refusal(0))
  assert.equal(conversation.isConnected, false)
  mock.timers.tick(500)
  mock.timers.reset()
  await answer("messages", [question])
  assert.equal(conversation.isConnected, true)
  assert.deepEqual(ids(conversation), ["u1"])
})
