import assert from "node:assert/strict"
import { test } from "node:test"

import {
  answer,
  arrived,
  calls,
  conversation,
  entry,
  flush,
  followed,
  hookCalls,
  ids,
  nextTurn,
  question,
  refusal,
  reply,
  setRow,
  setSent,
  waiting,
} from "./fake_server.js"

test("opening shows the messages and follows the open run", async () => {
  conversation.open("c")
  await answer("messages", [question, reply()])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  assert.deepEqual([...followed.runs], ["run1"])
  assert.equal(conversation.live.id, "a1")
  followed.listener.onEvent("run1", { type: "RUN_FINISHED", outcome: { type: "success" } }, 2)
  assert.equal(conversation.live, undefined)
  assert.deepEqual([...followed.runs], [])
  assert.equal(hookCalls[0][0], "onEnded")
})

test("the end of a reply is noticed where only its row tells it", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "in_progress" })])
  followed.listener.onRunEnded("run1")
  await answer("messages", [question, reply({ status: "completed" })])
  assert.deepEqual(
    hookCalls.map(([name, { id, status }]) => [name, id, status]),
    [["onEnded", "a1", "completed"]],
  )
  conversation.refresh()
  await answer("messages", [question, reply({ status: "completed" })])
  assert.equal(hookCalls.length, 1)
})

test("a sent message is shown with its reply", async () => {
  conversation.open("c")
  await answer("messages", [])
  const image = { id: "i", media_type: "image/png", width: 1, height: 1 }
  const attachments = [
    { type: "image", ...image },
    { type: "document", name: "a", text: "b" },
  ]
  assert.ok(conversation.addSent(entry({ attachments }), arrived()))
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  assert.deepEqual(conversation.messages[0].parts, [...attachments, { type: "text", text: "Hi" }])
  assert.equal(conversation.messages[0].created_at, "1970-01-01T00:00:00.000Z")
  assert.deepEqual([...followed.runs], ["run1"])
  assert.deepEqual(hookCalls, [["onStarted", "run1"]])
})

test("the first message gives a new conversation its id", async () => {
  conversation.open(null)
  const { key: conversationKey } = conversation
  assert.match(conversationKey, /^new:/)
  assert.equal(followed, null)
  assert.ok(conversation.addSent(entry({ conversationKey }), arrived()))
  assert.deepEqual([conversation.id, conversation.key, followed.id], ["c", "c", "c"])
  assert.ok(
    conversation.addSent(entry({ parent_id: "a1" }), arrived({ message_id: "u2", reply_id: "a2", run_id: "run2" })),
  )
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
})

test("a message that was sent before the others had loaded is shown behind them", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  const second = { message_id: "u2", reply_id: "a2", run_id: "run2" }
  assert.ok(conversation.addSent(entry({ parent_id: undefined }), arrived(second)))
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
  const elsewhere = [
    { ...question, id: "u3", parent_id: "a1" },
    { ...reply({ status: "completed" }), id: "a3", parent_id: "u3", run_id: "run3" },
  ]
  const stored = { ...question, id: "u2", parent_id: "a3" }
  const own = { ...reply(), id: "a2", parent_id: "u2", run_id: "run2" }
  await answer("messages", [question, reply({ status: "completed" }), ...elsewhere, stored, own]) // the server knows better
  assert.deepEqual(ids(conversation), ["u1", "a1", "u3", "a3", "u2", "a2"])
})

test("a sent message is not shown in the conversation opened meanwhile", async () => {
  conversation.open(null)
  const { key: conversationKey } = conversation
  conversation.open("other")
  assert.ok(!conversation.addSent(entry({ conversationKey }), arrived()))
  conversation.open(null)
  assert.ok(!conversation.addSent(entry({ conversationKey }), arrived()))
  assert.deepEqual(conversation.messages, [])
  assert.deepEqual(hookCalls, [])
})

