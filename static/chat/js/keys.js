// Keyboard shortcuts. They never take a key from somebody who writes or composes.

// Mod is Ctrl, or ⌘ on a Mac. Where two are given, both do.
export const shortcuts = {
  newChat: [["Mod", "Shift", "O"]],
  search: [["Mod", "K"]],
  sidebar: [["Mod", "Shift", "S"]],
  composer: [["Shift", "Escape"]],
  stop: [["Escape"]],
  copyAnswer: [["Mod", "Shift", "C"]],
  quote: [["Mod", "Shift", "9"]],
  undo: [["Mod", "Z"]],
  settings: [["Mod", ","]],
  help: [["Mod", "/"], ["?"]],
}

const WHILE_WRITING = new Set(["newChat", "search", "sidebar", "composer", "stop", "copyAnswer", "quote", "settings", "help"])

export const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator?.userAgentData?.platform ?? globalThis.navigator?.platform ?? "")

// The shortcut that this key press is, or null. `isWriting` tells that the key could be meant as text, `hasSingle` that a
// single character may be a shortcut.
export const shortcutOf = (event, { isWriting = false, hasSingle = true, onMac = isMac } = {}) => {
  if (event.isComposing || event.keyCode === 229 || event.altKey || event.repeat) return null
  const pressed = { Mod: onMac ? event.metaKey : event.ctrlKey, Other: onMac ? event.ctrlKey : event.metaKey, Shift: event.shiftKey }
  if (pressed.Other) return null
  const is = (keys) => {
    const key = keys.at(-1)
    if (key === "?") return event.key === "?" && !pressed.Mod && !isWriting && hasSingle // wherever it lies on this keyboard
    const needsShift = key in CODES ? pressed.Shift : keys.includes("Shift") // some keyboards write a slash with it
    return pressed.Mod === keys.includes("Mod") && pressed.Shift === needsShift && lies(event, key)
  }
  const found = Object.keys(shortcuts).find((name) => shortcuts[name].some(is))
  return found && (!isWriting || WHILE_WRITING.has(found)) ? found : null
}

// By its letter; on keyboards of other scripts, by the place where that letter lies on a Latin one.
const lies = ({ key, code }, wanted) => {
  if (key.toUpperCase() === wanted.toUpperCase()) return true
  if (/^\d$/.test(wanted)) return code === `Digit${wanted}` // with Shift, it writes another sign
  return key > "~" && key.length === 1 && code === (CODES[wanted] ?? `Key${wanted}`)
}

const CODES = { "/": "Slash", ",": "Comma" }

// As the keys are written on the keyboard.
export const labelsOf = (keys, onMac = isMac) => keys.map((key) => (onMac ? MAC : OTHERS)[key] ?? key)

const OTHERS = { Mod: "Ctrl", Escape: "Esc" }
const MAC = { Mod: "⌘", Shift: "⇧", Escape: "Esc", Delete: "⌦" }
