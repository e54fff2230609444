// Keyboard shortcuts. They never take a key from somebody who is writing or composing text.

/** Each has one or more combinations of keys. Mod is Ctrl, or ⌘ on a Mac. */
export const shortcuts = {
  newChat: [["Mod", "Shift", "O"]],
  search: [["Mod", "K"]],
  sidebar: [["Mod", "Shift", "S"]],
  composer: [["Shift", "Escape"]],
  stop: [["Escape"]],
  copyAnswer: [["Mod", "Shift", "C"]],
  quote: [["Mod", "Shift", "9"]],
  print: [["Mod", "P"]],
  undo: [["Mod", "Z"]],
  settings: [["Mod", ","]],
  help: [["Mod", "/"], ["?"]],
}

const WHILE_WRITING = new Set([
  "newChat",
  "search",
  "sidebar",
  "composer",
  "stop",
  "copyAnswer",
  "quote",
  "print",
  "settings",
  "help",
])

export const isMac = /Mac|iPhone|iPad/.test(
  globalThis.navigator?.userAgentData?.platform ?? globalThis.navigator?.platform ?? "",
)

/**
 * Returns the name of the shortcut for a key press, or null. `isWriting` says that the key may be meant as text, `hasSingle`
 * that a single character may be a shortcut.
 */
export const shortcutOf = (event, { isWriting = false, hasSingle = true, onMac = isMac } = {}) => {
  if (event.isComposing || event.keyCode === 229 || event.altKey || event.repeat) return null
  const pressed = {
    Mod: onMac ? event.metaKey : event.ctrlKey,
    Other: onMac ? event.ctrlKey : event.metaKey,
    Shift: event.shiftKey,
  }
  if (pressed.Other) return null
  const matches = (keys) => {
    const key = keys.at(-1)
    if (key === "?") return event.key === "?" && !pressed.Mod && !isWriting && hasSingle // wherever it is on this keyboard
    const needsShift = key in CODES ? pressed.Shift : keys.includes("Shift") // some keyboards write a slash with it
    return pressed.Mod === keys.includes("Mod") && pressed.Shift === needsShift && isKey(event, key)
  }
  const name = Object.keys(shortcuts).find((candidate) => shortcuts[candidate].some(matches))
  return name && (!isWriting || WHILE_WRITING.has(name)) ? name : null
}

// By its letter; on keyboards of other scripts, by the position of that letter on a Latin one.
const isKey = ({ key, code }, wanted) => {
  if (key.toUpperCase() === wanted.toUpperCase()) return true
  if (/^\d$/.test(wanted)) return code === `Digit${wanted}` // with Shift it types another character
  return key > "~" && key.length === 1 && code === (CODES[wanted] ?? `Key${wanted}`)
}

const CODES = { "/": "Slash", ",": "Comma" }

/** Returns the keys' labels on this kind of keyboard. */
export const labelsOf = (keys, onMac = isMac) => keys.map((key) => (onMac ? MAC : OTHERS)[key] ?? key)

const OTHERS = { Mod: "Ctrl", Escape: "Esc" }
const MAC = { Mod: "⌘", Shift: "⇧", Escape: "Esc", Delete: "⌦" }
