import assert from "node:assert/strict"
import { test } from "node:test"

import { displayName, iconOf } from "../../../static/chat/js/data/file_names.js"
import { blocksOf, splitUnits } from "../../../static/chat/js/data/file_text.js"
import { strings as japanese } from "../../../static/chat/js/i18n/strings.ja.js"
import { strings } from "../../../static/chat/js/i18n/strings.js"

test("long units are cut at line ends, and nothing is lost", () => {
  const lines = Array.from({ length: 5000 }, (_, number) => `line ${number}`).join("\n")
  const pieces = splitUnits([
    { label: "1", text: "short" },
    { label: "2", text: lines },
    { label: "3", text: "" },
  ])
  assert.ok(pieces.length > 4)
  assert.equal(
    pieces
      .filter(({ unit }) => unit === 1)
      .map(({ text }) => text)
      .join(""),
    lines,
  )
  assert.ok(pieces.filter(({ unit }) => unit === 1).every(({ text }) => text.startsWith("line ")))
  assert.deepEqual(
    pieces.filter(({ isFirst }) => isFirst).map(({ label }) => label),
    ["1", "2", "3"],
  )
  const emoji = "👩‍🚀".repeat(10_000)
  const cut = splitUnits([{ label: "", text: emoji }])
  assert.equal(cut.map(({ text }) => text).join(""), emoji)
  for (const { text } of cut) assert.ok(text.isWellFormed())
})

test("tables are told from text", () => {
  assert.deepEqual(blocksOf("Prices\n\n| a | b |\n| --- | --- |\n| 1 \\| 2 | <br> |\nEnd"), [
    { text: "Prices\n" },
    {
      rows: [
        ["a", "b"],
        ["1 | 2", "\n"],
      ],
    },
    { text: "End" },
  ])
  assert.deepEqual(blocksOf("a\tb\n1\t2"), [
    {
      rows: [
        ["a", "b"],
        ["1", "2"],
      ],
    },
  ])
  for (const text of ["x = a | b", "\tindented\n\tcode", "|"]) assert.deepEqual(blocksOf(text), [{ text }])
  assert.deepEqual(blocksOf(" \n\n"), [])
})

test("names show what they are", () => {
  assert.equal(displayName("invoice\u202efdp.exe"), "invoicefdp.exe")
  assert.equal(displayName("\u200f\0"), "?")
  assert.equal(displayName("👩‍🚀 گزارش.pdf"), "👩‍🚀 گزارش.pdf")
  assert.deepEqual(
    ["A.XLSX", "b.eml", "c", "d.tar.gz", ".csv"].map((name) => iconOf({ name })),
    ["table", "mail", "document", "document", "table"],
  )
  assert.equal(iconOf({ name: "wrong.pdf", unit: "sheet" }), "table")
})

test("what is known about a file is said in words", () => {
  const file = { type: "file", name: "Report.PDF", size: 1_234_567, unit: "page", count: 12, characters: 9, notes: [] }
  assert.equal(strings.fileFacts(file), "PDF · 12 pages · 1.2 MB")
  assert.equal(japanese.fileFacts(file), "PDF · 12ページ · 1.2 MB")
  assert.equal(strings.fileFacts({ name: "LICENSE", size: 999, unit: null, count: null }), "999 bytes")
  assert.equal(strings.fileFacts({ type: "document", name: "a.txt", text: "abc" }), "3 characters")
  const notes = ["truncated:3", "encoding:cp932", "hidden_sheets_left_out", "of_the_future:1", "constructor"]
  assert.deepEqual(strings.fileNotes({ unit: "sheet", notes }), [
    "It is too long. Reading stopped after 3 sheets.",
    "Read as Shift_JIS.",
    "Hidden sheets were left out.",
  ])
  assert.equal(japanese.fileNotes({ unit: "sheet", notes }).length, 3)
  assert.deepEqual(strings.fileNotes({ notes: ["encoding:utf-16"] }), ["Read as UTF-16."])
  assert.deepEqual(strings.fileNotes({ unit: "page", notes: ["truncated:1"] }), [
    "It is too long. Reading stopped after 1 page.",
  ])
  assert.deepEqual(strings.fileNotes({ unit: null, notes: ["truncated:1"] }), [
    "It is too long. Only the beginning was read.",
  ])
  assert.deepEqual(strings.fileNotes({ type: "document" }), [])
  assert.deepEqual(
    [strings.unitLabel("page", "3"), strings.unitLabel("sheet", "3"), strings.unitLabel(null, "x")],
    ["Page 3", "3", "x"],
  )
  assert.equal(strings.fileTooLarge("a", 1_000_000_000, 30_000_000), "“a” is too large (1 GB). The limit is 30 MB.")
})

test("the note about a trimmed file counts what the file consists of", () => {
  const trimmed = { name: "a.pdf", unit: "page", shown: 12, count: 57 }
  assert.equal(strings.fileTrimmed(trimmed), "“a.pdf” is too long for the model, which saw the first 12 of 57 pages.")
  assert.match(japanese.fileTrimmed(trimmed), /最初の12ページだけを渡しました（全57ページ）。/)
  for (const part of [
    { ...trimmed, shown: 0 },
    { name: "a.txt", unit: null, shown: 1, count: null },
  ]) {
    assert.match(strings.fileTrimmed(part), /which saw at most its beginning\.$/)
    assert.match(japanese.fileTrimmed(part), /渡したのは最大でも最初の部分だけです。$/)
  }
})
