import assert from "node:assert/strict"
import { test } from "node:test"

import { plainText } from "../../../static/chat/js/data/parts.js"
import { apply, newReply } from "../../../static/chat/js/data/reducer.js"
import {
  branch,
  contextBoundary,
  isUnfinished,
  joinReplies,
  liveReply,
  sections,
  turns,
  withoutQueued,
} from "../../../static/chat/js/data/turns.js"
import { at, callEnd, callResult, callStart, played, started, thought, thoughtEnd, thoughtStart } from "./run_events.js"

test("branch follows the parents of the newest message", () => {
  const tree = [
    { id: "1", parent_id: null },
    { id: "2", parent_id: "1" },
    { id: "3", parent_id: "2" },
    { id: "4", parent_id: "3" },
    { id: "4b", parent_id: "3" },
  ]
  assert.deepEqual(
    branch(tree).map(({ id }) => id),
    ["1", "2", "3", "4b"],
  )
  assert.deepEqual(branch([]), [])
})

test("branch ends in the chosen message, as long as it exists", () => {
  const tree = [
    { id: "1", parent_id: null },
    { id: "2", parent_id: "1" },
    { id: "2b", parent_id: "1" },
  ]
  assert.deepEqual(
    branch(tree, "2").map(({ id }) => id),
    ["1", "2"],
  )
  assert.deepEqual(
    branch(tree, "gone").map(({ id }) => id),
    ["1", "2b"],
  )
})

test("withoutQueued keeps the first open reply and marks the questions behind it", () => {
  const reply = (id, parent_id, status) => ({ id, parent_id, status, role: "assistant" })
  const question = (id, parent_id) => ({ id, parent_id, status: "completed", role: "user" })
  const messages = [
    question("q"),
    reply("a", "q", "in_progress"),
    question("r", "a"),
    reply("b", "r", "queued"),
    question("s", "b"),
    reply("c", "s", "queued"),
  ]
  assert.equal(liveReply(messages).id, "a")
  const { started, waiting } = withoutQueued(messages)
  assert.deepEqual(
    started.map(({ id }) => id),
    ["q", "a", "r", "s"],
  )
  assert.deepEqual([...waiting], ["r", "s"])
  assert.equal(liveReply([question("q"), reply("a", "q", "completed")]), undefined)
})

test("branch ends if the parents form a cycle", () => {
  assert.deepEqual(
    branch([
      { id: "a", parent_id: "b" },
      { id: "b", parent_id: "a" },
    ]).map(({ id }) => id),
    ["a", "b"],
  )
})

const NOON = Date.parse("2030-01-01T12:00:00Z")
const approvalsOf = (...ids) =>
  ids.map((id, index) => ({
    id: `run:${index + 1}`,
    reason: "tool_call",
    message: "May I?",
    toolCallId: id,
    expiresAt: "2030-01-01T12:00:00+00:00",
  }))
const asked = (...ids) => ({
  ...newReply({ id: "r", run_id: "run", parent_id: "u", assistant: "helper" }),
  status: "completed",
  interrupts: approvalsOf(...ids),
  parts: ids.map((id) => ({ type: "tool_call", id, name: "send_mail", arguments: "{}", result: null, error: null })),
})
const continuation = (changes) => ({
  ...newReply({ id: "r2", run_id: "run2", parent_id: "r", assistant: "helper" }),
  ...changes,
})
const statesOf = ({ parts }) => parts.filter((part) => part.type !== "text").map(({ state }) => state)
const shown = (replies, { isLast = true, now = NOON - 1 } = {}) => joinReplies(replies, { isLast, now })

test("turns joins consecutive replies to one answer", () => {
  const [u, r, r2, u2, r3] = [
    { id: "u", role: "user" },
    asked("a"),
    continuation(),
    { id: "u2", role: "user" },
    { id: "r3", role: "assistant" },
  ]
  assert.deepEqual(turns([u, r, r2, u2, r3]), [[u], [r, r2], [u2], [r3]])
  assert.deepEqual(turns([]), [])
})

