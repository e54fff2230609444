// Which key sends a message. Uses no DOM.

const ONLY_TOUCH = "(pointer: coarse) and (hover: none)" // a phone or a tablet, whose keyboard is on the screen

/**
 * Returns the key that sends here, "enter" or "ctrl+enter". `preference` is the user's, which is also "enter-always".
 *
 * On a phone, Enter begins a new line: its keyboard has no other key for that, and the page has a button that sends.
 */
export const sendKeyHere = (preference, matches = (query) => matchMedia(query).matches) => {
  if (preference === "enter-always") return "enter"
  return preference === "enter" && matches(ONLY_TOUCH) ? "ctrl+enter" : preference
}

// An Enter that ends the composition of an input method. Safari reports it after the composition, as 229.
const isComposing = (event) => event.isComposing || event.keyCode === 229

/** `sendKey` is "enter" or "ctrl+enter". Enter with Ctrl or ⌘ always sends. */
export const isSendKey = (event, sendKey) => {
  if (event.key !== "Enter" || event.shiftKey || event.altKey || isComposing(event)) return false
  return sendKey === "enter" || event.ctrlKey || event.metaKey
}
