import assert from "node:assert/strict"
import { test } from "node:test"

import { apply, branch, isOpen, merge, newReply, reduce, textOf } from "../../static/chat/js/state.js"

const reply = (changes = {}) => ({ ...newReply({ id: "r", run_id: "run" }), ...changes })
const played = (...events) => events.reduce((state, event, index) => apply(state, event, index + 1), reply())

const started = { type: "RUN_STARTED", threadId: "c", runId: "run" }
const textStart = { type: "TEXT_MESSAGE_START", messageId: "r", role: "assistant" }
const text = (delta) => ({ type: "TEXT_MESSAGE_CONTENT", messageId: "r", delta })
const textEnd = { type: "TEXT_MESSAGE_END", messageId: "r" }
const thoughtStart = [{ type: "REASONING_START", messageId: "t" }, { type: "REASONING_MESSAGE_START", messageId: "t" }]
const thought = (delta) => ({ type: "REASONING_MESSAGE_CONTENT", messageId: "t", delta })
const thoughtEnd = [{ type: "REASONING_MESSAGE_END", messageId: "t" }, { type: "REASONING_END", messageId: "t" }]
const callStart = (id, name) => ({ type: "TOOL_CALL_START", toolCallId: id, toolCallName: name, parentMessageId: "r" })
const callArgs = (id, delta) => ({ type: "TOOL_CALL_ARGS", toolCallId: id, delta })
const callEnd = (id) => ({ type: "TOOL_CALL_END", toolCallId: id })
const callResult = (id, content, metadata) =>
  ({ type: "TOOL_CALL_RESULT", messageId: `r:tool:${id}`, toolCallId: id, content, ...(metadata && { metadata }) })
const finished = (outcome = "success", result = { finishReason: "stop", notice: null }) =>
  ({ type: "RUN_FINISHED", threadId: "c", runId: "run", outcome: { type: outcome }, result, usage: [{ inputTokens: 1 }] })

test("a reply waits until its run starts", () => {
  assert.equal(reply().status, "queued")
  assert.equal(played(started).status, "in_progress")
})

test("deltas grow one text part", () => {
  const state = played(started, textStart, text("Hel"), text("lo"), textEnd, finished())
  assert.deepEqual(state.parts, [{ type: "text", text: "Hello" }])
  assert.equal(state.status, "completed")
  assert.equal(textOf(state), "Hello")
})

test("each start of a text or a thought makes its own part", () => {
  const state = played(started, ...thoughtStart, thought("Let me "), thought("see."), ...thoughtEnd,
    textStart, text("One"), textEnd, ...thoughtStart, thought("More"), ...thoughtEnd, textStart, text("Two"), textEnd)
  assert.deepEqual(state.parts, [
    { type: "reasoning", text: "Let me see." }, { type: "text", text: "One" },
    { type: "reasoning", text: "More" }, { type: "text", text: "Two" },
  ])
  assert.equal(textOf(state), "OneTwo")
})

test("tool calls keep their arguments and results apart, also when they overlap", () => {
  const state = played(started, callStart("a", "clock"), callStart("b", "calculator"), callArgs("a", '{"zone":'),
    callArgs("b", '{"expression":"1+1"}'), callArgs("a", '"UTC"}'), callEnd("a"), callEnd("b"), callResult("b", "2"), callResult("a", "noon"))
  assert.deepEqual(state.parts, [
    { type: "tool_call", id: "a", name: "clock", arguments: '{"zone":"UTC"}', result: "noon", error: null },
    { type: "tool_call", id: "b", name: "calculator", arguments: '{"expression":"1+1"}', result: "2", error: null },
  ])
})

test("a tool that failed has an error and no result", () => {
  const [part] = played(started, callStart("a", "clock"), callEnd("a"), callResult("a", "No such zone.", { error: true })).parts
  assert.equal(part.error, "No such zone.")
  assert.equal(part.result, null)
})

test("the end tells reason, notice and usage", () => {
  const state = played(started, finished("success", { finishReason: "length", notice: "The answer reached its length limit." }))
  assert.equal(state.status, "completed")
  assert.equal(state.finish_reason, "length")
  assert.equal(state.notice, "The answer reached its length limit.")
  assert.deepEqual(state.usage, [{ inputTokens: 1 }])
})

test("a cancelled run keeps what was written", () => {
  const state = played(started, textStart, text("Half an"), textEnd, finished("cancelled"))
  assert.equal(state.status, "cancelled")
  assert.equal(textOf(state), "Half an")
})

test("an end without a result is an end", () => {
  const state = played({ ...finished("cancelled"), result: undefined, usage: undefined })
  assert.equal(state.status, "cancelled")
  assert.equal(state.notice, null)
})

test("an error is a failure, except the one called interrupted", () => {
  const failed = played(started, { type: "RUN_ERROR", code: "overloaded", message: "Busy." })
  assert.equal(failed.status, "failed")
  assert.deepEqual(failed.error, { code: "overloaded", message: "Busy." })
  assert.equal(played(started, { type: "RUN_ERROR", code: "interrupted", message: "Cut." }).status, "interrupted")
})