test("a tool call has the state of its run", () => {
  const live = played(
    started,
    at(callStart("a", "clock"), 1000),
    callEnd("a"),
    callStart("b", "clock"),
    callEnd("b"),
    callResult("b", "noon"),
    callStart("c", "clock"),
    callEnd("c"),
    callResult("c", "No.", { error: true }),
  )
  assert.deepEqual(statesOf(shown([live])), ["running", "done", "failed"])
  assert.equal(shown([live]).parts[0].since, 1000)
  for (const status of ["cancelled", "failed", "interrupted", "completed"]) {
    assert.deepEqual(statesOf(shown([{ ...live, status }])), ["stopped", "done", "failed"])
  }
})

test("the last reasoning part runs until its end", () => {
  const thinking = played(started, at(thoughtStart[0], 1000), thoughtStart[1], thought("Hm."))
  assert.deepEqual(statesOf(shown([thinking])), ["running"])
  assert.equal(shown([thinking]).parts[0].since, 1000)
  assert.deepEqual(statesOf(shown([apply(thinking, at(thoughtEnd[1], 2000), 9)])), ["done"])
  assert.deepEqual(statesOf(shown([apply(thinking, callStart("a", "clock"), 9)])), ["done", "running"])
  assert.deepEqual(statesOf(shown([{ ...thinking, status: "cancelled" }])), ["done"])
})

test("an approval waits, expires, and is unused once the conversation went on", () => {
  const waiting = shown([asked("a", "b")])
  assert.deepEqual(statesOf(waiting), ["waiting", "waiting"])
  assert.deepEqual(
    waiting.approvalRequests.map(({ id, isExpired, call }) => [id, isExpired, call.id]),
    [
      ["run:1", false, "a"],
      ["run:2", false, "b"],
    ],
  )
  const late = shown([asked("a")], { now: NOON })
  assert.deepEqual(statesOf(late), ["expired"])
  assert.ok(late.approvalRequests[0].isExpired)
  const over = shown([asked("a")], { isLast: false })
  assert.deepEqual(statesOf(over), ["unused"])
  assert.deepEqual(over.approvalRequests, [])
})

test("a question without expiry does not expire", () => {
  const reply = asked("a")
  delete reply.interrupts[0].expiresAt
  assert.deepEqual(statesOf(shown([reply], { now: Infinity })), ["waiting"])
})

test("an approved call runs in the next reply, which has its result", () => {
  const running = shown([asked("a"), continuation({ status: "queued" })])
  assert.deepEqual(statesOf(running), ["running"])
  assert.deepEqual(running.approvalRequests, [])
  const result = { type: "tool_result", id: "a", result: "Sent.", error: null }
  const parts = [result, { type: "text", text: "It is sent." }]
  const done = shown([asked("a"), continuation({ status: "completed", parts })])
  assert.deepEqual(done.parts, [
    {
      type: "tool_call",
      id: "a",
      name: "send_mail",
      arguments: "{}",
      result: "Sent.",
      error: null,
      state: "done",
      since: undefined,
      needsApproval: true,
    },
    { type: "text", text: "It is sent." },
  ])
  assert.deepEqual([done.id, done.assistant, done.run_id, plainText(done)], ["r", "helper", "run2", "It is sent."])
  const refused = shown([
    asked("a"),
    continuation({ status: "completed", parts: [{ ...result, result: null, error: "No." }] }),
  ])
  assert.deepEqual(statesOf(refused), ["failed"])
  assert.deepEqual(statesOf(shown([asked("a"), continuation({ status: "failed" })])), ["stopped"])
})

test("a call of a cut-off answer stays stopped when the answer is continued", () => {
  const broken = { ...asked("a"), status: "interrupted", interrupts: [] }
  assert.deepEqual(statesOf(shown([broken, continuation({ status: "in_progress" })])), ["stopped"])
})

