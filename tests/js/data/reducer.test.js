import assert from "node:assert/strict"
import { test } from "node:test"

import { plainText } from "../../../static/chat/js/data/parts.js"
import { apply, isInProgress, merge, reduce } from "../../../static/chat/js/data/reducer.js"
import {
  at,
  callArgs,
  callEnd,
  callResult,
  callStart,
  finished,
  played,
  reply,
  started,
  text,
  textEnd,
  textStart,
  thought,
  thoughtEnd,
  thoughtStart,
} from "./run_events.js"

test("a reply is queued until its run starts", () => {
  assert.equal(reply().status, "queued")
  assert.equal(played(started).status, "in_progress")
})

test("deltas append to one text part", () => {
  const state = played(started, textStart, text("Hel"), text("lo"), textEnd, finished())
  assert.deepEqual(state.parts, [{ type: "text", text: "Hello" }])
  assert.equal(state.status, "completed")
  assert.equal(plainText(state), "Hello")
})

const withdrawn = (type) => ({ type: "CUSTOM", name: "part_withdrawn", value: { type } })

test("a text that was a thought is withdrawn and sent again as one", () => {
  const state = played(
    started,
    textStart,
    text("I greet."),
    textEnd,
    withdrawn("text"),
    ...thoughtStart,
    thought("I greet."),
    ...thoughtEnd,
    textStart,
    text("Hello"),
    textEnd,
  )
  assert.deepEqual(state.parts, [
    { type: "reasoning", text: "I greet." },
    { type: "text", text: "Hello" },
  ])
})

test("a withdrawal of a part that is not there changes nothing", () => {
  const state = played(started, textStart, text("Hello"), textEnd, withdrawn("reasoning"))
  assert.deepEqual(state.parts, [{ type: "text", text: "Hello" }])
})

test("each start of text or reasoning makes a part", () => {
  const state = played(
    started,
    ...thoughtStart,
    thought("Let me "),
    thought("see."),
    ...thoughtEnd,
    textStart,
    text("One"),
    textEnd,
    ...thoughtStart,
    thought("More"),
    ...thoughtEnd,
    textStart,
    text("Two"),
    textEnd,
  )
  assert.deepEqual(state.parts, [
    { type: "reasoning", text: "Let me see." },
    { type: "text", text: "One" },
    { type: "reasoning", text: "More" },
    { type: "text", text: "Two" },
  ])
  assert.equal(plainText(state), "OneTwo")
})

test("tool calls keep their arguments and results apart, even if they overlap", () => {
  const state = played(
    started,
    callStart("a", "clock"),
    callStart("b", "calculator"),
    callArgs("a", '{"zone":'),
    callArgs("b", '{"expression":"1+1"}'),
    callArgs("a", '"UTC"}'),
    callEnd("a"),
    callEnd("b"),
    callResult("b", "2"),
    callResult("a", "noon"),
  )
  assert.deepEqual(state.parts, [
    { type: "tool_call", id: "a", name: "clock", arguments: '{"zone":"UTC"}', result: "noon", error: null },
    { type: "tool_call", id: "b", name: "calculator", arguments: '{"expression":"1+1"}', result: "2", error: null },
  ])
})

test("a failed tool call has an error and no result", () => {
  const [part] = played(
    started,
    callStart("a", "clock"),
    callEnd("a"),
    callResult("a", "No such zone.", { error: true }),
  ).parts
  assert.equal(part.error, "No such zone.")
  assert.equal(part.result, null)
})

test("reasoning and tool calls have durations if both ends have a time", () => {
  const state = played(
    at(thoughtStart[0], 1000),
    thoughtStart[1],
    thought("Hm."),
    thoughtEnd[0],
    at(thoughtEnd[1], 4500),
    at(callStart("a", "clock"), 5000),
    callEnd("a"),
    at(callStart("b", "clock"), 5100),
    callEnd("b"),
    callStart("c", "clock"),
    at(callResult("b", "No.", { error: true }), 5350),
    at(callResult("a", "noon"), 5001),
    at(callResult("c", "noon"), 6000),
  )
  assert.deepEqual(
    state.parts.map(({ seconds }) => seconds),
    [3.5, 0.001, 0.25, undefined],
  )
  assert.deepEqual(
    state.parts.map((part) => "seconds" in part),
    [true, true, true, false],
  )
})

