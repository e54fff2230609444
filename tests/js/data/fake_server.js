import assert from "node:assert/strict"
import { beforeEach } from "node:test"

import { Failure } from "../../../static/chat/js/data/api.js"
import { Conversation } from "../../../static/chat/js/data/conversation.js"

// A server that answers when the test lets it, and a reader that records what it is asked to read.

export let calls, waiting, followed, hookCalls, row, sent
export const later = (name, ...args) => {
  calls.push([name, ...args])
  return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
}
export const names = [
  "messages",
  "regenerate",
  "edit",
  "continueReply",
  "deleteMessage",
  "rate",
  "changeConversation",
  "resume",
  "cancel",
]
export const api = {
  ...Object.fromEntries(names.map((name) => [name, (...args) => later(name, ...args)])),
  conversation: async (id) => ({ id, ...row }),
}
export const flush = () => new Promise((resolve) => setImmediate(resolve))

export const answer = async (name, value) => {
  const index = waiting.findIndex((call) => call.name === name)
  assert.notEqual(index, -1, `nobody asked for ${name}`)
  const [{ resolve, reject }] = waiting.splice(index, 1)
  if (value instanceof Error) reject(value)
  else resolve(value)
  await flush()
}

export const createStream = (id, listener) => {
  followed = { id, runs: new Set(), listener }
  const mine = followed
  return {
    follow: (runId) => mine.runs.add(runId),
    leave: (runId) => mine.runs.delete(runId),
    pause() {},
    resume() {},
    close: () => mine.runs.clear(),
  }
}

export const refusal = (status) => new Failure("No.", { status })
export const accepted = { message_id: "u1", reply_id: "a1", run_id: "run1" }
export const question = { id: "u1", parent_id: null, role: "user", text: "Hi", status: "completed", parts: [] }
export const reply = (changes) => ({
  id: "a1",
  parent_id: "u1",
  role: "assistant",
  run_id: "run1",
  status: "in_progress",
  parts: [],
  text: "",
  ...changes,
})
export const nextTurn = [
  { ...question, id: "u2", parent_id: "a1" },
  reply({ id: "a2", parent_id: "u2", run_id: "run2" }),
]
export const ids = (conversation) => conversation.messages.map(({ id }) => id)
export const entry = (changes) => ({
  key: "k",
  conversationKey: "c",
  parent_id: undefined,
  text: "Hi",
  images: [],
  documents: [],
  assistant: "demo",
  at: 0,
  ...changes,
})
export const arrived = (changes) => ({ ...accepted, conversation_id: "c", ...changes })

export let conversation
beforeEach(() => {
  calls = []
  waiting = []
  hookCalls = []
  followed = null
  row = { leaf_id: null }
  sent = Promise.resolve()
  const hooks = ["onStarted", "onEnded", "onSignedOut"]
  conversation = new Conversation(api, createStream, {
    onChange() {},
    onLoaded() {},
    whenSent: () => sent,
    ...Object.fromEntries(hooks.map((name) => [name, (value) => hookCalls.push([name, value])])),
  })
})

export const setRow = (value) => {
  row = value
}
export const setSent = (promise) => {
  sent = promise
}
