import assert from "node:assert/strict"
import { test } from "node:test"

import {
  answerOf, apply, branch, inLine, isOpen, isUnfinished, liveIn, merge, newReply, reduce, sectionsOf, textOf, turns,
} from "../../static/chat/js/state.js"

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
const at = (event, timestamp) => ({ ...event, timestamp })
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

test("thoughts and tools tell how long they took, where both ends are timed", () => {
  const state = played(at(thoughtStart[0], 1000), thoughtStart[1], thought("Hm."), thoughtEnd[0], at(thoughtEnd[1], 4500),
    at(callStart("a", "clock"), 5000), callEnd("a"), at(callStart("b", "clock"), 5100), callEnd("b"), callStart("c", "clock"),
    at(callResult("b", "No.", { error: true }), 5350), at(callResult("a", "noon"), 5001), at(callResult("c", "noon"), 6000))
  assert.deepEqual(state.parts.map(({ seconds }) => seconds), [3.5, 0.001, 0.25, undefined])
  assert.deepEqual(state.parts.map((part) => "seconds" in part), [true, true, true, false])
})

test("a clock that was put back makes no negative time", () => {
  const [part] = played(at(callStart("a", "clock"), 5000), callEnd("a"), at(callResult("a", "noon"), 4000)).parts
  assert.equal(part.seconds, 0)
})

test("each thought has its own time", () => {
  const named = (events, id) => events.map((event) => ({ ...event, messageId: id }))
  const one = [...named(thoughtStart, "t1"), thought("One"), ...named(thoughtEnd, "t1")]
  const two = [...named(thoughtStart, "t2"), thought("Two"), ...named(thoughtEnd, "t2")]
  const times = [1000, , , , 2000, 3000, , , , 3100]
  const events = [...one, ...two].map((event, index) => (times[index] ? at(event, times[index]) : event))
  assert.deepEqual(played(...events).parts, [
    { type: "reasoning", text: "One", seconds: 1 }, { type: "reasoning", text: "Two", seconds: 0.1 },
  ])
})

test("the result of a call that an earlier reply made is a part of its own", () => {
  const state = played(started, at(callResult("before", "sent"), 7000), callResult("other", "No.", { error: true }),
    textStart, text("Done."), textEnd, finished())
  assert.deepEqual(state.parts, [
    { type: "tool_result", id: "before", result: "sent", error: null },
    { type: "tool_result", id: "other", result: null, error: "No." },
    { type: "text", text: "Done." },
  ])
})

test("a reply that waits for the person is complete and keeps what it asks", () => {
  const interrupts = [{ id: "run:1", reason: "tool_call", message: "Send it?", toolCallId: "a", expiresAt: "2030-01-01T00:00:00+00:00" }]
  const end = { ...finished("interrupt", { finishReason: "tool_calls", notice: null }), outcome: { type: "interrupt", interrupts } }
  const state = played(started, callStart("a", "send_mail"), callEnd("a"), end)
  assert.equal(state.status, "completed")
  assert.deepEqual(state.interrupts, interrupts)
  assert.deepEqual(played(started, finished()).interrupts, [])
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
    { id: "r:reasoning:1", role: "reasoning", content: "Look at the clock." },
    { id: "r", role: "assistant", content: "Noon.", toolCalls: [{ id: "a", type: "function", function: { name: "clock", arguments: "{}" } }] },
    { id: "r:tool:a", role: "tool", toolCallId: "a", content: "12:00" },
  ]
  assert.deepEqual(apply(reply(), { type: "MESSAGES_SNAPSHOT", messages }, 2).parts, [
    { type: "reasoning", text: "Look at the clock." },
    { type: "text", text: "Noon." },
    { type: "tool_call", id: "a", name: "clock", arguments: "{}", result: "12:00", error: null },
  ])
})

