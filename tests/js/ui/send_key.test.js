import assert from "node:assert/strict"
import { test } from "node:test"

import { isSendKey, sendKeyHere } from "../../../static/chat/js/ui/send_key.js"

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

test("on a phone or a tablet Enter begins a new line, unless the user wants it to send there, too", () => {
  const devices = { phone: (query) => query === "(pointer: coarse) and (hover: none)", computer: () => false }
  const expected = {
    phone: { enter: "ctrl+enter", "enter-always": "enter", "ctrl+enter": "ctrl+enter" },
    computer: { enter: "enter", "enter-always": "enter", "ctrl+enter": "ctrl+enter" },
  }
  for (const [device, keys] of Object.entries(expected)) {
    for (const [preference, key] of Object.entries(keys)) {
      assert.equal(sendKeyHere(preference, devices[device]), key, `${preference} on a ${device}`)
    }
  }
})
