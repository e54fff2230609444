import assert from "node:assert/strict"
import { test } from "node:test"

import { factsOf } from "../../static/chat/js/about.js"

const told = (facts) => Object.fromEntries(facts)

test("what is known of an answer is told, and nothing else", () => {
  const facts = told(factsOf({
    model: "openai:gpt-5",
    started_at: "2030-01-01T12:00:00Z",
    finished_at: "2030-01-01T12:00:02.500Z",
    usage: { input_tokens: 1200, output_tokens: 1, reasoning_tokens: 0, cached_input_tokens: 1000 },
  }, "Helper"))
  assert.equal(facts.Assistant, "Helper")
  assert.equal(facts.Model, "openai:gpt-5")
  assert.equal(facts.Took, "2.5 s")
  assert.equal(facts.Read, "1,200 tokens (1,000 of them from the cache)")
  assert.equal(facts.Wrote, "1 token")
  assert.match(facts.Time, /2030/)
  assert.deepEqual(told(factsOf({ model: "demo:", usage: null, started_at: null, finished_at: null }, "Demo")),
    { Assistant: "Demo", Model: "demo:" })
})
