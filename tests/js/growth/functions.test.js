// Every function that reads texts or lists takes linear time. The functions are found in the modules that need no page, new ones
// too: add to CALLS how a function is called, or to EXEMPT why it needs no test.

import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { test } from "node:test"

import { JSDOM } from "jsdom"

import { growth, repeated } from "./growth.js"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })

const SCRIPTS = new URL("../../../static/chat/js/", import.meta.url)
const FOLDERS = ["data", "i18n", "markdown", "ui"]
const LENGTH = 20_000 // characters of a text, and ten times the items of a list
const UNITS = [
  "a",
  " ",
  "\n",
  "a ",
  "*",
  "[",
  "{",
  '"',
  "\\",
  "&amp;",
  "&",
  "$",
  "`",
  "<",
  "日本語",
  "👨‍👩‍👧",
  "\u0301",
  "_a",
  "aB",
]

const range = (count, make) => Array.from({ length: count }, (_, index) => make(index))
const messages = (count) =>
  range(count, (n) => ({
    id: `m${n}`,
    parent_id: n ? `m${n - 1}` : null,
    role: n % 2 ? "assistant" : "user",
    status: "completed",
    run_id: `r${n}`,
    parts: [{ type: "text", text: "a" }],
  }))
const calls = (count) =>
  range(count, (n) => ({ type: "tool_call", id: `c${n}`, arguments: "", result: "", error: null }))
const rows = (count) => range(count, (n) => ({ id: `${n}`, updated_at: new Date(1e12 - n * 1e6).toISOString() }))
const page = (items) => ({ items, cursor: null })
const list = (items) => ({ kind: "recent", words: "", pinned: page([]), others: page(items) })
const reply = (count) => ({ ...messages(1)[0], seq: 0, parts: calls(count) })
const delta = { type: "TOOL_CALL_ARGS", toolCallId: "c0", delta: "a" }
const snapshot = (count) =>
  range(count, (n) => ({
    id: "m",
    role: "assistant",
    toolCalls: [{ id: `c${n}`, function: { name: "n", arguments: "" } }],
  }))

const onText = (call) => (module, name) => [(text) => call(module[name], text), UNITS.map(repeated)]
const onList = (make, call) => (module, name) => [(input) => call(module[name], input), [(length) => make(length / 10)]]
const text = onText((read, value) => read(value))

