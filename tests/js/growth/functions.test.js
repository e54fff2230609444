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
  "data/conversation_list.js snippetText": onText((cut, value) => cut({ before: value, match: value, after: value })),
  "data/file_names.js displayName": text,
  "data/file_names.js iconOf": onText((find, name) => find({ name })),
  "data/file_text.js blocksOf": onText((cut, value) => {
    for (const unit of ["|", "a|b\n", "| a |\n", "\t", "a\tb\n", "|-"]) cut(value.replaceAll("a ", unit))
    cut(`|${value}|`)
  }),
  "data/file_text.js splitUnits": onText((cut, value) => {
    cut([{ label: "1", text: value }])
    cut([...value].map((text) => ({ label: "1", text })))
  }),
  "data/folding.js findWords": onText((find, value) => {
    find(value, "a")
    find(value, `x ${value.slice(0, 150)}`)
  }),
  "data/folding.js fold": text,
  "data/folding.js foldWords": text,
  "data/parts.js attachmentFields": onList(calls, (read, parts) => read(parts)),
  "data/parts.js storedAttachments": onList(calls, (read, images) => read({ images })),
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
  "i18n/format.js extensionOf": text,
  "i18n/format.js encodingName": text,
  "i18n/format.js titleFromName": text,
  "markdown/code_pieces.js endOfPiece": onText((end, value) => end(value, 0)),
  "markdown/code_pieces.js isHighlightable": text,
  "markdown/addresses.js addressAt": onText((find, value) => find(`https://a.b/${value}`, 0)),
  "markdown/addresses.js maskAddresses": onText((mask, value) => mask(value, value)),
  "markdown/code_spans.js codeEnd": onText((end, value) => end(value, 0, 1)),
  "markdown/emphasis.js findEmphasis": onText((find, value) => find(value, value)),
  "markdown/emphasis.js hasCjk": text,
  "markdown/entities.js decodeEntities": text,
  "markdown/diagram_labels.js quoteLabels": onText((quote, value) => {
    for (const unit of [value, value.replaceAll("a", "a["), value.replaceAll("a", "a(b")]) quote(`graph LR\n${unit}`)
  }),
  "markdown/diagram_problem.js problemOf": onText((explain, value) => {
    explain({ message: `line 2 ${value}`, token: value }, value)
    explain({ message: value }, value)
  }),
  "markdown/formulas.js lastEnds": text,
  "markdown/formulas.js openFormula": text,
  "markdown/incomplete.js cutUndecided": text,
  "markdown/inline_html.js htmlAt": onText((find, value) => find(`<u>${value}`, 0)),
  "markdown/math.js katexOptions": text,
  "markdown/smooth.js prefixOf": onText((cut, value) => cut(value, value.length / 2)),
  "ui/avatar.js hueOf": text,
  "markdown/typed_blocks.js parseTypedText": onText((parse, value) => {
    for (const unit of ["- ", "> ", "1. ", "``` ", "- `\n\n"]) parse(value.replaceAll("a ", unit))
    parse(value)
  }),
  "markdown/typed_inlines.js typedInlines": text,
  "ui/dom.js setText": onText((set, value) => set(document.createElement("p"), value)),
  "ui/pretty_json.js escapeInvisible": text,
  "ui/pretty_json.js fieldsOf": onText((read, value) => read(`{"a":${JSON.stringify(value)}}`)),
  "ui/pretty_json.js pretty": onText((read, value) => {
    read(`[${value}`)
    read(JSON.stringify([value]))
  }),
}
// Where they are, why they need no test, and their names.
const EXEMPT = [
  [
    "data/api.js",
    "sends its arguments",
    `cancel changeConversation changeMe continueReply conversation copyShare createConversation deleteConversation
     deleteMessage edit exportAddress fileText importFile keepConversation messages rate regenerate
     restoreConversation resume revokeShare run send share shares unsentUploads upload watchReachability`,
  ],
  ["data/backoff.js", "a number", "retryDelay"],
  ["data/assistants.js", "assistants that staff have set up", "sortAssistants"],
  ["data/assistants.js", "one assistant", "matches"],
  ["data/conversation_list.js", "one row", "idOf"],
  ["data/conversation_list.js", "a search query", "newList"],
  ["data/parts.js", "one part", "isAnswer isAttachment isNote isStep isUploaded"],
  ["data/page_user.js", "a user", "setPageUser withUser"],
  ["data/reducer.js", "a status", "isInProgress"],
  ["data/reducer.js", "a type", "isTerminal"],
  ["data/reducer.js", "ids", "newReply"],
  ["data/run_stream.js", "ids", "streamFactory"],
  ["data/server_clock.js", "a time", "setClock"],
  ["data/single_keys.js", "a choice", "setSingleKeys"],
  ["data/sky.js", "a time", "moonAt moonPath partOfDay sunAt"],
  ["data/turns.js", "a time", "isExpired"],
  ["data/turns.js", "a status", "isUnfinished"],
  ["i18n/format.js", "a language", "createFormat"],
  ["i18n/format.js", "a number", "minutesAndSeconds"],
  ["markdown/block_actions.js", "an element", "listenForBlockActions"],
  ["markdown/block_buttons.js", "labels of our own", "newButton newCopyButton newLabelledButton relabel"],
  ["markdown/emphasis.js", "one run of marks", "readRun"],
  ["markdown/code_spans.js", "one run of marks", "runLength"],
  ["markdown/formulas.js", "at most 4,000 characters", "delimitedAt formulaAt readDollar"],
  ["markdown/formulas.js", "tested in markdown.test.js: a paragraph, whose marks are counted before", "maskFormulas"],
  ["markdown/frame_budget.js", "a task", "runSoon"],
  [
    "markdown/incomplete.js",
    "tested in markdown.test.js: a paragraph, whose marks are counted before",
    "closeOpenMarks",
  ],
  ["markdown/marked_internals.js", "tested in markdown.test.js", "inlineQueueOf removeFromQueue"],
  [
    "markdown/morph.js",
    "elements of blocks, whose length is limited",
    "component componentOf morph morphChildren mount",
  ],
  ["markdown/parse.js", "tested in markdown.test.js", "parseBlocks"],
  ["markdown/render.js", "one block, whose length is limited", "renderBlock renderItem renderRow"],
  ["markdown/rich_text.js", "elements that were drawn, each once", "csvOf htmlOf rowsOf selectionAsRichText tsvOf"],
  ["markdown/scrollable.js", "two elements", "makeScrollable"],
  ["markdown/typed_text.js", "draws what parseTypedText reads", "drawTypedText"],
  ["markdown/windows.js", "tested in markdown.test.js", "readInWindows piecesOf"],
  ["ui/avatar.js", "a name, of which it reads the first letter", "showAvatar"],
  ["ui/copy_feedback.js", "a button", "copyRichWithFeedback copyWithFeedback showCopied writeRich"],
  [
    "ui/dom.js",
    "elements and names of our own",
    "cloneTemplate find icon placeAtEdge placeBeside showTime showTimeAgo",
  ],
  ["ui/download.js", "writes a file", "download"],
  ["ui/focus.js", "an element", "restoreFocus"],
  ["ui/icon_mark.js", "a choice", "markIcon"],
  ["ui/install.js", "an address of our own", "offerInstall startWorker"],
  ["ui/notifications.js", "a row of the server", "notify"],
  ["ui/once_per_frame.js", "a task", "oncePerFrame"],
  ["ui/page_mark.js", "a title and a number", "markPage setPageTitle"],
  ["ui/popover.js", "elements", "syncButton"],
  ["ui/send_key.js", "a key", "isSendKey sendKeyHere"],
  ["ui/shortcuts.js", "keys", "labelsOf shortcutOf"],
  ["ui/stylesheet.js", "a name of our own", "loadStylesheet"],
  ["ui/theme.js", "a name", "showTheme"],
  ["ui/visible_tabs.js", "a choice", "holdVisible"],
]
const NEEDS_PAGE = ["markdown/diagram_drawing.js", "markdown/diagram_viewer.js", "ui/soft_keyboard.js"] // and reads no text

