/**
 * Returns a function that tells whether the focus is still where it is now, or nowhere. To be asked before code that ran for a
 * while moves the focus: the user may have moved it in the meantime.
 */
export const rememberFocus = () => {
  const before = document.activeElement
  return () => [before, document.body, null].includes(document.activeElement)
}

/** Whether there is a mouse; on a phone, a focused field opens the keyboard. */
export const hasMouse = () => matchMedia("(pointer: fine)").matches

/** Gives the focus a place if the element that had it is gone. */
export const restoreFocus = ({ composer, thread }) => {
  const { activeElement } = document
  if (activeElement && activeElement !== document.body && activeElement.checkVisibility?.() !== false) return
  if (hasMouse()) composer.focus()
  else thread.focus({ preventScroll: true })
}
