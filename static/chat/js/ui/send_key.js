// Which key sends a message. Uses no DOM.

// An Enter that ends the composition of an input method. Safari reports it after the composition, as 229.
const isComposing = (event) => event.isComposing || event.keyCode === 229

/** `sendKey` is "enter" or "ctrl+enter". Enter with Ctrl or ⌘ always sends. */
export const isSendKey = (event, sendKey) => {
  if (event.key !== "Enter" || event.shiftKey || event.altKey || isComposing(event)) return false
  return sendKey === "enter" || event.ctrlKey || event.metaKey
}
