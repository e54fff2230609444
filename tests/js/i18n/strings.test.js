import assert from "node:assert/strict"
import { test } from "node:test"

import { now, setClock } from "../../../static/chat/js/data/server_clock.js"
import { createFormat } from "../../../static/chat/js/i18n/format.js"
import { strings as japanese } from "../../../static/chat/js/i18n/strings.ja.js"
import { strings } from "../../../static/chat/js/i18n/strings.js"
import { escapeInvisible, fieldsOf, pretty } from "../../../static/chat/js/ui/pretty_json.js"

test("tool names are shown as words", () => {
  const names = {
    calculator: "Calculator",
    search_conversations: "Search chats",
    getWeather: "Get Weather",
    "files.read-all": "Files read all",
    "": "A tool",
  }
  for (const [name, title] of Object.entries(names)) assert.equal(strings.tool(name), title)
})

test("durations are in tenths of a second, long ones in minutes", () => {
  const times = {
    0: "< 0.1 s",
    0.05: "0.1 s",
    1: "1.0 s",
    1.23: "1.2 s",
    9.96: "10 s",
    59.4: "59 s",
    59.6: "1 min 0 s",
    125: "2 min 5 s",
  }
  for (const [seconds, text] of Object.entries(times)) assert.equal(strings.duration(Number(seconds)), text)
  assert.equal(strings.elapsed(3), "3 s")
  assert.equal(strings.reasoningTitle(0.2), "Thought for a moment")
  assert.equal(strings.reasoningTitle(4.4), "Thought for 4 s")
  assert.equal(strings.reasoningTitle(undefined), "Thoughts")
})

test("pretty formats JSON and keeps other text", () => {
  assert.equal(pretty('{"a":[1,"b"],"c":{}}'), '{\n  "a": [\n    1,\n    "b"\n  ],\n  "c": {}\n}')
  for (const text of ["", '{"a": ', "8.42614977317635863067", '"text"', "{noon}"]) assert.equal(pretty(text), text)
})

test("fieldsOf returns the fields of an object as text", () => {
  assert.deepEqual(fieldsOf('{"to":"bob","copies":2,"tags":["a"],"at":null}'), [
    ["to", "bob"],
    ["copies", "2"],
    ["tags", '[\n  "a"\n]'],
    ["at", "null"],
  ])
  for (const none of ["[1]", "2", "", "{"]) assert.equal(fieldsOf(none), null)
})

test("invisible characters are escaped in what a user approves", () => {
  assert.equal(
    escapeInvisible("bob@example.com\u202emoc.live\u2066\u200b\0"),
    "bob@example.com\\u202emoc.live\\u2066\\u200b\\u0000",
  )
  for (const text of ["two\nlines\tand a tab", "👩‍🚀", "می‌خواهم", "日本語"]) assert.equal(escapeInvisible(text), text)
})

test("now follows the server's clock", () => {
  const here = Date.now()
  setClock(new Date(here + 600_000).toUTCString(), here)
  assert.ok(Math.abs(now() - Date.now() - 600_000) <= 1000)
  setClock(null)
  assert.ok(now() - Date.now() > 500_000)
  setClock(new Date(here - 900).toUTCString(), here)
  assert.ok(Math.abs(now() - Date.now()) <= 1)
})

test("ago counts minutes, hours and days by the calendar, and gives the date after a week", () => {
  const now = new Date(2026, 10, 30, 1, 0)
  const ago = (...moment) => createFormat("en").ago(new Date(...moment), now)
  assert.equal(ago(2026, 10, 30, 0, 59, 30), "this minute")
  assert.equal(ago(2026, 10, 30, 0, 40), "20 minutes ago")
  assert.equal(ago(2026, 10, 29, 23, 30), "yesterday")
  assert.equal(ago(2026, 10, 27, 12, 0), "3 days ago")
  assert.match(ago(2026, 9, 1), /Oct/)
  assert.equal(ago(2026, 10, 30, 1, 5), "this minute") // a clock that is ahead
  assert.equal(createFormat("ja").ago(new Date(2026, 10, 29, 12, 0), now), "昨日")
})

test("a line cannot break within 夜遅く, where the browser takes 夜 for a phrase", () => {
  assert.match(japanese.greeting.night("ゆき"), /^ゆきさん、夜\u2060遅くまで/u)
})
