// Which key sends. Knows no DOM.

// Enter that ends an input method's composition is no Enter for us. Safari reports it after the composition, as 229.
const isComposing = (event) => event.isComposing || event.keyCode === 229

// `sendKey` is "enter" or "ctrl+enter"; the other Enter makes a line. With Ctrl or ⌘ it always sends.
export const sends = (event, sendKey) => {
  if (event.key !== "Enter" || event.shiftKey || event.altKey || isComposing(event)) return false
  return sendKey === "enter" || event.ctrlKey || event.metaKey
}
