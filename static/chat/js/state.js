// What the events of a run do to its reply, and which messages a page shows. Knows no DOM, so Node can test it.
//
// A reply is a message as the server stores it, with `seq`: the position of the last event that went into it.

const OPEN = new Set(["queued", "in_progress"])
const STEPS = new Set(["reasoning", "tool_call", "tool_result"])
const ENDS = new Set(["RUN_FINISHED", "RUN_ERROR"])

export const isOpen = ({ status }) => OPEN.has(status)
export const isEnd = ({ type }) => ENDS.has(type)

export const newReply = ({ id, run_id, parent_id = null, assistant = null }) => ({
  id, run_id, parent_id, assistant,
  role: "assistant", status: "queued", seq: 0, parts: [],
  error: null, notice: null, finish_reason: null, usage: null, interrupts: [],
})

export const textOf = ({ parts }) =>
  parts.filter((part) => part.type === "text").map((part) => part.text).join("")

// Events -> parts, exactly as the server folds them

const put = (state, part) => ({ ...state, parts: [...state.parts, part] })

const change = (state, index, with_) => ({ ...state, parts: state.parts.with(index, { ...state.parts[index], ...with_ }) })

const open = (type) => (state) => put(state, { type, text: "" })

const grow = (type) => (state, { delta }) => {
  const index = state.parts.findLastIndex((part) => part.type === type)
  return index < 0 ? put(state, { type, text: delta }) : change(state, index, { text: state.parts[index].text + delta })
}

const placeOf = (parts, id) => parts.findLastIndex((part) => part.id === id)

const newCall = (id, name, args = "") => ({ type: "tool_call", id, name, arguments: args, result: null, error: null })
const newResult = (id) => ({ type: "tool_result", id, result: null, error: null })

// What began, and when: by the id of the thought or the call, in milliseconds of the server's clock.
const begin = (state, id, at) => (at === undefined ? state : { ...state, began: { ...state.began, [id]: at } })

const took = (began, ended) =>
  began === undefined || ended === undefined ? {} : { seconds: Math.max(0, ended - began) / 1000 }

const outcomes = { success: "completed", cancelled: "cancelled", interrupt: "completed" }

const changes = {
  RUN_STARTED: (state) => (isOpen(state) ? { ...state, status: "in_progress" } : state),
  TEXT_MESSAGE_START: open("text"),
  TEXT_MESSAGE_CONTENT: grow("text"),
  REASONING_START: (state, { messageId, timestamp }) => begin(state, messageId, timestamp),
  REASONING_MESSAGE_START: (state, { messageId }) =>
    put({ ...state, thoughts: { ...state.thoughts, [messageId]: state.parts.length } }, { type: "reasoning", text: "" }),
  REASONING_MESSAGE_CONTENT: grow("reasoning"),
  REASONING_END: (state, { messageId, timestamp }) => {
    const index = state.thoughts?.[messageId]
    const time = took(state.began?.[messageId], timestamp)
    return index === undefined || time.seconds === undefined ? state : change(state, index, time)
  },
  TOOL_CALL_START: (state, { toolCallId, toolCallName, timestamp }) =>
    put(begin(state, toolCallId, timestamp), newCall(toolCallId, toolCallName)),
  TOOL_CALL_ARGS: (state, { toolCallId, delta }) => {
    const index = placeOf(state.parts, toolCallId)
    return index < 0 ? state : change(state, index, { arguments: state.parts[index].arguments + delta })
  },
  // The result of a call that an earlier reply made, before the person allowed it, is a part of its own.
  TOOL_CALL_RESULT: (state, { toolCallId, content, metadata, timestamp }) => {
    const told = placeOf(state.parts, toolCallId) < 0 ? put(state, newResult(toolCallId)) : state
    const answer = metadata?.error ? { error: content } : { result: content }
    return change(told, placeOf(told.parts, toolCallId), { ...answer, ...took(state.began?.[toolCallId], timestamp) })
  },
  MESSAGES_SNAPSHOT: (state, { messages }) => ({ ...state, parts: partsOf(messages, state.id), isSnapshot: true }),
  RUN_FINISHED: (state, { outcome, result, usage }) => ({
    ...state,
    status: outcomes[outcome?.type] ?? "completed",
    finish_reason: result?.finishReason ?? null,
    notice: result?.notice ?? null,
    usage: usage ?? null,
    interrupts: outcome?.interrupts ?? [],
    error: null,
  }),
  RUN_ERROR: (state, { code, message, usage }) => ({
    ...state,
    status: code === "interrupted" ? "interrupted" : "failed",
    error: { code, message },
    usage: usage ?? null,
  }),
}

