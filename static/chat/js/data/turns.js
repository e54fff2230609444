// Messages as a page shows them: the branch, its turns, and each answer as one message. No DOM.
//
// A reply is what one run writes. An answer is all replies of a turn: the first, and those that continued it.

import { indexOfCall, isAnswer, isNote, isStep } from "./parts.js"
import { isInProgress } from "./reducer.js"

/**
 * Returns the branch that ends in the message `leafId`, or in the newest message, oldest first. `messages` are sorted
 * oldest first.
 */
export const branch = (messages, leafId = null) => {
  const remaining = new Map(messages.map((message) => [message.id, message]))
  const path = []
  let message = remaining.get(leafId) ?? messages.at(-1)
  while (message) {
    path.push(message)
    remaining.delete(message.id) // each message once, even if parents form a circle
    message = remaining.get(message.parent_id)
  }
  return path.reverse()
}

/** Returns the reply of a branch that is being written; replies behind it are queued until it ends. */
export const liveReply = (messages) => messages.find((message) => message.role === "assistant" && isInProgress(message))

/** Returns the branch without its queued replies, and the ids of the questions that these will answer. */
export const withoutQueued = (messages) => {
  const live = liveReply(messages)
  const isQueued = (message) => message.role === "assistant" && isInProgress(message) && message !== live
  return {
    started: messages.filter((message) => !isQueued(message)),
    waiting: new Set(messages.filter(isQueued).map(({ parent_id }) => parent_id)),
  }
}

/**
 * Groups a branch into turns, each a list of messages: a question, or an answer with the replies that continued it after
 * it was cut off or after the user approved a tool call.
 */
export const turns = (messages) => {
  const grouped = []
  for (const message of messages) {
    const last = grouped.at(-1)
    const continues = message.role === "assistant" && last?.at(-1).role === "assistant"
    if (continues) last.push(message)
    else grouped.push([message])
  }
  return grouped
}

/**
 * Returns what a branch that is longer than its model's context window shows: `firstId`, the message with which begins what
 * the model was sent for the newest reply, and `noticeIds`, the replies for which older messages were left out, unlike for
 * the reply before. If the branch is not loaded from its beginning, it is taken to have been said earlier.
 */
export const contextBoundary = (messages) => {
  const noticeIds = new Set()
  let firstId = null
  let isTrimmed = Boolean(messages[0]?.parent_id)
  messages.forEach(({ id, role, parts }, index) => {
    if (role !== "assistant" || !parts.length) return
    const trimmed = parts.find(({ type }) => type === "context_trimmed")
    const wasTrimmed = isTrimmed
    isTrimmed = Boolean(trimmed)
    firstId = isTrimmed ? (messages[index - trimmed.kept]?.id ?? null) : null
    if (isTrimmed && !wasTrimmed) noticeIds.add(id)
  })
  return { firstId, noticeIds }
}

const UNFINISHED_REASONS = new Set(["length", "no_answer"])

/** Whether an answer was cut off or never came, so that the assistant can be asked to continue it. */
export const isUnfinished = ({ status, finish_reason }) =>
  status === "interrupted" || status === "cancelled" || UNFINISHED_REASONS.has(finish_reason)

/**
 * Joins the replies of one answer into one message.
 *
 * Each step gets a `state`: running, waiting (for the user), done, failed, expired, unused (the conversation went on)
 * or stopped. A running step has `since`, its start in milliseconds of the server's clock if that is known.
 * `needsApproval` marks the calls that the user has to approve.
 *
 * `approvalRequests` are the requests for approval that are open or expired, each with the `call` that it is about.
 */