test("a continued reply can ask for approval too", () => {
  const again = { ...asked("b"), id: "r2", run_id: "run2", parent_id: "r" }
  again.parts.unshift({ type: "tool_result", id: "a", result: "Sent.", error: null })
  const answer = shown([asked("a"), again])
  assert.deepEqual(statesOf(answer), ["done", "waiting"])
  assert.deepEqual(
    answer.approvalRequests.map(({ call }) => call.id),
    ["b"],
  )
})

const cutOff = (parts, changes = {}) => ({
  ...newReply({ id: "r", run_id: "run", parent_id: "u" }),
  status: "interrupted",
  parts,
  ...changes,
})
const text = (text) => ({ type: "text", text })
const reasoning = (text) => ({ type: "reasoning", text })
const summary = ({ parts }) => parts.map(({ type, text, name }) => [type, text ?? name])

test("an image is shown in the answer, where it came, and is no step", () => {
  const image = { type: "image", id: "1", width: 4, height: 3 }
  const reply = cutOff([reasoning("Hm."), text("Here:"), image, text("Nice.")], { status: "completed" })
  assert.deepEqual(
    sections(shown([reply]).parts).map(({ type }) => type),
    ["steps", "text", "image", "text"],
  )
  assert.deepEqual(shown([reply]).parts[2], image)
})

test("thoughts without an answer can be continued, as one answer", () => {
  const before = cutOff([reasoning("Hm.")], { status: "completed", finish_reason: "no_answer" })
  assert.ok(isUnfinished(before))
  assert.ok(!isUnfinished({ ...before, finish_reason: "stop" }))
  const joined = shown([before, continuation({ status: "completed", finish_reason: "stop", parts: [text("Yes.")] })])
  assert.deepEqual(summary(joined), [
    ["reasoning", "Hm."],
    ["text", "Yes."],
  ])
})

test("a cut-off answer continues in mid-sentence, as one text", () => {
  for (const changes of [{}, { status: "cancelled" }, { status: "completed", finish_reason: "length" }]) {
    const before = cutOff([reasoning("Hm."), text("Half an")], changes)
    assert.ok(isUnfinished(before))
    const joined = shown([before, continuation({ status: "completed", parts: [text(" answer."), text("More.")] })])
    assert.deepEqual(summary(joined), [
      ["reasoning", "Hm."],
      ["text", "Half an answer."],
      ["text", "More."],
    ])
  }
})

test("steps of a continued answer do not split its sentence", () => {
  const use = { type: "tool_call", id: "a", name: "clock", arguments: "{}", result: "noon", error: null }
  const joined = shown([
    cutOff([text("It is")]),
    continuation({ status: "in_progress", parts: [reasoning("Which hour?"), use, text(" noon."), reasoning("Good.")] }),
  ])
  assert.deepEqual(summary(joined), [
    ["reasoning", "Which hour?"],
    ["tool_call", "clock"],
    ["text", "It is noon."],
    ["reasoning", "Good."],
  ])
  assert.deepEqual(
    joined.parts.map(({ state }) => state),
    ["done", "done", undefined, "running"],
  )
})

test("an answer can be continued several times", () => {
  const second = cutOff([text(" an")], { id: "r2", parent_id: "r" })
  const joined = shown([
    cutOff([text("Half")]),
    second,
    continuation({ id: "r3", status: "completed", parts: [text(" answer.")] }),
  ])
  assert.deepEqual(summary(joined), [["text", "Half an answer."]])
})

test("only a cut-off text is continued", () => {
  const complete = { ...asked("a"), interrupts: approvalsOf("a") }
  complete.parts.push(text("May I?"))
  const result = { type: "tool_result", id: "a", result: "Sent.", error: null }
  assert.deepEqual(summary(shown([complete, continuation({ status: "completed", parts: [result, text("Sent.")] })])), [
    ["tool_call", "send_mail"],
    ["text", "May I?"],
    ["text", "Sent."],
  ])
  const inThought = cutOff([text("So."), reasoning("Hm")])
  assert.deepEqual(summary(shown([inThought, continuation({ status: "completed", parts: [text("Well.")] })])), [
    ["text", "So."],
    ["reasoning", "Hm"],
    ["text", "Well."],
  ])
})