export const reduce = (state, event) => changes[event.type]?.(state, event) ?? state

// The reply after the event at position `seq`. What came before is dropped, with two exceptions: a snapshot replaces
// whatever was there, because the log behind it is gone, and an open reply takes its end wherever it stands.
export const apply = (reply, event, seq) => {
  const isNew = seq > reply.seq || event.type === "MESSAGES_SNAPSHOT" || (isEnd(event) && isOpen(reply))
  return isNew ? { ...reduce(reply, event), seq } : reply
}

// AG-UI messages -> the parts of one reply. Its own message comes in several pieces, with thoughts and results between.
const partsOf = (messages, id) => {
  const parts = []
  const mine = messages.filter((message) => message.id === id || message.id.startsWith(`${id}:`))
  for (const { role, content, error, toolCallId, toolCalls } of mine) {
    if (role === "reasoning") parts.push({ type: "reasoning", text: content ?? "" })
    if (role === "assistant") {
      if (content) parts.push({ type: "text", text: content })
      for (const { id, function: { name, arguments: given } } of toolCalls ?? []) parts.push(newCall(id, name, given))
    }
    if (role === "tool") {
      if (placeOf(parts, toolCallId) < 0) parts.push(newResult(toolCallId))
      Object.assign(parts[placeOf(parts, toolCallId)], error ? { error } : { result: content ?? "" })
    }
  }
  return parts
}

// Messages -> what a page shows

// The branch that ends in that message, or in the newest one, oldest first. `messages` come oldest first.
export const branch = (messages, leafId = null) => {
  const known = new Map(messages.map((message) => [message.id, message]))
  const path = []
  for (let message = known.get(leafId) ?? messages.at(-1); message; message = known.get(message.parent_id)) {
    path.push(message)
    known.delete(message.id) // a message is shown once, whatever its parents say
  }
  return path.reverse()
}

// The reply of a branch that is being written. Those behind it wait until it is over.
export const liveIn = (messages) => messages.find((message) => message.role === "assistant" && isOpen(message))

// A branch without the replies that wait for the one before, and the ids of the questions that these will answer.
export const inLine = (messages) => {
  const live = liveIn(messages)
  const waits = (message) => message.role === "assistant" && isOpen(message) && message !== live
  return {
    begun: messages.filter((message) => !waits(message)),
    waiting: new Set(messages.filter(waits).map(({ parent_id }) => parent_id)),
  }
}

// Stored rows, with what this page already knows of replies that are still open there: a reader of events is ahead of the rows.
export const merge = (shown, stored) => {
  const known = new Map(shown.map((message) => [message.id, message]))
  return stored.map((row) => {
    if (row.role !== "assistant" || !isOpen(row)) return row
    const mine = known.get(row.id)
    return mine?.run_id === row.run_id ? mine : { ...newReply(row), ...row, parts: [], seq: 0 }
  })
}

// A branch -> what reads as one: a question, or an answer with the replies that went on with it, because it had broken off
// or the person allowed what it waited for. Each is a list of messages.
export const turns = (messages) => {
  const found = []
  for (const message of messages) {
    const isMore = message.role === "assistant" && found.at(-1)?.at(-1).role === "assistant"
    if (isMore) found.at(-1).push(message)
    else found.push([message])
  }
  return found
}

