import assert from "node:assert/strict"
import { test } from "node:test"

import { isAnswer, partKinds } from "../../../static/chat/js/data/parts.js"
import { sentAttachments, stepViews, textViews } from "../../../static/chat/js/messages/parts/kinds.js"
import { readonlyParts } from "../../../static/chat/js/messages/parts/readonly.js"

const kindsOf = (wanted) => Object.keys(partKinds).filter((type) => partKinds[type].group === wanted)

test("each kind of part has a view in its group", () => {
  const inAnswers = Object.keys(partKinds).filter((type) => isAnswer({ type }))
  assert.deepEqual(Object.keys(textViews).toSorted(), inAnswers.toSorted())
  assert.deepEqual(Object.keys(stepViews), kindsOf("step"))
  assert.deepEqual(Object.keys(sentAttachments), kindsOf("attachment"))
})

test("read-only pages show each note", () => {
  for (const type of kindsOf("note")) assert.ok(type in readonlyParts, type)
})

test("read-only pages show known kinds only", () => {
  for (const type of Object.keys(readonlyParts)) assert.ok(type in partKinds, type)
})
