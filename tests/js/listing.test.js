import assert from "node:assert/strict"
import { test } from "node:test"

import { extended, groupsOf, heard, newList, renewed, without } from "../../static/chat/js/listing.js"

const row = (id, minute, more) => ({
  id, updated_at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
  is_pinned: false, is_archived: false, is_temporary: false, ...more,
})
const page = (items, next_cursor = null) => ({ items, next_cursor })
const ids = ({ items }) => items.map(({ id }) => id).join("")
const filled = (kind, items, cursor = null, pinned = []) =>
  ({ ...newList(kind), others: { items, cursor }, pinned: { items: pinned, cursor: null } })

// Pages

test("a page goes behind what is there, and nothing comes twice", () => {
  const shelf = extended({ items: [row("c", 3), row("b", 2)], cursor: "2" }, page([row("b", 2), row("a", 1)], "3"))
  assert.deepEqual([ids(shelf), shelf.cursor], ["cba", "3"])
})

test("the first page anew keeps what surely follows", () => {
  const before = { items: [row("d", 4), row("c", 3), row("b", 2), row("a", 1)], cursor: "deep" }
  const shelf = renewed(before, page([row("e", 5), row("d", 4), row("c", 3)], "shallow"))
  assert.deepEqual([ids(shelf), shelf.cursor], ["edcba", "deep"])
})

test("the first page anew takes the place of all where something may lie between", () => {
  const before = { items: [row("b", 2), row("a", 1)], cursor: "deep" }
  for (const fresh of [[row("f", 6), row("e", 5)], [row("f", 6), row("b", 5)]]) {
    const shelf = renewed(before, page(fresh, "shallow"))
    assert.deepEqual([shelf.items, shelf.cursor], [fresh, "shallow"])
  }
})

test("what is gone from a first page that is all is gone", () => {
  const shelf = renewed({ items: [row("b", 2), row("a", 1)], cursor: null }, page([row("a", 1)]))
  assert.deepEqual([ids(shelf), shelf.cursor], ["a", null])
})

// News

test("what is active again moves to its place", () => {
  const list = filled("recent", [row("c", 3), row("b", 2), row("a", 1)], "more")
  assert.equal(ids(heard(list, row("a", 9)).others), "acb")
  assert.equal(ids(heard(list, row("x", 2, { id: "x" })).others), "cxba") // the same moment: by id, as the server does
})

test("what is only renamed stays, also at the end of what was read", () => {
  const list = heard(filled("recent", [row("b", 2), row("a", 1)], "more"), row("a", 1, { title: "New" }))
  assert.deepEqual(list.others.items.map(({ title }) => title), [undefined, "New"])
})

test("what belongs further down comes with its page", () => {
  const list = filled("recent", [row("c", 3), row("b", 2)], "more")
  assert.equal(ids(heard(list, row("a", 1)).others), "cb")
  assert.equal(ids(heard(filled("recent", [row("c", 3)]), row("a", 1)).others), "ca")
})

test("pinned ones stand apart", () => {
  const list = heard(filled("recent", [row("b", 2), row("a", 1)]), row("a", 1, { is_pinned: true }))
  assert.deepEqual([ids(list.pinned), ids(list.others)], ["a", "b"])
  const back = heard(list, row("a", 1))
  assert.deepEqual([ids(back.pinned), ids(back.others)], ["", "ba"])
})

test("the archive takes what the list loses, and the other way", () => {
  const archived = row("a", 1, { is_archived: true })
  assert.equal(ids(heard(filled("recent", [row("a", 1)], null, [row("b", 2)]), archived).others), "")
  assert.equal(ids(heard(filled("recent", [], null, [row("a", 1)]), archived).pinned), "")
  assert.equal(ids(heard(filled("archive", []), { ...archived, is_pinned: true }).others), "a")
  assert.equal(ids(heard(filled("archive", [archived]), row("a", 1)).others), "")
})

test("what was found keeps its place and its snippet", () => {
  const found = filled("search", [row("b", 2), row("a", 1, { snippet: { match: "tea" } })])
  const list = heard(heard(found, row("a", 9, { title: "New" })), row("c", 9))
  assert.equal(ids(list.others), "ba")
  assert.deepEqual([list.others.items[1].title, list.others.items[1].snippet.match], ["New", "tea"])
})

test("what is temporary is never listed", () => {
  assert.equal(ids(heard(filled("recent", []), row("a", 1, { is_temporary: true })).others), "")
})

test("what is deleted goes from everywhere", () => {
  const list = without(filled("recent", [row("a", 1)], "more", [row("a", 1)]), "a")
  assert.deepEqual([ids(list.others), ids(list.pinned), list.others.cursor], ["", "", "more"])
})

// Groups

const now = new Date(2026, 9, 11, 15, 0) // by the clock of this place
const at = (...when) => ({ id: when.join(), updated_at: new Date(...when).toISOString() })
const keys = (items, pinned) => groupsOf(filled("recent", items, null, pinned), now).map(({ key, items }) => [key, items.length])

test("days are those of the person's calendar", () => {
  const items = [
    at(2026, 9, 11, 14, 59), at(2026, 9, 11, 0, 0), at(2026, 9, 10, 23, 59), at(2026, 9, 10, 0, 0), at(2026, 9, 9, 23, 59),
    at(2026, 9, 4, 0, 0), at(2026, 9, 3, 23, 59), at(2026, 8, 11, 0, 0), at(2026, 8, 10, 23, 59), at(2026, 8, 1),
    at(2026, 7, 31, 23, 59), at(2025, 7, 2),
  ]
  assert.deepEqual(keys(items), [
    ["today", 2], ["yesterday", 2], ["week", 2], ["month", 2], ["2026-09", 2], ["2026-08", 1], ["2025-08", 1],
  ])
})

test("a clock that is behind the server's puts the future into today", () => {
  assert.deepEqual(keys([at(2026, 9, 11, 15, 1), at(2026, 9, 12, 1)]), [["today", 2]])
})

test("pinned ones come first, whatever their time", () => {
  assert.deepEqual(keys([at(2026, 9, 11)], [at(2024, 0, 1), at(2026, 9, 11)]), [["pinned", 2], ["today", 1]])
})

test("without conversations there are no groups", () => assert.deepEqual(keys([]), []))