test("a snapshot gives a reply its own pieces only, not those of the reply that it goes on with", () => {
  const messages = [
    { id: "u", role: "user", content: "send it" },
    { id: "q:reasoning:1", role: "reasoning", content: "A mail, then." },
    { id: "q", role: "assistant", content: "I will.", toolCalls: [{ id: "a", type: "function", function: { name: "send_mail", arguments: "{}" } }] },
    { id: "r", role: "assistant", content: "It is sent." },
    { id: "r:tool:a", role: "tool", toolCallId: "a", content: "Failed.", error: "Failed." },
  ]
  assert.deepEqual(apply(reply(), { type: "MESSAGES_SNAPSHOT", messages }, 2).parts, [
    { type: "text", text: "It is sent." },
    { type: "tool_result", id: "a", result: null, error: "Failed." },
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

test("the branch ends in the message that was chosen, while it is there", () => {
  const tree = [{ id: "1", parent_id: null }, { id: "2", parent_id: "1" }, { id: "2b", parent_id: "1" }]
  assert.deepEqual(branch(tree, "2").map(({ id }) => id), ["1", "2"])
  assert.deepEqual(branch(tree, "gone").map(({ id }) => id), ["1", "2b"])
})

test("the first open reply is the one that is written, and those behind it wait with their questions", () => {
  const says = (id, parent_id, status) => ({ id, parent_id, status, role: "assistant" })
  const asks = (id, parent_id) => ({ id, parent_id, status: "completed", role: "user" })
  const messages = [asks("q"), says("a", "q", "in_progress"), asks("r", "a"), says("b", "r", "queued"), asks("s", "b"), says("c", "s", "queued")]
  assert.equal(liveIn(messages).id, "a")
  const { begun, waiting } = inLine(messages)
  assert.deepEqual(begun.map(({ id }) => id), ["q", "a", "r", "s"])
  assert.deepEqual([...waiting], ["r", "s"])
  assert.equal(liveIn([asks("q"), says("a", "q", "completed")]), undefined)
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

// What a page shows of a branch

const NOON = Date.parse("2030-01-01T12:00:00Z")
const waitsFor = (...ids) => ids.map((id, index) => ({
  id: `run:${index + 1}`, reason: "tool_call", message: "May I?", toolCallId: id, expiresAt: "2030-01-01T12:00:00+00:00",
}))
const asked = (...ids) => ({
  ...newReply({ id: "r", run_id: "run", parent_id: "u", assistant: "helper" }), status: "completed", interrupts: waitsFor(...ids),
  parts: ids.map((id) => ({ type: "tool_call", id, name: "send_mail", arguments: "{}", result: null, error: null })),
})
const goesOn = (changes) => ({ ...newReply({ id: "r2", run_id: "run2", parent_id: "r", assistant: "helper" }), ...changes })
const statesOf = ({ parts }) => parts.filter((part) => part.type !== "text").map(({ state }) => state)
const shown = (replies, { isLast = true, now = NOON - 1 } = {}) => answerOf(replies, { isLast, now })

test("replies that follow each other are one answer", () => {
  const [u, r, r2, u2, r3] = [
    { id: "u", role: "user" }, asked("a"), goesOn(), { id: "u2", role: "user" }, { id: "r3", role: "assistant" },
  ]
  assert.deepEqual(turns([u, r, r2, u2, r3]), [[u], [r, r2], [u2], [r3]])
  assert.deepEqual(turns([]), [])
})

test("a call stands as its run does", () => {
  const live = played(started, at(callStart("a", "clock"), 1000), callEnd("a"), callStart("b", "clock"), callEnd("b"),
    callResult("b", "noon"), callStart("c", "clock"), callEnd("c"), callResult("c", "No.", { error: true }))
  assert.deepEqual(statesOf(shown([live])), ["running", "done", "failed"])
  assert.equal(shown([live]).parts[0].since, 1000)
  for (const status of ["cancelled", "failed", "interrupted", "completed"]) {
    assert.deepEqual(statesOf(shown([{ ...live, status }])), ["stopped", "done", "failed"])
  }
})

test("the last thought is under way until its end is told", () => {
  const thinking = played(started, at(thoughtStart[0], 1000), thoughtStart[1], thought("Hm."))
  assert.deepEqual(statesOf(shown([thinking])), ["running"])
  assert.equal(shown([thinking]).parts[0].since, 1000)
  assert.deepEqual(statesOf(shown([apply(thinking, at(thoughtEnd[1], 2000), 9)])), ["done"])
  assert.deepEqual(statesOf(shown([apply(thinking, callStart("a", "clock"), 9)])), ["done", "running"])
  assert.deepEqual(statesOf(shown([{ ...thinking, status: "cancelled" }])), ["done"])
})

test("what needs a yes waits, expires by itself, and is of no use once the conversation went on", () => {
  const waiting = shown([asked("a", "b")])
  assert.deepEqual(statesOf(waiting), ["waiting", "waiting"])
  assert.deepEqual(waiting.asks.map(({ id, isExpired, call }) => [id, isExpired, call.id]), [["run:1", false, "a"], ["run:2", false, "b"]])
  const late = shown([asked("a")], { now: NOON })
  assert.deepEqual(statesOf(late), ["expired"])
  assert.ok(late.asks[0].isExpired)
  const over = shown([asked("a")], { isLast: false })
  assert.deepEqual(statesOf(over), ["unused"])
  assert.deepEqual(over.asks, [])
})

test("a question without an end does not expire", () => {
  const reply = asked("a")
  delete reply.interrupts[0].expiresAt
  assert.deepEqual(statesOf(shown([reply], { now: Infinity })), ["waiting"])
})

test("an answered call runs in the reply that goes on, which tells its result", () => {
  const running = shown([asked("a"), goesOn({ status: "queued" })])
  assert.deepEqual(statesOf(running), ["running"])
  assert.deepEqual(running.asks, [])
  const result = { type: "tool_result", id: "a", result: "Sent.", error: null }
  const parts = [result, { type: "text", text: "It is sent." }]
  const done = shown([asked("a"), goesOn({ status: "completed", parts })])
  assert.deepEqual(done.parts, [
    { type: "tool_call", id: "a", name: "send_mail", arguments: "{}", result: "Sent.", error: null, state: "done", since: undefined, isAsked: true },
    { type: "text", text: "It is sent." },
  ])
  assert.deepEqual([done.id, done.assistant, done.run_id, textOf(done)], ["r", "helper", "run2", "It is sent."])
  const refused = shown([asked("a"), goesOn({ status: "completed", parts: [{ ...result, result: null, error: "No." }] })])
  assert.deepEqual(statesOf(refused), ["failed"])
  assert.deepEqual(statesOf(shown([asked("a"), goesOn({ status: "failed" })])), ["stopped"])
})

test("a call of an answer that broke off stays stopped when the answer goes on", () => {
  const broken = { ...asked("a"), status: "interrupted", interrupts: [] }
  assert.deepEqual(statesOf(shown([broken, goesOn({ status: "in_progress" })])), ["stopped"])
})

test("the reply that goes on may wait for a yes, too", () => {
  const again = { ...asked("b"), id: "r2", run_id: "run2", parent_id: "r" }
  again.parts.unshift({ type: "tool_result", id: "a", result: "Sent.", error: null })
  const answer = shown([asked("a"), again])
  assert.deepEqual(statesOf(answer), ["done", "waiting"])
  assert.deepEqual(answer.asks.map(({ call }) => call.id), ["b"])
})

const brokeOff = (parts, changes = {}) => ({ ...newReply({ id: "r", run_id: "run", parent_id: "u" }), status: "interrupted", parts, ...changes })
const says = (text) => ({ type: "text", text })
const thinks = (text) => ({ type: "reasoning", text })
const told = ({ parts }) => parts.map(({ type, text, name }) => [type, text ?? name])

test("an answer that had broken off goes on in mid-sentence, as one text", () => {
  for (const changes of [{}, { status: "cancelled" }, { status: "completed", finish_reason: "length" }]) {
    const before = brokeOff([thinks("Hm."), says("Half an")], changes)
    assert.ok(isUnfinished(before))
    const whole = shown([before, goesOn({ status: "completed", parts: [says(" answer."), says("More.")] })])
    assert.deepEqual(told(whole), [["reasoning", "Hm."], ["text", "Half an answer."], ["text", "More."]])
  }
})

test("what the model thinks and does before it goes on parts no sentence", () => {
  const use = { type: "tool_call", id: "a", name: "clock", arguments: "{}", result: "noon", error: null }
  const whole = shown([brokeOff([says("It is")]), goesOn({ status: "in_progress", parts: [thinks("Which hour?"), use, says(" noon."), thinks("Good.")] })])
  assert.deepEqual(told(whole), [["reasoning", "Which hour?"], ["tool_call", "clock"], ["text", "It is noon."], ["reasoning", "Good."]])
  assert.deepEqual(whole.parts.map(({ state }) => state), ["done", "done", undefined, "running"])
})

test("it goes on more than once", () => {
  const second = brokeOff([says(" an")], { id: "r2", parent_id: "r" })
  const whole = shown([brokeOff([says("Half")]), second, goesOn({ id: "r3", status: "completed", parts: [says(" answer.")] })])
  assert.deepEqual(told(whole), [["text", "Half an answer."]])
})

test("only a text that broke off goes on", () => {
  const complete = { ...asked("a"), interrupts: waitsFor("a") }
  complete.parts.push(says("May I?"))
  const result = { type: "tool_result", id: "a", result: "Sent.", error: null }
  assert.deepEqual(told(shown([complete, goesOn({ status: "completed", parts: [result, says("Sent.")] })])),
    [["tool_call", "send_mail"], ["text", "May I?"], ["text", "Sent."]])
  const inThought = brokeOff([says("So."), thinks("Hm")])
  assert.deepEqual(told(shown([inThought, goesOn({ status: "completed", parts: [says("Well.")] })])),
    [["text", "So."], ["reasoning", "Hm"], ["text", "Well."]])
})

test("a result whose call is nowhere is still shown", () => {
  assert.deepEqual(statesOf(shown([goesOn({ status: "completed", parts: [{ type: "tool_result", id: "a", result: "Sent.", error: null }] })])), ["done"])
})

test("steps in a row stand together, and blank text between them does not part them", () => {
  const [think, use, say] = [{ type: "reasoning" }, { type: "tool_call" }, { type: "text", text: "So." }]
  const blank = { type: "text", text: "\n\n" }
  assert.deepEqual(sectionsOf([think, blank, use, say, use]), [
    { type: "steps", steps: [think, use] }, say, { type: "steps", steps: [use] },
  ])
  assert.deepEqual(sectionsOf([blank, { type: "of a later version" }]), [])
})