test("what says nothing about the parts changes nothing but the position", () => {
  const before = played(started, textStart, text("x"))
  for (const event of [textEnd, ...thoughtEnd, thoughtStart[0], callEnd("a"), { type: "CUSTOM", name: "n", value: 1 }, { type: "NEW_ONE" }]) {
    assert.equal(reduce(before, event), before)
    assert.equal(apply(before, event, 9).seq, 9)
  }
})

test("an event that was seen is dropped", () => {
  const state = played(started, textStart, text("once"))
  assert.equal(apply(state, text("once"), 3), state)
  assert.equal(apply(state, started, 1), state)
})

test("a jump in the numbers is no gap: deltas may arrive joined", () => {
  const state = apply(played(started, textStart), text("one two three"), 40)
  assert.equal(textOf(state), "one two three")
  assert.equal(state.seq, 40)
})

test("a snapshot replaces what was there, also where the log is shorter than the reader remembers", () => {
  const ahead = { ...played(started, textStart, text("more than was kept")), seq: 50 }
  const messages = [{ id: "u", role: "user", content: "hi" }, { id: "r", role: "assistant", content: "more than" }]
  const afterStart = apply(ahead, started, 41)
  assert.equal(afterStart, ahead)
  const replaced = apply(afterStart, { type: "MESSAGES_SNAPSHOT", messages }, 42)
  assert.deepEqual(replaced.parts, [{ type: "text", text: "more than" }])
  assert.equal(replaced.seq, 42)
  const ended = apply(replaced, { type: "RUN_ERROR", code: "interrupted", message: "Cut." }, 43)
  assert.equal(ended.status, "interrupted")
  assert.equal(ended.seq, 43)
})

test("a snapshot without the reply empties it", () => {
  const state = apply(played(started, textStart, text("x")), { type: "MESSAGES_SNAPSHOT", messages: [{ id: "u", role: "user", content: "hi" }] }, 4)
  assert.deepEqual(state.parts, [])
})

test("a snapshot brings thoughts, tool calls and their results", () => {
  const messages = [
    { id: "u", role: "user", content: "when?" },
    { id: "t", role: "reasoning", content: "Look at the clock." },
    { id: "r", role: "assistant", content: "Noon.", toolCalls: [{ id: "a", type: "function", function: { name: "clock", arguments: "{}" } }] },
    { id: "x", role: "tool", toolCallId: "a", content: "12:00" },
  ]
  assert.deepEqual(apply(reply(), { type: "MESSAGES_SNAPSHOT", messages }, 2).parts, [
    { type: "reasoning", text: "Look at the clock." },
    { type: "text", text: "Noon." },
    { type: "tool_call", id: "a", name: "clock", arguments: "{}", result: "12:00", error: null },
  ])
})

test("an open reply takes its end wherever it stands, a closed one does not change", () => {
  const ahead = { ...played(started, textStart, text("x")), seq: 50 }
  const ended = apply(ahead, finished(), 10)
  assert.equal(ended.status, "completed")
  assert.equal(apply(ended, finished("cancelled"), 10), ended)
})

test("the branch ends in the newest message and follows the parents", () => {
  const tree = [
    { id: "1", parent_id: null }, { id: "2", parent_id: "1" }, { id: "3", parent_id: "2" },
    { id: "4", parent_id: "3" }, { id: "4b", parent_id: "3" },
  ]
  assert.deepEqual(branch(tree).map(({ id }) => id), ["1", "2", "3", "4b"])
  assert.deepEqual(branch([]), [])
})

test("parents that form a circle end", () => {
  assert.deepEqual(branch([{ id: "a", parent_id: "b" }, { id: "b", parent_id: "a" }]).map(({ id }) => id), ["a", "b"])
})

test("stored rows win, except over a reply that is being read here", () => {
  const live = { ...played(started, textStart, text("ahead")), id: "r" }
  const row = { id: "r", run_id: "run", role: "assistant", status: "in_progress", parts: [] }
  assert.equal(merge([live], [row])[0], live)
  const settled = { ...row, status: "completed", parts: [{ type: "text", text: "ahead of all" }] }
  assert.equal(merge([live], [settled])[0], settled)
})

test("an open reply that nobody reads here yet starts from nothing", () => {
  const [fresh] = merge([], [{ id: "r", run_id: "run", role: "assistant", status: "in_progress", parts: [] }])
  assert.equal(fresh.seq, 0)
  assert.deepEqual(fresh.parts, [])
  assert.ok(isOpen(fresh))
})

test("a reader that saw the end is not opened again by an older row", () => {
  const over = played(started, textStart, text("all"), textEnd, finished())
  assert.equal(merge([over], [{ id: "r", run_id: "run", role: "assistant", status: "in_progress", parts: [] }])[0], over)
})
