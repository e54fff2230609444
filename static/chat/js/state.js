// What the events of a run do to its reply, and which messages a page shows. Knows no DOM, so Node can test it.
//
// A reply is a message as the server stores it, with `seq`: the position of the last event that went into it.

const OPEN = new Set(["queued", "in_progress"])
const ENDS = new Set(["RUN_FINISHED", "RUN_ERROR"])

export const isOpen = ({ status }) => OPEN.has(status)
export const isEnd = ({ type }) => ENDS.has(type)

export const newReply = ({ id, run_id, parent_id = null, assistant = null }) => ({
  id, run_id, parent_id, assistant,
  role: "assistant", status: "queued", seq: 0, parts: [],
  error: null, notice: null, finish_reason: null, usage: null,
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

const inCall = (state, id, with_) => {
  const index = state.parts.findLastIndex((part) => part.type === "tool_call" && part.id === id)
  return index < 0 ? state : change(state, index, with_(state.parts[index]))
}

const newCall = (id, name, args = "") => ({ type: "tool_call", id, name, arguments: args, result: null, error: null })

const outcomes = { success: "completed", cancelled: "cancelled" }

const changes = {
  RUN_STARTED: (state) => (isOpen(state) ? { ...state, status: "in_progress" } : state),
  TEXT_MESSAGE_START: open("text"),
  TEXT_MESSAGE_CONTENT: grow("text"),
  REASONING_MESSAGE_START: open("reasoning"),
  REASONING_MESSAGE_CONTENT: grow("reasoning"),
  TOOL_CALL_START: (state, { toolCallId, toolCallName }) => put(state, newCall(toolCallId, toolCallName)),
  TOOL_CALL_ARGS: (state, { toolCallId, delta }) =>
    inCall(state, toolCallId, (call) => ({ arguments: call.arguments + delta })),
  TOOL_CALL_RESULT: (state, { toolCallId, content, metadata }) =>
    inCall(state, toolCallId, () => (metadata?.error ? { error: content } : { result: content })),
  MESSAGES_SNAPSHOT: (state, { messages }) => ({ ...state, parts: partsOf(messages, state.id), isSnapshot: true }),
  RUN_FINISHED: (state, { outcome, result, usage }) => ({
    ...state,
    status: outcomes[outcome?.type] ?? "completed",
    finish_reason: result?.finishReason ?? null,
    notice: result?.notice ?? null,
    usage: usage ?? null,
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

// AG-UI messages -> the parts of one reply. Its own message may come in several pieces, with thoughts and results between.
const partsOf = (messages, id) => {
  const first = messages.findLastIndex(({ role }) => role === "user") + 1
  const parts = []
  for (const message of messages.slice(first)) {
    if (message.role === "reasoning") parts.push({ type: "reasoning", text: message.content ?? "" })
    if (message.role === "tool") {
      const call = parts.find((part) => part.id === message.toolCallId)
      if (call) Object.assign(call, message.error ? { error: message.error } : { result: message.content ?? "" })
    }
    if (message.role === "assistant" && (message.id === id || message.id.startsWith(`${id}:`))) {
      if (message.content) parts.push({ type: "text", text: message.content })
      for (const { id, function: { name, arguments: given } } of message.toolCalls ?? []) parts.push(newCall(id, name, given))
    }
  }
  return parts
}

// Messages -> what a page shows

// The branch that ends in the newest message, oldest first. `messages` come oldest first.
export const branch = (messages) => {
  const known = new Map(messages.map((message) => [message.id, message]))
  const path = []
  for (let message = messages.at(-1); message; message = known.get(message.parent_id)) {
    path.push(message)
    known.delete(message.id) // a message is shown once, whatever its parents say
  }
  return path.reverse()
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