test("an earlier response of the server does not undo a later send", async () => {
  conversation.open("c")
  await answer("messages", [])
  conversation.refresh()
  conversation.addSent(entry(), arrived())
  await answer("messages", [])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  await answer("messages", [question, reply()])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("messages of the previous conversation are not shown in the next", async () => {
  conversation.open("one")
  conversation.open("two")
  await answer("messages", [question])
  assert.deepEqual(ids(conversation), [])
  await answer("messages", [{ ...question, id: "u2" }])
  assert.deepEqual(ids(conversation), ["u2"])
  assert.deepEqual(calls, [
    ["messages", "one", { limit: 100 }],
    ["messages", "two", { limit: 100 }],
  ])
})

test("a run started elsewhere is fetched, a run of this page is not", async () => {
  conversation.open("c")
  await answer("messages", [])
  let arrive
  setSent(
    new Promise((resolve) => {
      arrive = resolve
    }),
  )
  followed.listener.onRunCreated({ run_id: "run1" }) // the socket may be faster than the answer
  conversation.addSent(entry(), arrived())
  arrive()
  await flush()
  assert.deepEqual(waiting, [])
  followed.listener.onRunCreated({ run_id: "run2" })
  await flush()
  await answer("messages", [
    question,
    reply({ status: "completed" }),
    { ...question, id: "u2", parent_id: "a1" },
    reply({ id: "a2", parent_id: "u2", run_id: "run2" }),
  ])
  assert.deepEqual([...followed.runs], ["run2"])
})

test("queued replies are followed one after the other", async () => {
  conversation.open("c")
  const second = [
    { ...question, id: "u2", parent_id: "a1" },
    reply({ id: "a2", parent_id: "u2", run_id: "run2", status: "queued" }),
  ]
  await answer("messages", [question, reply(), ...second])
  assert.deepEqual([...followed.runs], ["run1"])
  assert.equal(conversation.live.id, "a1")
  followed.listener.onEvent("run1", { type: "RUN_FINISHED", outcome: { type: "success" } }, 2)
  assert.deepEqual([...followed.runs], ["run2"])
  assert.equal(conversation.live.run_id, "run2")
})

// What other windows do

test("an update fetches only newer messages", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  conversation.update({ id: "c", leaf_id: null })
  await flush()
  assert.deepEqual(calls.at(-1), ["messages", "c", { after: "a1" }])
  await answer("messages", nextTurn)
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
  assert.deepEqual([...followed.runs], ["run2"])
  conversation.update({ id: "c", leaf_id: "a1" })
  await flush()
  await answer("messages", [])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("an update of another or a previous conversation changes nothing", async () => {
  conversation.open("c")
  await answer("messages", [question])
  conversation.update({ id: "d", leaf_id: null })
  await flush()
  assert.deepEqual(waiting, [])
  conversation.update({ id: "c", leaf_id: null })
  conversation.open("e")
  await flush()
  assert.deepEqual(
    waiting.map(({ name }) => name),
    ["messages"],
  ) // of e
})

test("an update does not undo what this page did since", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  conversation.update({ id: "c", leaf_id: "u1" })
  await flush()
  conversation.addSent(entry({ parent_id: "a1" }), arrived({ message_id: "u2", reply_id: "a2", run_id: "run2" }))
  await answer("messages", [])
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
})

test("an update fetches everything if messages may be gone", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(), ...nextTurn.map((message) => ({ ...message, status: "queued" }))])
  conversation.update({ id: "c", leaf_id: null })
  await flush()
  assert.deepEqual(calls.at(-1), ["messages", "c", { limit: 100 }])
  await answer("messages", [question, reply()])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  conversation.update({ id: "c", leaf_id: null })
  await flush()
  await answer("messages", refusal(404))
  assert.deepEqual(calls.at(-1), ["messages", "c", { limit: 100 }])
})

test("an update brings what another window sent at the same moment, in the server's order", async () => {
  for (const [first, second] of [
    ["own", "other"],
    ["other", "own"],
  ]) {
    conversation.open("c")
    await answer("messages", [question, reply({ status: "completed" })])
    conversation.addSent(entry({ parent_id: "a1" }), arrived({ message_id: "u-own", reply_id: "a-own", run_id: "own" }))
    conversation.update({ id: "c", leaf_id: null })
    await flush()
    assert.deepEqual(calls.at(-1), ["messages", "c", { after: "a1" }]) // not only what follows its own message
    const sent = (name) => [
      { ...question, id: `u-${name}`, parent_id: "a1" },
      reply({ id: `a-${name}`, parent_id: `u-${name}`, run_id: name, status: "queued" }),
    ]
    await answer("messages", [...sent(first), ...sent(second)])
    assert.deepEqual(ids(conversation), ["u1", "a1", `u-${second}`, `a-${second}`])
    const versions = conversation.versionsOf([conversation.messages[2]])
    assert.deepEqual(versions, { index: 1, leafIds: [`a-${first}`, `a-${second}`] })
    conversation.update({ id: "c", leaf_id: null })
    await flush()
    assert.deepEqual(calls.at(-1), ["messages", "c", { after: `a-${second}` }])
    await answer("messages", [])
  }
})