// The replies of one answer as one message. Its steps have a `state`: running, waiting (for the person), done, failed,
// expired, unused (the conversation went on) or stopped; while they run, `since` tells when they began, if that is known;
// `isAsked` are the calls that the person was asked about.
// `asks` are its open questions, or those that nobody answered in time, with the `call` that they are about.
export const answerOf = (replies, { isLast, now }) => {
  const last = replies.at(-1)
  const parts = []
  replies.forEach((reply, place) => {
    const outcome = stateWithout({ reply, last, isLast, now })
    const asked = new Set(reply.interrupts?.map(({ toolCallId }) => toolCallId))
    let seam = seamOf(replies[place - 1], parts)
    reply.parts.forEach((part, index) => {
      const call = part.type === "tool_result" ? placeOf(parts, part.id) : -1
      if (call >= 0) parts[call] = settled({ ...parts[call], ...part, type: "tool_call" })
      else if (part.type === "text" && seam >= 0) {
        parts[seam] = { ...parts[seam], text: parts[seam].text + part.text }
        seam = -1
      } else {
        const how = { state: outcome, since: reply.began?.[part.id], isAsked: asked.has(part.id) }
        const shown = part.type === "text" ? part : { ...part, ...(part.type === "reasoning" ? thinking(reply, index) : how) }
        if (seam >= 0) parts.splice(seam++, 0, settled(shown))
        else parts.push(settled(shown))
      }
    })
  })
  const asked = isLast ? last.interrupts ?? [] : []
  const asks = asked.map((one) => ({ ...one, isExpired: isExpired(one, now), call: parts[placeOf(parts, one.toolCallId)] }))
  return { ...last, id: replies[0].id, assistant: replies[0].assistant, parts, asks }
}

// More could be said than there is, and the assistant can be asked for it.
export const isUnfinished = ({ status, finish_reason }) =>
  status === "interrupted" || status === "cancelled" || finish_reason === "length"

// Where an answer that had broken off goes on in mid-sentence: the index of the text that grows, else -1. What the model
// thinks before it goes on stands in front of that text and does not part it.
const seamOf = (before, parts) =>
  before && isUnfinished(before) && !before.interrupts?.length && parts.at(-1)?.type === "text" ? parts.length - 1 : -1

export const isExpired = ({ expiresAt }, now) => Boolean(expiresAt) && Date.parse(expiresAt) <= now

// How a call stands that has no result.
const stateWithout = ({ reply, last, isLast, now }) => {
  if (reply !== last) return isOpen(last) && reply.interrupts?.length ? "running" : "stopped"
  if (isOpen(reply)) return "running"
  if (!reply.interrupts?.length) return "stopped"
  if (!isLast) return "unused"
  return reply.interrupts.some((one) => isExpired(one, now)) ? "expired" : "waiting"
}

const settled = (part) => {
  if (part.type === "text" || part.type === "reasoning") return part
  return part.error !== null ? { ...part, state: "failed" } : part.result !== null ? { ...part, state: "done" } : part
}

const thinking = ({ status, parts, thoughts = {}, began = {} }, index) => {
  if (!isOpen({ status }) || index < parts.length - 1 || parts[index].seconds !== undefined) return { state: "done" }
  return { state: "running", since: began[Object.keys(thoughts).find((id) => thoughts[id] === index)] }
}

// Parts -> what stands below each other: texts, and the steps between them. Blank text, which some models say before they
// use a tool, parts no steps.
export const sectionsOf = (parts) => {
  const sections = []
  for (const part of parts) {
    if (part.type === "text") {
      if (part.text.trim()) sections.push(part)
    } else if (STEPS.has(part.type)) {
      if (sections.at(-1)?.type === "steps") sections.at(-1).steps.push(part)
      else sections.push({ type: "steps", steps: [part] })
    }
  }
  return sections
}
