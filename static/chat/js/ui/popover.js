/** Keeps a popover's button up to date, and gives it the focus back when the popover closes. */
export const trackButton = (popover, getButton) => {
  popover.addEventListener("toggle", ({ newState }) => {
    const button = getButton()
    if (button.hasAttribute("aria-expanded")) button.setAttribute("aria-expanded", newState === "open")
    const { activeElement } = document
    const isFocusLost = popover.contains(activeElement) || activeElement === document.body
    if (newState === "closed" && isFocusLost) button.focus()
  })
}
