import assert from "node:assert/strict"
import { test } from "node:test"
import { strings } from "../../../static/chat/js/i18n/strings.en.js"
import { labelsOf, shortcutOf, shortcuts } from "../../../static/chat/js/ui/shortcuts.js"

const press = (key, { ctrl, meta, shift, alt, ...more } = {}) => ({
  key,
  code: "",
  ctrlKey: Boolean(ctrl),
  metaKey: Boolean(meta),
  shiftKey: Boolean(shift),
  altKey: Boolean(alt),
  ...more,
})
const onPc = (event, options) => shortcutOf(event, { onMac: false, ...options })

test("each shortcut is recognized by its keys", () => {
  const pressed = {
    newChat: press("O", { ctrl: true, shift: true }),
    search: press("k", { ctrl: true }),
    sidebar: press("S", { ctrl: true, shift: true }),
    composer: press("Escape", { shift: true }),
    stop: press("Escape"),
    copyAnswer: press("C", { ctrl: true, shift: true }),
    quote: press("(", { ctrl: true, shift: true, code: "Digit9" }),
    print: press("p", { ctrl: true }),
    undo: press("z", { ctrl: true }),
    settings: press(",", { ctrl: true }),
    help: press("/", { ctrl: true }),
  }
  assert.deepEqual(Object.keys(pressed), Object.keys(shortcuts))
  for (const [name, event] of Object.entries(pressed)) assert.equal(onPc(event), name)
})

test("every shortcut has a description in the help dialog", () => {
  for (const name of Object.keys(shortcuts)) assert.ok(strings.shortcut[name], name)
})

test("on a Mac the modifier is the Command key", () => {
  assert.equal(shortcutOf(press("k", { meta: true }), { onMac: true }), "search")
  assert.equal(shortcutOf(press("k", { ctrl: true }), { onMac: true }), null) // there it deletes to the end of the line
  assert.equal(onPc(press("k", { meta: true })), null)
  assert.deepEqual(labelsOf(["Mod", "Shift", "O"], true), ["⌘", "⇧", "O"])
  assert.deepEqual(labelsOf(["Mod", "Shift", "Escape"], false), ["Ctrl", "Shift", "Esc"])
})

test("on keyboards of other scripts the position of the key decides", () => {
  assert.equal(onPc(press("л", { ctrl: true, code: "KeyK" })), "search")
  assert.equal(onPc(press("Щ", { ctrl: true, shift: true, code: "KeyO" })), "newChat")
  assert.equal(onPc(press("t", { ctrl: true, code: "KeyK" })), null) // Dvorak: the letter decides, not the position
})

test("a slash may be typed with the Shift key", () => {
  assert.equal(onPc(press("/", { ctrl: true, shift: true, code: "Digit7" })), "help")
})

test("keys typed in a text field or an input method are not shortcuts", () => {
  assert.equal(onPc(press("Escape", { isComposing: true })), null)
  assert.equal(onPc(press("Escape", { keyCode: 229 })), null)
  assert.equal(onPc(press("@", { ctrl: true, alt: true, code: "KeyK" })), null) // AltGr types symbols
  assert.equal(onPc(press("?"), { isWriting: true }), null)
  assert.equal(onPc(press("z", { ctrl: true }), { isWriting: true }), null)
  assert.equal(onPc(press("k", { ctrl: true }), { isWriting: true }), "search")
})

test("a single character is a shortcut only while that is enabled", () => {
  assert.equal(onPc(press("?", { shift: true })), "help")
  assert.equal(onPc(press("?", { shift: true }), { hasSingle: false }), null)
})

test("a key that is held down counts once", () => assert.equal(onPc(press("k", { ctrl: true, repeat: true })), null))

test("other keys are not shortcuts", () => {
  for (const event of [
    press("o"),
    press("k"),
    press("k", { ctrl: true, shift: true }),
    press("Enter"),
    press("Escape", { ctrl: true }),
  ]) {
    assert.equal(onPc(event), null)
  }
})
