import assert from "node:assert/strict"
import { test } from "node:test"

import { hear, now } from "../../static/chat/js/clock.js"
import { fieldsOf, plain, pretty } from "../../static/chat/js/json.js"
import { words } from "../../static/chat/js/words.js"

test("a tool's name is read as words", () => {
  const names = { calculator: "Calculator", search_conversations: "Search conversations", getWeather: "Get Weather", "files.read-all": "Files read all", "": "A tool" }
  for (const [name, title] of Object.entries(names)) assert.equal(words.tool(name), title)
})

test("a short time is told to the tenth, a long one in minutes", () => {
  const times = { 0: "< 0.1 s", 0.05: "0.1 s", 1: "1.0 s", 1.23: "1.2 s", 9.96: "10 s", 59.4: "59 s", 59.6: "1 min 0 s", 125: "2 min 5 s" }
  for (const [seconds, told] of Object.entries(times)) assert.equal(words.took(Number(seconds)), told)
  assert.equal(words.takes(3), "3 s")
  assert.equal(words.thought(0.2), "Thought for a moment")
  assert.equal(words.thought(4.4), "Thought for 4 s")
  assert.equal(words.thought(undefined), "Thoughts")
})

test("JSON is laid out, anything else stays as it is", () => {
  assert.equal(pretty('{"a":[1,"b"],"c":{}}'), '{\n  "a": [\n    1,\n    "b"\n  ],\n  "c": {}\n}')
  for (const text of ["", '{"a": ', "8.42614977317635863067", '"text"', "{noon}"]) assert.equal(pretty(text), text)
})

test("the fields of an object are texts", () => {
  assert.deepEqual(fieldsOf('{"to":"bob","copies":2,"tags":["a"],"at":null}'),
    [["to", "bob"], ["copies", "2"], ["tags", '[\n  "a"\n]'], ["at", "null"]])
  for (const none of ["[1]", "2", "", "{"]) assert.equal(fieldsOf(none), null)
})

test("what is to be allowed cannot hide behind characters that nobody sees", () => {
  assert.equal(plain("bob@example.com\u202emoc.live\u2066\u200b\0"), "bob@example.com\\u202emoc.live\\u2066\\u200b\\u0000")
  for (const text of ["two\nlines\tand a tab", "👩‍🚀", "می‌خواهم", "日本語"]) assert.equal(plain(text), text)
})

test("the server's clock counts where the person's is wrong", () => {
  const here = Date.now()
  hear(new Date(here + 600_000).toUTCString(), here)
  assert.ok(Math.abs(now() - Date.now() - 600_000) <= 1000)
  hear(null)
  assert.ok(now() - Date.now() > 500_000)
  hear(new Date(here - 900).toUTCString(), here)
  assert.ok(Math.abs(now() - Date.now()) <= 1)
})
