import assert from "node:assert/strict"
import { beforeEach } from "node:test"

import { Failure } from "../../../static/chat/js/data/api.js"
import { Conversation } from "../../../static/chat/js/data/conversation.js"

// A fake server that answers when the test tells it to, and a fake stream that records which runs it follows.

export let calls, waiting, followed, hookCalls, row, sent
export const record = (name, ...args) => {
  calls.push([name, ...args])
  return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
}
const API_METHODS = [
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
  ...Object.fromEntries(API_METHODS.map((name) => [name, (...args) => record(name, ...args)])),
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
  const stream = followed
  return {
    follow: (runId) => stream.runs.add(runId),
    leave: (runId) => stream.runs.delete(runId),
    pause() {},
    resume() {},
    close: () => stream.runs.clear(),
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
  attachments: [],
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
