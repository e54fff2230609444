import assert from "node:assert/strict"
import { test } from "node:test"

import { strings as english } from "../../../static/chat/js/i18n/strings.en.js"
import { strings as japanese } from "../../../static/chat/js/i18n/strings.ja.js"
import { actionsFor } from "../../../static/chat/js/messages/error_help.js"

test("each action after an error has a label", () => {
  const actions = new Set(Object.values(actionsFor).flat())
  for (const { errorHelp } of [english, japanese]) assert.deepEqual(new Set(Object.keys(errorHelp)), actions)
})