test("a duration is never negative, even if the clock was set back", () => {
  const [part] = played(at(callStart("a", "clock"), 5000), callEnd("a"), at(callResult("a", "noon"), 4000)).parts
  assert.equal(part.seconds, 0)
})

test("each reasoning part has its own duration", () => {
  const named = (events, id) => events.map((event) => ({ ...event, messageId: id }))
  const one = [...named(thoughtStart, "t1"), thought("One"), ...named(thoughtEnd, "t1")]
  const two = [...named(thoughtStart, "t2"), thought("Two"), ...named(thoughtEnd, "t2")]
  const times = { 0: 1000, 4: 2000, 5: 3000, 9: 3100 }
  const events = [...one, ...two].map((event, index) => (times[index] ? at(event, times[index]) : event))
  assert.deepEqual(played(...events).parts, [
    { type: "reasoning", text: "One", seconds: 1 },
    { type: "reasoning", text: "Two", seconds: 0.1 },
  ])
})

test("the result of an earlier reply's call is a part of its own", () => {
  const state = played(
    started,
    at(callResult("before", "sent"), 7000),
    callResult("other", "No.", { error: true }),
    textStart,
    text("Done."),
    textEnd,
    finished(),
  )
  assert.deepEqual(state.parts, [
    { type: "tool_result", id: "before", result: "sent", error: null },
    { type: "tool_result", id: "other", result: null, error: "No." },
    { type: "text", text: "Done." },
  ])
})

test("a reply that asks the user is complete and keeps its questions", () => {
  const interrupts = [
    { id: "run:1", reason: "tool_call", message: "Send it?", toolCallId: "a", expiresAt: "2030-01-01T00:00:00+00:00" },
  ]
  const end = {
    ...finished("interrupt", { finishReason: "tool_calls", notice: null }),
    outcome: { type: "interrupt", interrupts },
  }
  const state = played(started, callStart("a", "send_mail"), callEnd("a"), end)
  assert.equal(state.status, "completed")
  assert.deepEqual(state.interrupts, interrupts)
  assert.deepEqual(played(started, finished()).interrupts, [])
})

test("the end sets finish reason, notice and usage", () => {
  const state = played(
    started,
    finished("success", { finishReason: "length", notice: "The answer reached its length limit." }),
  )
  assert.equal(state.status, "completed")
  assert.equal(state.finish_reason, "length")
  assert.equal(state.notice, "The answer reached its length limit.")
  assert.deepEqual(state.usage, [{ inputTokens: 1 }])
})

test("a cancelled run keeps its text", () => {
  const state = played(started, textStart, text("Half an"), textEnd, finished("cancelled"))
  assert.equal(state.status, "cancelled")
  assert.equal(plainText(state), "Half an")
})

test("an end without a result is accepted", () => {
  const state = played({ ...finished("cancelled"), result: undefined, usage: undefined })
  assert.equal(state.status, "cancelled")
  assert.equal(state.notice, null)
})

test("an error means failed, except the code interrupted", () => {
  const failed = played(started, { type: "RUN_ERROR", code: "overloaded", message: "Busy." })
  assert.equal(failed.status, "failed")
  assert.deepEqual(failed.error, { code: "overloaded", message: "Busy." })
  assert.equal(played(started, { type: "RUN_ERROR", code: "interrupted", message: "Cut." }).status, "interrupted")
})

test("events without parts change only the position", () => {
  const before = played(started, textStart, text("x"))
  for (const event of [
    textEnd,
    ...thoughtEnd,
    thoughtStart[0],
    callEnd("a"),
    { type: "CUSTOM", name: "n", value: 1 },
    { type: "NEW_ONE" },
  ]) {
    assert.equal(reduce(before, event), before)
    assert.equal(apply(before, event, 9).seq, 9)
  }
})

