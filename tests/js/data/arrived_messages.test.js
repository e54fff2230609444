import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

import { Failure } from "../../../static/chat/js/data/api.js"
import { ArrivedMessages } from "../../../static/chat/js/data/arrived_messages.js"
import { strings } from "../../../static/chat/js/i18n/strings.js"

let entries, conversation, composer, log, refusal, arrived
const answerTo = (key, changes) => ({
  id: `${key}-reply`,
  parent_id: `${key}-message`,
  run_id: `${key}-run`,
  role: "assistant",
  status: "queued",
  idempotency_key: key,
  ...changes,
})
const flush = () => new Promise((resolve) => setImmediate(resolve))

beforeEach(() => {
  ;[entries, log, refusal] = [[], [], null]
  conversation = {
    key: "c",
    messages: [{ id: "u", role: "user", idempotency_key: null }],
    live: null,
    async withdraw(id) {
      log.push(["withdraw", id])
      if (refusal) throw refusal
    },
  }
  composer = {
    key: null,
    resetKey: () => log.push(["resetKey"]),
    discard: () => log.push(["discard"]),
    showProblem: (sentence) => log.push(["showProblem", sentence]),
  }
  const outbox = { entriesOf: () => entries, arrive: (key, { id }) => log.push(["arrive", key, id]) }
  arrived = new ArrivedMessages(conversation, outbox, composer)
})

test("an entry that the server answers has arrived", () => {
  entries = [{ key: "k", isSending: false }, { key: "l" }, { key: "m", isSending: true }]
  arrived.update()
  assert.deepEqual(log, [])
  conversation.messages.push(answerTo("k"), answerTo("m"))
  arrived.update()
  assert.deepEqual(log, [["arrive", "k", "k-reply"]])
})

test("a message that came back to the composer is withdrawn if it waits for its answer", async () => {
  composer.key = "k"
  conversation.messages.push(answerTo("k"))
  arrived.update()
  arrived.update()
  await flush()
  assert.deepEqual(log, [["withdraw", "k-message"], ["resetKey"]])
})

test("a message that came back to the composer leaves it if it is being answered", async () => {
  const sentence = ["showProblem", strings.alreadySent]
  composer.key = "k"
  const reply = answerTo("k", { status: "in_progress" })
  conversation.messages.push(reply)
  conversation.live = reply
  arrived.update()
  await flush()
  assert.deepEqual(log, [["discard"], sentence])
  log = []
  conversation.live = null
  refusal = new Failure("No.", { status: 409 })
  arrived.update()
  await flush()
  assert.deepEqual(log, [["withdraw", "k-message"], ["discard"], sentence])
})

test("nothing is said about a message while the server cannot be reached", async () => {
  composer.key = "k"
  conversation.messages.push(answerTo("k"))
  refusal = new Failure("No.")
  arrived.update()
  await flush()
  assert.deepEqual(log, [["withdraw", "k-message"]])
})

test("a draft that was opened meanwhile is left alone", async () => {
  composer.key = "k"
  conversation.messages.push(answerTo("k"))
  arrived.update()
  composer.key = null
  await flush()
  assert.deepEqual(log, [["withdraw", "k-message"]])
})
