// The highlighter's time for a block of code, in all of its languages and for texts that its expressions find hard.

import assert from "node:assert/strict"
import { test } from "node:test"
import { endOfPiece, isHighlightable } from "../../../static/chat/js/markdown/code_pieces.js"
import highlighter from "../../../static/vendor/highlight.js"

const LINE = 1_000 // characters; longer lines are not highlighted
const UNITS = [
  "0",
  "$",
  "A",
  "_",
  "-",
  "a(",
  "1e",
  "aA0_",
  "a ",
  '"\\',
  "<a ",
  "/*",
  " \t",
  "a\n",
  "\n\n",
  "a-",
  "9.",
  "{",
]
// Of the time of an ordinary program of about that length. Measured: at most 4, and 43 for a line of 8,000 characters.
const MAX_FACTOR = 12
const PROGRAM = "def area(width, height=2):\n    # of a rectangle\n    return {'area': width * height}\n\n"

const linesOf = (unit) => `${unit.repeat(LINE).slice(0, LINE)}\n`.repeat(6)

function cpuTime(run) {
  const start = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(start)
  return user + system // µs
}

const highlight = (text, language) => highlighter.highlight(text, { language, ignoreIllegals: true })

function timeOfPieces(text, language) {
  let longest = 0
  for (let start = 0, end; start < text.length; start = end) {
    end = endOfPiece(text, start)
    const piece = text.slice(start, end)
    if (isHighlightable(piece))
      longest = Math.max(
        longest,
        cpuTime(() => highlight(piece, language)),
      )
  }
  return longest
}

// Times both again, side by side: processors do not keep their speed.
function isSlow(text, language, timeOfProgram) {
  for (let look = 0; look < 5; look += 1) {
    const usual = Math.max(timeOfProgram(), timeOfProgram())
    if (timeOfPieces(text, language) <= MAX_FACTOR * usual) return false
  }
  return true
}

test("a line that is too long is not highlighted", () => {
  const line = "0".repeat(LINE)
  assert.equal(isHighlightable(`a\n${line}\nb`), true)
  assert.equal(isHighlightable(`${line}\n${line}`), true)
  assert.equal(isHighlightable(`a\n${line}0\nb`), false)
  assert.equal(isHighlightable(`a\n${line}0`), false)
  assert.equal(isHighlightable(""), true)
})

test("pieces are short, and together they are the text", () => {
  const text = linesOf("a(")
  const ends = []
  for (let start = 0; start < text.length; start = ends.at(-1)) ends.push(endOfPiece(text, start))
  assert.equal(ends.at(-1), text.length)
  assert(ends.every((end, index) => end - (ends[index - 1] ?? 0) <= 6_000))
})

test("no piece in any language holds up the page", () => {
  const program = PROGRAM.repeat(60)
  const timeOfProgram = () => cpuTime(() => highlight(program, "python"))
  timeOfProgram() // compiled by now
  const usual = Math.min(timeOfProgram(), timeOfProgram(), timeOfProgram())
  const slow = []
  for (const language of highlighter.listLanguages())
    for (const unit of UNITS) {
      const text = linesOf(unit)
      if (timeOfPieces(text, language) > MAX_FACTOR * usual && isSlow(text, language, timeOfProgram))
        slow.push([language, unit])
    }
  assert.deepEqual(slow, [])
})
