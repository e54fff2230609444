import assert from "node:assert/strict"
import { beforeEach, mock, test } from "node:test"

import { Failure } from "../../static/chat/js/api.js"
import { Conversation } from "../../static/chat/js/conversation.js"

// A server that answers when the test lets it, and a reader that records what it is asked to read.

let calls, waiting, followed, told
const later = (name, ...given) => {
  calls.push([name, ...given])
  return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
}
const api = Object.fromEntries(["messages", "createConversation", "deleteConversation", "send", "regenerate", "cancel"]
  .map((name) => [name, (...given) => later(name, ...given)]))
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

let conversation
beforeEach(() => {
  calls = []
  waiting = []
  told = []
  followed = null
  const hooks = ["onCreated", "onStarted", "onEnded", "onAnonymous"]
  conversation = new Conversation(api, makeFollower, {
    onChange() {},
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

test("the first message makes the conversation", async () => {
  conversation.open(null)
  const sent = conversation.send("Hi", { key: "k", assistant: "demo" })
  await answer("createConversation", { id: "c" })
  await answer("send", accepted)
  await sent
  const asked = { text: "Hi", parent_id: undefined, assistant: "demo" }
  assert.deepEqual(calls, [["createConversation", { assistant: "demo" }], ["send", "c", asked, "k"]])
  assert.deepEqual(told, [["onCreated", { id: "c" }], ["onStarted", "run1"]])
  assert.deepEqual([...followed.runs], ["run1"])
})

test("a refused first message leaves no conversation behind", async () => {
  conversation.open(null)
  const sent = assert.rejects(conversation.send("Hi", { key: "k" }))
  await answer("createConversation", { id: "c" })
  await answer("send", refusal(429))
  await sent
  assert.deepEqual(calls.at(-1), ["deleteConversation", "c"])
  assert.equal(conversation.id, null)
})

test("a first message that may have arrived keeps its conversation for the next try", async () => {
  conversation.open(null)
  for (const status of [0, 502]) {
    const sent = assert.rejects(conversation.send("Hi", { key: "k" }))
    if (!conversation.id) await answer("createConversation", { id: "c" })
    await answer("send", refusal(status))
    await sent
  }
  const again = conversation.send("Hi", { key: "k" })
  await answer("send", accepted)
  await again
  assert.equal(calls.filter(([name]) => name === "createConversation").length, 1)
  assert.deepEqual(told[0], ["onCreated", { id: "c" }])
})

test("who leaves before the answer comes finds nothing of it elsewhere", async () => {
  conversation.open(null)
  const sent = conversation.send("Hi", { key: "k" })
  conversation.open("other")
  await answer("createConversation", { id: "c" })
  await answer("send", accepted)
  await sent
  assert.equal(conversation.id, "other")
  assert.deepEqual(conversation.messages, [])
  assert.deepEqual(told, [])
})

test("the same key asks the same again, whatever has been shown since", async () => {
  conversation.open("c")
  await answer("messages", [])
  const lost = assert.rejects(conversation.send("Hi", { key: "k", assistant: "demo" }))
  await answer("send", refusal(0))
  await lost
  conversation.refresh()
  await answer("messages", [question, reply()])
  const again = conversation.send("Hi", { key: "k", assistant: "demo" })
  await answer("send", accepted)
  await again
  const [first, second] = calls.filter(([name]) => name === "send")
  assert.deepEqual(first, second)
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("an older answer of the server does not undo what was sent since", async () => {
  conversation.open("c")
  await answer("messages", [])
  conversation.refresh()
  const sent = conversation.send("Hi", { key: "k" })
  await answer("send", accepted)
  await sent
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
  assert.deepEqual(calls, [["messages", "one"], ["messages", "two"]])
})

test("a run of somebody else is fetched, one of its own is not", async () => {
  conversation.open("c")
  await answer("messages", [])
  const sent = conversation.send("Hi", { key: "k" })
  followed.listener.onAnnounce({ run_id: "run1" }) // the socket may be faster than the answer
  await answer("send", accepted)
  await sent
  await settled()
  assert.deepEqual(waiting, [])
  followed.listener.onAnnounce({ run_id: "run2" })
  await settled()
  await answer("messages", [question, reply({ status: "completed" }), { ...question, id: "u2", parent_id: "a1" }, reply({ id: "a2", parent_id: "u2", run_id: "run2" })])
  assert.deepEqual([...followed.runs], ["run2"])
})

test("another answer takes the place of the failed one", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "failed", error: { code: "x", message: "No." } })])
  const retried = conversation.retry("a1", { assistant: "other" })
  await answer("regenerate", { message_id: "u1", reply_id: "a2", run_id: "run2" })
  await retried
  assert.deepEqual(ids(conversation), ["u1", "a2"])
  assert.deepEqual([...followed.runs], ["run2"])
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
