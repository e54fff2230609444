import assert from "node:assert/strict"
import { mock, test } from "node:test"

import {
  answer,
  calls,
  conversation,
  followed,
  hookCalls,
  ids,
  nextTurn,
  question,
  refusal,
  reply,
  waiting,
} from "./fake_server.js"

test("an edit takes the place of the old message", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  const fields = { text: "Hello", assistant: "demo", attachments: [], at: 0 }
  const edited = conversation.edit("u1", fields)
  const body = { text: "Hello", assistant: "demo", documents: [], attachments: [] }
  assert.deepEqual(calls.at(-1).slice(0, 3), ["edit", "u1", body])
  await answer("edit", { message_id: "u2", reply_id: "a2", run_id: "run2" })
  await edited
  assert.deepEqual(ids(conversation), ["u2", "a2"])
  assert.deepEqual(conversation.versionsOf([conversation.messages[0]]), { index: 1, leafIds: ["a1", "a2"] })
})

test("an edit with images refreshes, because the images are copies", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "completed" })])
  const edited = conversation.edit("u1", { text: "Hello", attachments: [{ type: "image", id: "i" }] })
  await answer("edit", { message_id: "u2", reply_id: "a2", run_id: "run2" })
  await answer("messages", [
    question,
    reply({ status: "completed" }),
    { ...question, id: "u2", parts: [{ type: "image", id: "j" }] },
    reply({ id: "a2", parent_id: "u2", run_id: "run2" }),
  ])
  await edited
  assert.equal(conversation.messages[0].parts[0].id, "j")
})

test("an unanswered call repeats its key, a refused one gets a new key", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "interrupted" })])
  const asks = [
    ["regenerate", () => conversation.regenerate("a1", { assistant: "demo" })],
    ["edit", () => conversation.edit("u1", { text: "x", attachments: [] })],
    ["continueReply", () => conversation.continueReply("a1")],
  ]
  for (const [name, ask] of asks) {
    for (const status of [0, 502, 409]) {
      const lost = assert.rejects(ask())
      await answer(name, refusal(status))
      if (status === 409 && name === "continueReply")
        await answer("messages", [question, reply({ status: "interrupted" })])
      await lost
    }
    ask().catch(() => {})
    const keys = calls.filter((call) => call[0] === name).map((call) => call.at(-1))
    assert.equal(keys[0], keys[1])
    assert.equal(keys[1], keys[2])
    assert.notEqual(keys[2], keys[3])
  }
})

test("continuing an answer adds a reply behind it, with its assistant", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "interrupted", assistant: "helper" })])
  const goesOn = conversation.continueReply("a1")
  await answer("continueReply", { message_id: "a1", reply_id: "a2", run_id: "run2" })
  await goesOn
  assert.deepEqual(ids(conversation), ["u1", "a1", "a2"])
  assert.equal(conversation.live.assistant, "helper")
})

test("withdrawing removes the message and keeps those behind it", async () => {
  conversation.open("c")
  const third = [
    { ...question, id: "u3", parent_id: "a2" },
    reply({ id: "a3", parent_id: "u3", run_id: "run3", status: "queued" }),
  ]
  await answer("messages", [
    question,
    reply(),
    ...nextTurn.map((message) => ({ ...message, status: "queued" })),
    ...third,
  ])
  const taken = conversation.withdraw("u2")
  await answer("deleteMessage", null)
  assert.equal((await taken).id, "u2")
  assert.deepEqual(ids(conversation), ["u1", "a1", "u3", "a3"])
})

test("withdrawing too late shows what happened instead", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(), ...nextTurn.map((message) => ({ ...message, status: "queued" }))])
  const refused = assert.rejects(conversation.withdraw("u2"), { message: "No." })
  await answer("deleteMessage", refusal(409))
  await answer("messages", [question, reply({ status: "completed" }), ...nextTurn])
  await refused
  assert.equal(conversation.live.id, "a2")
})

test("cancelling a queued run refreshes: its message may have been withdrawn elsewhere", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ status: "queued" })])
  followed.listener.onEvent("run1", { type: "RUN_FINISHED", outcome: { type: "cancelled" } }, 2)
  await answer("messages", [])
  assert.deepEqual(ids(conversation), [])
})

test("a rating is shown at once, and undone if the server refuses it", async () => {
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

test("regenerating replaces the failed answer", async () => {
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

test("an approval continues in a reply behind the one that asked", async () => {
  conversation.open("c")
  await answer("messages", [question, reply({ ...waits, assistant: "helper" })])
  const allowed = conversation.decide("run1", yes)
  await answer("resume", { message_id: "a1", reply_id: "a2", run_id: "run2" })
  await allowed
  assert.deepEqual(calls.at(-1), ["resume", "run1", yes])
  assert.deepEqual(ids(conversation), ["u1", "a1", "a2"])
  assert.equal(conversation.live.assistant, "helper")
  assert.deepEqual([...followed.runs], ["run2"])
  assert.deepEqual(hookCalls.at(-1), ["onStarted", "run2"])
})

test("an approval that comes too late shows what happened instead", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(waits)])
  const refused = assert.rejects(conversation.decide("run1", yes), { message: "No." })
  await answer("resume", refusal(409))
  await answer("messages", [question, reply(waits), reply({ id: "a2", parent_id: "a1", run_id: "run2" })])
  await refused
  assert.deepEqual(ids(conversation), ["u1", "a1", "a2"])
  assert.deepEqual([...followed.runs], ["run2"])
})

test("an approval without an answer from the server changes nothing", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(waits)])
  const lost = assert.rejects(conversation.decide("run1", yes))
  await answer("resume", refusal(0))
  await lost
  assert.deepEqual(waiting, [])
  assert.deepEqual(ids(conversation), ["u1", "a1"])
})

test("an approval is not shown in the conversation opened meanwhile", async () => {
  conversation.open("c")
  await answer("messages", [question, reply(waits)])
  const allowed = conversation.decide("run1", yes)
  conversation.open("other")
  await answer("resume", { message_id: "a1", reply_id: "a2", run_id: "run2" })
  await allowed
  assert.deepEqual(ids(conversation), [])
  assert.deepEqual(hookCalls, [])
})

test("after a crash the stored row replaces what was streamed", async () => {
  conversation.open("c")
  await answer("messages", [question, reply()])
  for (const [seq, event] of [
    { type: "TEXT_MESSAGE_START" },
    { type: "TEXT_MESSAGE_CONTENT", delta: "read but never kept" },
  ].entries()) {
    followed.listener.onEvent("run1", event, seq + 1)
  }
  followed.listener.onEvent("run1", { type: "RUN_ERROR", code: "interrupted", message: "Cut." }, 3)
  await answer("messages", [question, reply({ status: "interrupted", parts: [{ type: "text", text: "read" }] })])
  assert.equal(conversation.messages[1].parts[0].text, "read")
})

test("a deleted conversation is marked and not requested again", async () => {
  conversation.open("c")
  await answer("messages", refusal(404))
  assert.ok(conversation.isDeleted)
  await conversation.refresh()
  assert.equal(calls.length, 1)
})

test("a failed refresh is repeated", async () => {
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
