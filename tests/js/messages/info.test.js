import assert from "node:assert/strict"
import { test } from "node:test"

import { factsOf } from "../../../static/chat/js/messages/info.js"

const toObject = (facts) => Object.fromEntries(facts)

test("factsOf returns what is known, and nothing else", () => {
  const facts = toObject(
    factsOf(
      {
        model: "openai:gpt-5",
        started_at: "2030-01-01T12:00:00Z",
        finished_at: "2030-01-01T12:00:02.500Z",
        usage: { input_tokens: 1200, output_tokens: 1, reasoning_tokens: 0, cached_input_tokens: 1000 },
      },
      "Helper",
    ),
  )
  assert.equal(facts.Assistant, "Helper")
  assert.equal(facts.Model, "openai:gpt-5")
  assert.equal(facts.Duration, "2.5 s")
  assert.equal(facts.Input, "1,200 tokens (1,000 cached)")
  assert.equal(facts.Output, "1 token")
  assert.match(facts.Time, /2030/)
  assert.deepEqual(toObject(factsOf({ model: "demo:", usage: null, started_at: null, finished_at: null }, "Demo")), {
    Assistant: "Demo",
    Model: "demo:",
  })
})
