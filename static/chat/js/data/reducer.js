// What the events of a run do to its reply. No DOM.
//
// A reply is a message as the server stores it, with `seq`: the position of the last event applied to it.

import { partKinds, partsFromSnapshot, withdraw } from "./parts.js"

const IN_PROGRESS_STATUSES = new Set(["queued", "in_progress"])
const TERMINAL_EVENTS = new Set(["RUN_FINISHED", "RUN_ERROR"])
const STATUS_BY_OUTCOME = { success: "completed", cancelled: "cancelled", interrupt: "completed" }

export const isInProgress = ({ status }) => IN_PROGRESS_STATUSES.has(status)
export const isTerminal = ({ type }) => TERMINAL_EVENTS.has(type)

export const newReply = ({ id, run_id, parent_id = null, assistant = null }) => ({
  id,
  run_id,
  parent_id,
  assistant,
  role: "assistant",
  status: "queued",
  seq: 0,
  parts: [],
  error: null,
  notice: null,
  finish_reason: null,
  usage: null,
  interrupts: [],
})

// CUSTOM events, by name.
const customs = {
  ...Object.assign({}, ...Object.values(partKinds).map(({ customs }) => customs)),
  part_withdrawn: (reply, { value }) => withdraw(reply, value.type),
}

const changes = {
  ...Object.assign({}, ...Object.values(partKinds).map(({ events }) => events)),
  RUN_STARTED: (reply) => (isInProgress(reply) ? { ...reply, status: "in_progress" } : reply),
  MESSAGES_SNAPSHOT: (reply, { messages }) => ({
    ...reply,
    parts: partsFromSnapshot(messages, reply.id),
    isSnapshot: true,
  }),
  CUSTOM: (reply, event) => customs[event.name]?.(reply, event) ?? reply,
  RUN_FINISHED: (reply, { outcome, result, usage }) => ({
    ...reply,
    status: STATUS_BY_OUTCOME[outcome?.type] ?? "completed",
    finish_reason: result?.finishReason ?? null,
    notice: result?.notice ?? null,
    usage: usage ?? null,
    interrupts: outcome?.interrupts ?? [],
    error: null,
  }),
  RUN_ERROR: (reply, { code, message, usage }) => ({
    ...reply,
    status: code === "interrupted" ? "interrupted" : "failed",
    error: { code, message },
    usage: usage ?? null,
  }),
}

export const reduce = (reply, event) => changes[event.type]?.(reply, event) ?? reply

/**
 * Returns the reply after the event at position `seq`. Events at or before `reply.seq` are dropped, with two exceptions:
 * a snapshot always replaces the parts, because the log behind it is gone, and an open reply takes its terminal event
 * whatever the position.
 */
export const apply = (reply, event, seq) => {
  const isNew = seq > reply.seq || event.type === "MESSAGES_SNAPSHOT" || (isTerminal(event) && isInProgress(reply))
  return isNew ? { ...reduce(reply, event), seq } : reply
}

/**
 * Merges rows from the server with the replies that are being streamed here: while a run is open, its stream is ahead of
 * its row.
 */
export const merge = (shown, stored) => {
  const known = new Map(shown.map((message) => [message.id, message]))
  return stored.map((row) => {
    if (row.role !== "assistant" || !isInProgress(row)) return row
    const streamed = known.get(row.id)
    return streamed?.run_id === row.run_id ? streamed : { ...newReply(row), ...row, parts: [], seq: 0 }
  })
}