test("a repeated event is dropped", () => {
  const state = played(started, textStart, text("once"))
  assert.equal(apply(state, text("once"), 3), state)
  assert.equal(apply(state, started, 1), state)
})

test("a gap in the positions is accepted: deltas may arrive joined", () => {
  const state = apply(played(started, textStart), text("one two three"), 40)
  assert.equal(plainText(state), "one two three")
  assert.equal(state.seq, 40)
})

test("a snapshot replaces the parts, even at an earlier position", () => {
  const ahead = { ...played(started, textStart, text("more than was kept")), seq: 50 }
  const messages = [
    { id: "u", role: "user", content: "hi" },
    { id: "r", role: "assistant", content: "more than" },
  ]
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
  const state = apply(
    played(started, textStart, text("x")),
    { type: "MESSAGES_SNAPSHOT", messages: [{ id: "u", role: "user", content: "hi" }] },
    4,
  )
  assert.deepEqual(state.parts, [])
})

test("a snapshot restores reasoning, tool calls and results", () => {
  const messages = [
    { id: "u", role: "user", content: "when?" },
    { id: "r:reasoning:1", role: "reasoning", content: "Look at the clock." },
    {
      id: "r",
      role: "assistant",
      content: "Noon.",
      toolCalls: [{ id: "a", type: "function", function: { name: "clock", arguments: "{}" } }],
    },
    { id: "r:tool:a", role: "tool", toolCallId: "a", content: "12:00" },
  ]
  assert.deepEqual(apply(reply(), { type: "MESSAGES_SNAPSHOT", messages }, 2).parts, [
    { type: "reasoning", text: "Look at the clock." },
    { type: "text", text: "Noon." },
    { type: "tool_call", id: "a", name: "clock", arguments: "{}", result: "12:00", error: null },
  ])
})

test("a snapshot keeps the replies of one answer apart", () => {
  const messages = [
    { id: "u", role: "user", content: "send it" },
    { id: "q:reasoning:1", role: "reasoning", content: "A mail, then." },
    {
      id: "q",
      role: "assistant",
      content: "I will.",
      toolCalls: [{ id: "a", type: "function", function: { name: "send_mail", arguments: "{}" } }],
    },
    { id: "r", role: "assistant", content: "It is sent." },
    { id: "r:tool:a", role: "tool", toolCallId: "a", content: "Failed.", error: "Failed." },
  ]
  assert.deepEqual(apply(reply(), { type: "MESSAGES_SNAPSHOT", messages }, 2).parts, [
    { type: "text", text: "It is sent." },
    { type: "tool_result", id: "a", result: null, error: "Failed." },
  ])
})

test("an open reply ends at any position, a closed reply does not change", () => {
  const ahead = { ...played(started, textStart, text("x")), seq: 50 }
  const ended = apply(ahead, finished(), 10)
  assert.equal(ended.status, "completed")
  assert.equal(apply(ended, finished("cancelled"), 10), ended)
})

test("merge prefers stored rows, except to a reply that is streamed here", () => {
  const live = { ...played(started, textStart, text("ahead")), id: "r" }
  const row = { id: "r", run_id: "run", role: "assistant", status: "in_progress", parts: [] }
  assert.equal(merge([live], [row])[0], live)
  const flush = { ...row, status: "completed", parts: [{ type: "text", text: "ahead of all" }] }
  assert.equal(merge([live], [flush])[0], flush)
})

test("merge starts an open reply that is not streamed here without parts", () => {
  const [fresh] = merge([], [{ id: "r", run_id: "run", role: "assistant", status: "in_progress", parts: [] }])
  assert.equal(fresh.seq, 0)
  assert.deepEqual(fresh.parts, [])
  assert.ok(isInProgress(fresh))
})

test("merge does not reopen a reply that has ended here", () => {
  const over = played(started, textStart, text("all"), textEnd, finished())
  assert.equal(
    merge([over], [{ id: "r", run_id: "run", role: "assistant", status: "in_progress", parts: [] }])[0],
    over,
  )
})
