import assert from "node:assert/strict"
import { test } from "node:test"

import {
  groupByDate,
  newList,
  snippetText,
  withFirstPage,
  withNextPage,
  withoutRow,
  withRow,
} from "../../../static/chat/js/data/conversation_list.js"

const row = (id, minute, more) => ({
  id,
  updated_at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
  is_pinned: false,
  is_archived: false,
  is_temporary: false,
  ...more,
})
const page = (items, next_cursor = null) => ({ items, next_cursor })
const ids = ({ items }) => items.map(({ id }) => id).join("")
const filled = (kind, items, cursor = null, pinned = []) => ({
  ...newList(kind),
  others: { items, cursor },
  pinned: { items: pinned, cursor: null },
})

// Pages

test("withNextPage appends and skips duplicates", () => {
  const merged = withNextPage({ items: [row("c", 3), row("b", 2)], cursor: "2" }, page([row("b", 2), row("a", 1)], "3"))
  assert.deepEqual([ids(merged), merged.cursor], ["cba", "3"])
})

test("withFirstPage keeps the items that follow without a gap", () => {
  const before = { items: [row("d", 4), row("c", 3), row("b", 2), row("a", 1)], cursor: "deep" }
  const merged = withFirstPage(before, page([row("e", 5), row("d", 4), row("c", 3)], "shallow"))
  assert.deepEqual([ids(merged), merged.cursor], ["edcba", "deep"])
})

test("withFirstPage drops the items that may have a gap before them", () => {
  const before = { items: [row("b", 2), row("a", 1)], cursor: "deep" }
  for (const fresh of [
    [row("f", 6), row("e", 5)],
    [row("f", 6), row("b", 5)],
  ]) {
    const merged = withFirstPage(before, page(fresh, "shallow"))
    assert.deepEqual([merged.items, merged.cursor], [fresh, "shallow"])
  }
})

test("withFirstPage drops deleted items of a complete list", () => {
  const merged = withFirstPage({ items: [row("b", 2), row("a", 1)], cursor: null }, page([row("a", 1)]))
  assert.deepEqual([ids(merged), merged.cursor], ["a", null])
})

// Updates

test("withRow moves an active conversation to its place", () => {
  const list = filled("recent", [row("c", 3), row("b", 2), row("a", 1)], "more")
  assert.equal(ids(withRow(list, row("a", 9)).others), "acb")
  assert.equal(ids(withRow(list, row("x", 2, { id: "x" })).others), "cxba") // the same time: by id, as the server does
})

test("withRow keeps a renamed conversation in place, even at the end", () => {
  const list = withRow(filled("recent", [row("b", 2), row("a", 1)], "more"), row("a", 1, { title: "New" }))
  assert.deepEqual(
    list.others.items.map(({ title }) => title),
    [undefined, "New"],
  )
})

test("withRow does not add an item of a page that is not loaded", () => {
  const list = filled("recent", [row("c", 3), row("b", 2)], "more")
  assert.equal(ids(withRow(list, row("a", 1)).others), "cb")
  assert.equal(ids(withRow(filled("recent", [row("c", 3)]), row("a", 1)).others), "ca")
})

test("withRow keeps pinned conversations apart", () => {
  const list = withRow(filled("recent", [row("b", 2), row("a", 1)]), row("a", 1, { is_pinned: true }))
  assert.deepEqual([ids(list.pinned), ids(list.others)], ["a", "b"])
  const back = withRow(list, row("a", 1))
  assert.deepEqual([ids(back.pinned), ids(back.others)], ["", "ba"])
})

test("withRow moves conversations into the archive and out of it", () => {
  const archived = row("a", 1, { is_archived: true })
  assert.equal(ids(withRow(filled("recent", [row("a", 1)], null, [row("b", 2)]), archived).others), "")
  assert.equal(ids(withRow(filled("recent", [], null, [row("a", 1)]), archived).pinned), "")
  assert.equal(ids(withRow(filled("archive", []), { ...archived, is_pinned: true }).others), "a")
  assert.equal(ids(withRow(filled("archive", [archived]), row("a", 1)).others), "")
})

test("withRow keeps the place and snippet of a search result", () => {
  const found = filled("search", [row("b", 2), row("a", 1, { snippet: { match: "tea" } })])
  const list = withRow(withRow(found, row("a", 9, { title: "New" })), row("c", 9))
  assert.equal(ids(list.others), "ba")
  assert.deepEqual([list.others.items[1].title, list.others.items[1].snippet.match], ["New", "tea"])
})

test("withRow ignores temporary conversations", () => {
  assert.equal(ids(withRow(filled("recent", []), row("a", 1, { is_temporary: true })).others), "")
})

test("withoutRow removes a conversation everywhere", () => {
  const list = withoutRow(filled("recent", [row("a", 1)], "more", [row("a", 1)]), "a")
  assert.deepEqual([ids(list.others), ids(list.pinned), list.others.cursor], ["", "", "more"])
})

// Groups

const now = new Date(2026, 9, 11, 15, 0) // local time
const at = (...when) => ({ id: when.join(), updated_at: new Date(...when).toISOString() })
const keys = (items, pinned) =>
  groupByDate(filled("recent", items, null, pinned), now).map(({ key, items }) => [key, items.length])

test("groupByDate uses the local calendar", () => {
  const items = [
    at(2026, 9, 11, 14, 59),
    at(2026, 9, 11, 0, 0),
    at(2026, 9, 10, 23, 59),
    at(2026, 9, 10, 0, 0),
    at(2026, 9, 9, 23, 59),
    at(2026, 9, 4, 0, 0),
    at(2026, 9, 3, 23, 59),
    at(2026, 8, 11, 0, 0),
    at(2026, 8, 10, 23, 59),
    at(2026, 8, 1),
    at(2026, 7, 31, 23, 59),
    at(2025, 7, 2),
  ]
  assert.deepEqual(keys(items), [
    ["today", 2],
    ["yesterday", 2],
    ["week", 2],
    ["month", 2],
    ["2026-09", 2],
    ["2026-08", 1],
    ["2025-08", 1],
  ])
})

test("groupByDate puts dates in the future under today", () => {
  assert.deepEqual(keys([at(2026, 9, 11, 15, 1), at(2026, 9, 12, 1)]), [["today", 2]])
})

test("groupByDate puts pinned conversations first", () => {
  assert.deepEqual(keys([at(2026, 9, 11)], [at(2024, 0, 1), at(2026, 9, 11)]), [
    ["pinned", 2],
    ["today", 1],
  ])
})

test("groupByDate returns nothing for an empty list", () => assert.deepEqual(keys([]), []))

test("a snippet begins close before the match", () => {
  assert.equal(snippetText({ before: "Long ago, ", match: "tea", after: " came…" }), "Long ago, tea came…")
  const before = "…長い前置きがここにあって、それから𠮷野家のことを書いたあとで、やっと"
  const text = snippetText({ before, match: "お茶", after: "の話" })
  assert.equal(text, `…${[...before].slice(-20).join("")}お茶の話`)
  assert.ok(text.includes("𠮷野家"))
})