test("an update brings another answer that another window asked for at the same moment", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  conversation.regenerate("a1", { assistant: "demo" })
  await answer("regenerate", { message_id: "u1", reply_id: "a3", run_id: "run3" })
  conversation.update({ id: "c", leaf_id: null })
  await flush()
  const versions = ["a2", "a3"].map((id) => reply({ id, run_id: `run-${id}` }))
  await answer("messages", versions)
  assert.deepEqual(ids(conversation), ["u1", "a3"])
  assert.equal(conversation.versionsOf([conversation.messages[1]]).leafIds.length, 3)
})

// Branches

test("the saved branch is shown, and another one once it is chosen", async () => {
  setRow({ leaf_id: "a1" })
  conversation.open("c")
  await answer("messages", [
    question,
    reply({ status: "completed" }),
    reply({ id: "b1", status: "completed", run_id: "run2" }),
  ])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
  assert.deepEqual(conversation.versionsOf([conversation.messages[1]]), { index: 0, leafIds: ["a1", "b1"] })
  const turned = conversation.switchBranch("b1")
  assert.deepEqual(ids(conversation), ["u1", "b1"])
  assert.deepEqual(calls.at(-1), ["changeConversation", "c", { leaf_id: "b1" }])
  conversation.refresh() // knows nothing of it yet
  await answer("messages", [
    question,
    reply({ status: "completed" }),
    reply({ id: "b1", status: "completed", run_id: "run2" }),
  ])
  assert.deepEqual(ids(conversation), ["u1", "b1"])
  await answer("changeConversation", {})
  await turned
  setRow({ leaf_id: "b1" })
  assert.deepEqual([conversation.has("a1"), conversation.shows("a1"), conversation.has("x")], [true, false, false])
  assert.equal(conversation.leafBehind("u1"), "b1")
})

test("a new message ends the choice of a branch", async () => {
  setRow({ leaf_id: "a1" })
  conversation.open("c")
  await answer("messages", [
    question,
    reply({ status: "completed" }),
    reply({ id: "b1", status: "completed", run_id: "run2" }),
  ])
  conversation.addSent(entry({ parent_id: "a1" }), arrived({ message_id: "u2", reply_id: "a2", run_id: "run3" }))
  assert.deepEqual(ids(conversation), ["u1", "a1", "u2", "a2"])
})

// Many messages

const many = Array.from({ length: 250 }, (_, index) => ({
  id: `m${index}`,
  parent_id: index ? `m${index - 1}` : null,
  role: index % 2 ? "assistant" : "user",
  status: "completed",
  parts: [],
  text: "",
}))
const opened = async () => {
  conversation.open("c")
  await answer("messages", many.slice(150))
}

test("the newest messages are loaded first, older ones on demand", async () => {
  await opened()
  assert.equal(conversation.messages.length, 100)
  assert.ok(conversation.hasOlder)
  conversation.loadOlder()
  const asked = conversation.loadOlder() // once
  assert.deepEqual(calls.slice(1), [["messages", "c", { before: "m150", limit: 100 }]])
  await answer("messages", many.slice(50, 150))
  await asked
  const found = conversation.loadUntil("m3")
  await answer("messages", many.slice(0, 50))
  assert.equal(await found, true)
  assert.equal(conversation.messages.length, 250)
  assert.ok(!conversation.hasOlder)
  assert.equal(conversation.loadOlder(), null)
  assert.equal(await conversation.loadUntil("nowhere"), false)
})

test("a refresh keeps the older messages", async () => {
  await opened()
  conversation.loadOlder()
  await answer("messages", many.slice(50, 150))
  conversation.refresh()
  await answer("messages", many.slice(150))
  assert.equal(conversation.messages.length, 200)
  assert.ok(conversation.hasOlder)
})

test("a refresh drops older messages that no longer connect to the newest", async () => {
  await opened()
  const newer = many
    .slice(150)
    .map((message) => ({ ...message, id: `${message.id}x`, parent_id: `${message.parent_id}x` }))
  conversation.refresh()
  await answer("messages", newer)
  assert.equal(conversation.messages.length, 100)
  assert.equal(conversation.messages[0].id, "m150x")
  assert.ok(conversation.hasOlder)
})

test("a branch that ends in an old message is shown once that is loaded", async () => {
  setRow({ leaf_id: "m100" })
  await opened()
  assert.deepEqual(ids(conversation), [])
  await answer("messages", many.slice(50, 150))
  assert.equal(conversation.messages.at(-1).id, "m100")
})

test("older messages of a previous conversation are dropped", async () => {
  await opened()
  const asked = conversation.loadOlder()
  conversation.open("d")
  await answer("messages", many.slice(50, 150))
  await asked
  await answer("messages", [question])
  assert.deepEqual(ids(conversation), ["u1"])
})

// What the user does with messages
