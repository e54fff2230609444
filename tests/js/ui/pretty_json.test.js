import assert from "node:assert/strict"
import { test } from "node:test"

import { fieldsOf, pretty } from "../../../static/chat/js/ui/pretty_json.js"

const nested = (depth) => "[".repeat(depth) + "]".repeat(depth)

test("an object is indented", () => assert.equal(pretty('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}'))

test("JSON that is nested too deeply is left unformatted", () => {
  assert.equal(pretty(nested(4_000)), nested(4_000))
  assert.equal(fieldsOf(`{"a":${nested(4_000)}}`), null)
  assert.notEqual(pretty(nested(20)), nested(20))
})

test("brackets in a string do not count as nesting", () => {
  const json = JSON.stringify({ text: `${"[".repeat(99)}"\\` })
  assert.match(pretty(json), /\n/)
})

test("large JSON is left unformatted", () => {
  const wide = `[${"1,".repeat(60_000)}1]`
  assert.equal(pretty(wide), wide)
  assert.ok(pretty(`${"[".repeat(20)}${"1,".repeat(20_000)}1${"]".repeat(20)}`).length < 200_000)
})

test("an object with too many fields has no list of fields", () => {
  const fields = (count) => JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, n])))
  assert.equal(fieldsOf(fields(100)).length, 100)
  assert.equal(fieldsOf(fields(101)), null)
})
