// The events of a run, as the server sends them.

import { apply, newReply } from "../../../static/chat/js/data/reducer.js"

export const reply = (changes = {}) => ({ ...newReply({ id: "r", run_id: "run" }), ...changes })
export const played = (...events) => events.reduce((state, event, index) => apply(state, event, index + 1), reply())

export const started = { type: "RUN_STARTED", threadId: "c", runId: "run" }
export const textStart = { type: "TEXT_MESSAGE_START", messageId: "r", role: "assistant" }
export const text = (delta) => ({ type: "TEXT_MESSAGE_CONTENT", messageId: "r", delta })
export const textEnd = { type: "TEXT_MESSAGE_END", messageId: "r" }
export const thoughtStart = [
  { type: "REASONING_START", messageId: "t" },
  { type: "REASONING_MESSAGE_START", messageId: "t" },
]
export const thought = (delta) => ({ type: "REASONING_MESSAGE_CONTENT", messageId: "t", delta })
export const thoughtEnd = [
  { type: "REASONING_MESSAGE_END", messageId: "t" },
  { type: "REASONING_END", messageId: "t" },
]
export const callStart = (id, name) => ({
  type: "TOOL_CALL_START",
  toolCallId: id,
  toolCallName: name,
  parentMessageId: "r",
})
export const callArgs = (id, delta) => ({ type: "TOOL_CALL_ARGS", toolCallId: id, delta })
export const callEnd = (id) => ({ type: "TOOL_CALL_END", toolCallId: id })
export const callResult = (id, content, metadata) => ({
  type: "TOOL_CALL_RESULT",
  messageId: `r:tool:${id}`,
  toolCallId: id,
  content,
  ...(metadata && { metadata }),
})
export const at = (event, timestamp) => ({ ...event, timestamp })
export const finished = (outcome = "success", result = { finishReason: "stop", notice: null }) => ({
  type: "RUN_FINISHED",
  threadId: "c",
  runId: "run",
  outcome: { type: outcome },
  result,
  usage: [{ inputTokens: 1 }],
})