const CALLS = {
  "data/conversation_list.js groupByDate": onList(rows, (group, items) => group(list(items))),
  "data/conversation_list.js withFirstPage": onList(rows, (put, items) =>
    put(page(items), { items: items.slice(0, 50), next_cursor: "c" }),
  ),
  "data/conversation_list.js withNextPage": onList(rows, (put, items) =>
    put(page(items), { items, next_cursor: null }),
  ),
  "data/conversation_list.js withRow": onList(rows, (put, items) =>
    put(list(items), { ...items[0], is_archived: false }),
  ),
  "data/conversation_list.js withoutRow": onList(rows, (remove, items) => remove(list(items), "1")),
  "data/parts.js attachmentLists": onList(calls, (read, parts) => read(parts)),
  "data/parts.js attachmentParts": onList(calls, (read, images) => read({ images })),
  "data/parts.js indexOfCall": onList(calls, (find, parts) => find(parts, "x")),
  "data/parts.js append": onList(reply, (append, before) => append(before, {})),
  "data/parts.js update": onList(reply, (update, before) => update(before, 0, {})),
  "data/parts.js partsFromSnapshot": onList(snapshot, (read, items) => read(items, "m")),
  "data/parts.js withdraw": onList(reply, (withdraw, before) => withdraw(before, "text")),
  "data/parts.js plainText": onList(reply, (read, message) => read(message)),
  "data/activity.js activityOf": onList(calls, (read, parts) => {
    const message = { status: "in_progress", parts }
    return read(message, message, { areStepsShown: true, changedAt: 0, now: 0 })
  }),
  "data/reducer.js apply": onList(reply, (apply, before) => apply(before, delta, 1)),
  "data/reducer.js reduce": onList(reply, (reduce, before) => reduce(before, delta)),
  "data/reducer.js merge": onList(messages, (merge, items) => merge(items, items)),
  "data/turns.js contextBoundary": onList(messages, (find, items) =>
    find(items.map((item) => ({ ...item, parts: [{ type: "context_trimmed", kept: 1 }] }))),
  ),
  "data/turns.js branch": onList(messages, (read, items) => read(items)),
  "data/turns.js joinReplies": onList(messages, (join, items) => join(items, { isLast: true, now: 0 })),
  "data/turns.js liveReply": onList(messages, (find, items) => find(items)),
  "data/turns.js sections": onList(calls, (read, parts) => read(parts)),
  "data/turns.js turns": onList(messages, (read, items) => read(items)),
  "data/turns.js withoutQueued": onList(messages, (read, items) => read(items)),
  "i18n/detect_language.js detectLanguage": onText((detect, value) => detect(value, "en")),
  "i18n/detect_language.js setLanguage": onText((set, value) => set(document.createElement("p"), value)),
  "i18n/format.js titleFromName": text,
  "markdown/code_pieces.js endOfPiece": onText((end, value) => end(value, 0)),
  "markdown/code_pieces.js isHighlightable": text,
  "markdown/entities.js decodeEntities": text,
  "markdown/incomplete.js cutUndecided": text,
  "markdown/math.js katexOptions": text,
  "markdown/smooth.js prefixOf": onText((cut, value) => cut(value, value.length / 2)),
  "ui/dom.js setText": onText((set, value) => set(document.createElement("p"), value)),
  "ui/pretty_json.js escapeInvisible": text,
  "ui/pretty_json.js fieldsOf": onText((read, value) => read(`{"a":${JSON.stringify(value)}}`)),
  "ui/pretty_json.js pretty": onText((read, value) => {
    read(`[${value}`)
    read(JSON.stringify([value]))
  }),
}
const EXEMPT = {
  "data/api.js": "sends its arguments",
  "data/backoff.js": "a number",
  "data/conversation_list.js idOf": "one row",
  "data/conversation_list.js newList": "a search query",
  "data/parts.js isAnswer": "one part",
  "data/parts.js isAttachment": "one part",
  "data/parts.js isNote": "one part",
  "data/parts.js isStep": "one part",
  "data/page_user.js": "a user",
  "data/reducer.js isInProgress": "a status",
  "data/reducer.js isTerminal": "a type",
  "data/reducer.js newReply": "ids",
  "data/run_stream.js": "ids",
  "data/server_clock.js": "a time",
  "data/single_keys.js": "a choice",
  "data/turns.js isExpired": "a time",
  "data/turns.js isUnfinished": "a status",
  "i18n/format.js createFormat": "a language",
  "i18n/format.js minutesAndSeconds": "a number",
  "markdown/block_actions.js": "an element",
  "markdown/code.js newButton": "a label of our own",
  "markdown/frame_budget.js": "a task",
  "markdown/incomplete.js closeOpenMarks": "tested in markdown.test.js: a paragraph, whose marks are counted before",
  "markdown/marked_internals.js": "tested in markdown.test.js",
  "markdown/morph.js": "elements of blocks, whose length is limited",
  "markdown/parse.js": "tested in markdown.test.js",
  "markdown/render.js": "one block, whose length is limited",
  "markdown/scrollable.js": "two elements",
  "markdown/windows.js": "tested in markdown.test.js",
  "ui/copy_feedback.js": "a button",
  "ui/dom.js": "elements and names of our own",
  "ui/install.js": "an address of our own",
  "ui/once_per_frame.js": "a task",
  "ui/popover.js": "elements",
  "ui/send_key.js": "a key",
  "ui/shortcuts.js": "keys",
  "ui/theme.js": "a name",
}
const NEEDS_PAGE = ["ui/soft_keyboard.js"] // and reads no text

const found = []
for (const path of readdirSync(SCRIPTS, { recursive: true }).filter((name) => name.endsWith(".js"))) {
  if (!FOLDERS.includes(path.split("/")[0]) || NEEDS_PAGE.includes(path)) continue
  const module = await import(new URL(path, SCRIPTS))
  for (const [name, value] of Object.entries(module)) {
    const isFunction = typeof value === "function" && value.length > 0 && !/^class\b/.test(String(value))
    if (isFunction) found.push({ module, path, name, key: `${path} ${name}` })
  }
}

test("every function is in CALLS or EXEMPT", () => {
  const unknown = found.filter(({ key, path }) => !(key in CALLS) && !(key in EXEMPT) && !(path in EXEMPT))
  assert.deepEqual(
    unknown.map(({ key }) => key),
    [],
    "Add to CALLS how these functions are called, or to EXEMPT why they need no test.",
  )
  const existing = new Set(found.flatMap(({ key, path }) => [key, path]))
  assert.deepEqual(
    [...Object.keys(CALLS), ...Object.keys(EXEMPT)].filter((key) => !existing.has(key)),
    [],
  )
})

for (const { module, name, key } of found.filter(({ key }) => key in CALLS)) {
  test(`${key} takes linear time`, () => {
    const [work, inputs] = CALLS[key](module, name)
    assert.deepEqual(inputs.map((make) => growth(work, make, LENGTH)).filter(Boolean), [])
  })
}
