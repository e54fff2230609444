/**
 * Returns a function that tells whether the focus is still where it is now, or nowhere. What ends later asks it before it
 * moves the focus, so that it does not take it from where the user went meanwhile.
 */
export const rememberFocus = () => {
  const before = document.activeElement
  return () => [before, document.body, null].includes(document.activeElement)
}
