/** Keeps the `aria-expanded` of a popover's button up to date, and returns the focus to it when the popover closes. */
export const syncButton = (popover, getButton) => {
  popover.addEventListener("toggle", ({ newState }) => {
    const button = getButton()
    if (button.hasAttribute("aria-expanded")) button.setAttribute("aria-expanded", newState === "open")
    const { activeElement } = document
    const isFocusLost = popover.contains(activeElement) || activeElement === document.body
    if (newState === "closed" && isFocusLost) button.focus()
  })
}
