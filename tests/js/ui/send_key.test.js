import assert from "node:assert/strict"
import { test } from "node:test"

import { isSendKey } from "../../../static/chat/js/ui/send_key.js"

const press = (changes = {}) => ({
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...changes,
})

test("Enter sends, Shift+Enter inserts a line break", () => {
  assert.ok(isSendKey(press(), "enter"))
  assert.ok(!isSendKey(press({ shiftKey: true }), "enter"))
  assert.ok(!isSendKey(press({ key: "a" }), "enter"))
})

test("with the setting for it, only Ctrl+Enter and ⌘+Enter send", () => {
  assert.ok(!isSendKey(press(), "ctrl+enter"))
  for (const key of ["ctrlKey", "metaKey"]) {
    assert.ok(isSendKey(press({ [key]: true }), "ctrl+enter"))
    assert.ok(isSendKey(press({ [key]: true }), "enter"))
  }
  assert.ok(!isSendKey(press({ ctrlKey: true, shiftKey: true }), "ctrl+enter"))
})

test("Enter that ends an input method's composition does not send, however the browser reports it", () => {
  for (const sendKey of ["enter", "ctrl+enter"]) {
    assert.ok(!isSendKey(press({ isComposing: true, ctrlKey: true }), sendKey))
    assert.ok(!isSendKey(press({ keyCode: 229, ctrlKey: true }), sendKey))
  }
})