test("a result without its call is shown", () => {
  assert.deepEqual(
    statesOf(
      shown([
        continuation({ status: "completed", parts: [{ type: "tool_result", id: "a", result: "Sent.", error: null }] }),
      ]),
    ),
    ["done"],
  )
})

test("sections groups consecutive steps, even with blank text between them", () => {
  const [think, use, say] = [{ type: "reasoning" }, { type: "tool_call" }, { type: "text", text: "So." }]
  const blank = { type: "text", text: "\n\n" }
  assert.deepEqual(sections([think, blank, use, say, use]), [
    { type: "steps", steps: [think, use] },
    say,
    { type: "steps", steps: [use] },
  ])
  assert.deepEqual(sections([blank, { type: "of a later version" }]), [])
})

const conversation = (...kept) =>
  kept.flatMap((count, index) => [
    { id: `q${index}`, role: "user", parent_id: index ? `a${index - 1}` : null, parts: [{ type: "text", text: "?" }] },
    {
      id: `a${index}`,
      role: "assistant",
      parent_id: `q${index}`,
      parts: [...(count ? [{ type: "context_trimmed", kept: count }] : []), { type: "text", text: "." }],
    },
  ])

const boundaryOf = (messages) => {
  const { firstId, noticeIds } = contextBoundary(messages)
  return { firstId, noticeIds: [...noticeIds] }
}

test("a conversation that fits has no boundary", () => {
  for (const messages of [[], conversation(0), conversation(0, 0, 0)])
    assert.deepEqual(boundaryOf(messages), { firstId: null, noticeIds: [] })
})

test("the boundary is where the newest reply's context begins, and is announced once", () => {
  assert.deepEqual(boundaryOf(conversation(0, 0, 3)), { firstId: "q1", noticeIds: ["a2"] })
  assert.deepEqual(boundaryOf(conversation(0, 0, 3, 3, 5)), { firstId: "q2", noticeIds: ["a2"] })
  assert.deepEqual(boundaryOf(conversation(0, 1)), { firstId: "q1", noticeIds: ["a1"] })
})

test("a model that sees everything again has no boundary, and a later one is announced again", () => {
  assert.deepEqual(boundaryOf(conversation(0, 1, 0)), { firstId: null, noticeIds: ["a1"] })
  assert.deepEqual(boundaryOf(conversation(0, 1, 0, 3)), { firstId: "q2", noticeIds: ["a1", "a3"] })
})

test("a reply that has nothing yet, or failed, leaves the boundary where it was", () => {
  const waiting = { id: "a9", role: "assistant", parts: [] }
  assert.deepEqual(boundaryOf([...conversation(0, 1), waiting]), { firstId: "q1", noticeIds: ["a1"] })
})

test("a conversation whose beginning is not loaded announces nothing, and may lack the boundary", () => {
  const loaded = conversation(0, 3, 3, 5).slice(4)
  assert.deepEqual(boundaryOf(loaded), { firstId: null, noticeIds: [] })
  assert.deepEqual(boundaryOf(conversation(0, 3, 3).slice(2)), { firstId: "q1", noticeIds: [] })
})

test("what a reply says about its context is no part of the answer", () => {
  const [, reply] = conversation(5)
  assert.deepEqual(joinReplies([reply], { isLast: true, now: 0 }).parts, [{ type: "text", text: "." }])
  const empty = { ...reply, parts: [{ type: "context_trimmed", kept: 1 }] }
  assert.deepEqual(joinReplies([empty], { isLast: true, now: 0 }).parts, [])
})