export const joinReplies = (replies, { isLast, now }) => {
  const last = replies.at(-1)
  const parts = []
  for (const [index, reply] of replies.entries()) {
    addReply(parts, reply, { previous: replies[index - 1], last, isLast, now })
  }
  const interrupts = isLast ? (last.interrupts ?? []) : [] // as AG-UI calls them
  const approvalRequests = interrupts.map((interrupt) => ({
    ...interrupt,
    isExpired: isExpired(interrupt, now),
    call: parts[indexOfCall(parts, interrupt.toolCallId)],
  }))
  return { ...last, id: replies[0].id, assistant: replies[0].assistant, parts, approvalRequests }
}

// Adds the parts of one reply to those of the replies before it. Where the answer continues a text that was cut off, that
// text grows, and the steps in between go in front of it: text, step + "more" → step, text + "more".
const addReply = (parts, reply, { previous, last, isLast, now }) => {
  const pendingState = stateWithoutResult(reply, { last, isLast, now })
  const callsToApprove = new Set(reply.interrupts?.map(({ toolCallId }) => toolCallId))
  let cutOff = cutOffTextIndex(previous, parts)
  reply.parts.forEach((part, index) => {
    if (isNote(part)) return
    const callIndex = part.type === "tool_result" ? indexOfCall(parts, part.id) : -1
    if (callIndex >= 0) {
      parts[callIndex] = withOutcome({ ...parts[callIndex], ...part, type: "tool_call" })
    } else if (part.type === "text" && cutOff >= 0) {
      parts[cutOff] = { ...parts[cutOff], text: parts[cutOff].text + part.text }
      cutOff = -1
    } else {
      const call = { state: pendingState, since: reply.began?.[part.id], needsApproval: callsToApprove.has(part.id) }
      const shown = withOutcome(withState(part, call, reply, index))
      if (cutOff >= 0) {
        parts.splice(cutOff, 0, shown)
        cutOff += 1
      } else parts.push(shown)
    }
  })
}

const withState = (part, call, reply, index) => {
  if (isAnswer(part)) return part
  if (part.type === "reasoning") return { ...part, ...reasoningState(reply, index) }
  return { ...part, ...call }
}

// The index of the text that a continued answer goes on with, else -1.
const cutOffTextIndex = (previous, parts) => {
  const wasCutOff = previous && isUnfinished(previous) && !previous.interrupts?.length
  return wasCutOff && parts.at(-1)?.type === "text" ? parts.length - 1 : -1
}

export const isExpired = ({ expiresAt }, now) => Boolean(expiresAt) && Date.parse(expiresAt) <= now

// The state of a reply's tool calls that have no result.
const stateWithoutResult = (reply, { last, isLast, now }) => {
  if (reply !== last) return isInProgress(last) && reply.interrupts?.length ? "running" : "stopped"
  if (isInProgress(reply)) return "running"
  if (!reply.interrupts?.length) return "stopped"
  if (!isLast) return "unused"
  return reply.interrupts.some((interrupt) => isExpired(interrupt, now)) ? "expired" : "waiting"
}

const withOutcome = (part) => {
  if (isAnswer(part) || part.type === "reasoning") return part
  if (part.error !== null) return { ...part, state: "failed" }
  return part.result !== null ? { ...part, state: "done" } : part
}

const reasoningState = ({ status, parts, thoughts = {}, began = {} }, index) => {
  const isOver = !isInProgress({ status }) || index < parts.length - 1 || parts[index].seconds !== undefined
  if (isOver) return { state: "done" }
  const id = Object.keys(thoughts).find((key) => thoughts[key] === index)
  return { state: "running", since: began[id] }
}

/**
 * Groups parts into what is shown one below the other: the parts of the answer, and between them `{ type: "steps", steps }`. A blank text,
 * which some models send before a tool call, does not separate steps.
 */
export const sections = (parts) => {
  const grouped = []
  for (const part of parts) {
    if (isAnswer(part)) {
      if (part.type !== "text" || part.text.trim()) grouped.push(part)
    } else if (isStep(part)) {
      if (grouped.at(-1)?.type === "steps") grouped.at(-1).steps.push(part)
      else grouped.push({ type: "steps", steps: [part] })
    }
  }
  return grouped
}
