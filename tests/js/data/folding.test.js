import assert from "node:assert/strict"
import { test } from "node:test"

import { findWords, fold, foldWords } from "../../../static/chat/js/data/folding.js"

const marked = (text, words) => findWords(text, words).map(([start, end]) => text.slice(start, end))

test("other spellings of a word are equal", () => {
  for (const [one, other] of [
    ["café", "CAFE\u0301"],
    ["ガギグ", "ｶﾞｷﾞｸﾞ"],
    ["りんご", "リンゴ"],
    ["ＡＢＣ１２３", "abc123"],
    ["it’s “it”", 'it\'s "it"'],
    ["Straße", "STRASSE"],
    ["한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"],
  ])
    assert.equal(fold(one), fold(other))
  for (const [one, other] of [
    ["か", "が"],
    ["は", "ぱ"],
    ["=", "≠"],
  ])
    assert.notEqual(fold(one), fold(other))
})

test("the words of a search are different, and long ones end without a long vowel mark", () => {
  assert.deepEqual(foldWords("　サーバー  さーば キー Äpfel apfel"), ["さーば", "きー", "apfel"])
  assert.deepEqual(foldWords(" \u200b "), [])
})

test("every word is found wherever it is, in its own spelling", () => {
  assert.deepEqual(marked("Café au lait, CAFE noir", "lait cafe"), ["Café", "lait", "CAFE"])
  assert.deepEqual(marked("cafe\u0301! ｶﾞｶﾞ", "café が"), ["cafe\u0301", "ｶﾞｶﾞ"])
  assert.deepEqual(marked("サーバの再起動", "サーバー 起動"), ["サーバ", "起動"])
  assert.deepEqual(marked("㍿と👨‍👩‍👧 x", "会社 X"), ["㍿", "x"])
})

test("matches that overlap or touch are one", () => {
  assert.deepEqual(findWords("abcdef", "bcd cde"), [[1, 5]])
  assert.deepEqual(findWords("abcdef", "ab cd"), [[0, 4]])
  assert.deepEqual(findWords("aaaa", "a"), [[0, 4]])
})

test("nothing is found without words", () => {
  assert.deepEqual(findWords("abc", " "), [])
  assert.deepEqual(findWords("", "a"), [])
})
