/**
 * Returns a function that tells whether the focus is still where it is now, or nowhere. To be asked before code that ran for a
 * while moves the focus: the user may have moved it in the meantime.
 */
export const rememberFocus = () => {
  const before = document.activeElement
  return () => [before, document.body, null].includes(document.activeElement)
}
