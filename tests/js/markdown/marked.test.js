// What the Markdown parser expects of Marked beyond its documentation. If one of these fails after an upgrade of Marked, read
// "marked" in docs/upgrading.md.

import assert from "node:assert/strict"
import { test } from "node:test"

import { LimitedLexer } from "../../../static/chat/js/markdown/parse.js"
import { Lexer } from "../../../static/vendor/marked.js"

const TEXT = "# A *title*\n\n> A quote with **bold** text\n\n- one\n- `two`\n\n| a | b |\n|---|---|\n| *c* | d |"

test("marked queues the inline texts of its blocks", () => {
  const lexer = new Lexer()
  lexer.blockTokens("one *two*", lexer.tokens)
  assert.deepEqual(
    lexer.inlineQueue?.map(({ src }) => src),
    ["one *two*"],
    "Marked's Lexer has no `inlineQueue` of { src, tokens } any more. Growing text now shows marks that are still open: " +
      "change markdown/marked_internals.js.",
  )
})

test("marked reads nested blocks and marks with the methods that limit their depth", () => {
  const calls = { blockTokens: 0, inlineTokens: 0 }
  class CountingLexer extends Lexer {
    blockTokens(...args) {
      calls.blockTokens += 1
      return super.blockTokens(...args)
    }

    inlineTokens(...args) {
      calls.inlineTokens += 1
      return super.inlineTokens(...args)
    }
  }
  new CountingLexer().lex("> > **bold *and italic***")
  const advice = "any more, so deep nesting is not limited: change LimitedLexer in markdown/parse.js."
  assert.ok(calls.blockTokens >= 3, `Marked's Lexer does not read quotes with \`blockTokens\` ${advice}`)
  assert.ok(calls.inlineTokens >= 3, `Marked's Lexer does not read emphasis with \`inlineTokens\` ${advice}`)
})

test("marked without the queue reads a text in one step, with the same result", () => {
  const lexer = new LimitedLexer()
  lexer.inlineQueue = { length: 0, push: Array.prototype.push } // as good as an array for Marked, but none
  assert.deepEqual(lexer.lex(TEXT), new LimitedLexer().lex(TEXT))
})