const exempt = EXEMPT.flatMap(([path, , names]) => names.split(/\s+/).map((name) => `${path} ${name}`))

const found = []
for (const path of readdirSync(SCRIPTS, { recursive: true }).filter((name) => name.endsWith(".js"))) {
  if (!FOLDERS.includes(path.split("/")[0]) || NEEDS_PAGE.includes(path)) continue
  const module = await import(new URL(path, SCRIPTS))
  for (const [name, value] of Object.entries(module)) {
    const isFunction = typeof value === "function" && value.length > 0 && !/^class\b/.test(String(value))
    if (isFunction) found.push({ module, name, key: `${path} ${name}` })
  }
}

test("every function is in CALLS or EXEMPT", () => {
  const known = new Set([...Object.keys(CALLS), ...exempt])
  const unknown = found.filter(({ key }) => !known.has(key))
  assert.deepEqual(
    unknown.map(({ key }) => key),
    [],
    "Add to CALLS how these functions are called, or to EXEMPT why they need no test.",
  )
  const existing = new Set(found.map(({ key }) => key))
  assert.deepEqual(
    [...known].filter((key) => !existing.has(key)),
    [],
  )
})

for (const { module, name, key } of found.filter(({ key }) => key in CALLS)) {
  test(`${key} takes linear time`, () => {
    const [work, inputs] = CALLS[key](module, name)
    assert.deepEqual(inputs.map((make) => growth(work, make, LENGTH)).filter(Boolean), [])
  })
}
