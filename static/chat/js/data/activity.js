// What an answer is waiting for while there is nothing new to read, and since when. No DOM.

import { isNote } from "./parts.js"

const SILENCE_DELAY = 10_000 // ms without new text, after which the page says so

/**
 * Returns { kind, since } of an answer that is in progress: queued, reading (the user's message), reading_result (of a tool),
 * thinking, using_tool or silent (in the middle of its text); null while text arrives or a step on the page says it.
 *
 * `answer` comes from joinReplies, and `reply` is the last of its replies. `changedAt` is when the page saw its last
 * change. All times are milliseconds of the server's clock.
 */
export const activityOf = (answer, reply, { areStepsShown, changedAt, now }) => {
  if (answer.status === "queued") return { kind: "queued", since: Date.parse(reply.created_at) }
  const last = reply.parts.findLast((part) => !isNote(part))
  if (last?.type === "text" && last.text)
    return now - changedAt >= SILENCE_DELAY ? { kind: "silent", since: changedAt } : null
  const running = runningStep(answer.parts)
  if (running) return areStepsShown ? null : { kind: kindOf(running), since: running.since ?? changedAt }
  const step = answer.parts.at(-1)
  if (!last || !step || step.type === "text")
    return { kind: "reading", since: Date.parse(reply.started_at) || changedAt }
  return { kind: step.type === "reasoning" ? "thinking" : "reading_result", since: endOf(step) ?? changedAt }
}

const runningStep = (parts) =>
  parts.findLast(isRunningCall) ?? (parts.at(-1)?.state === "running" ? parts.at(-1) : null)
const isRunningCall = ({ type, state }) => type !== "reasoning" && state === "running"
const kindOf = ({ type }) => (type === "reasoning" ? "thinking" : "using_tool")

const endOf = ({ since, seconds }) =>
  since === undefined || seconds === undefined ? undefined : since + seconds * 1000
