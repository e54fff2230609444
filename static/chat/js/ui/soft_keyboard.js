// The on-screen keyboard of iOS covers the page, so the page is made shorter. Elsewhere the window itself becomes smaller, as the
// page's viewport asks for.

const { visualViewport: viewport } = window

const fitPage = () => {
  const isCovered = viewport.scale === 1 && document.documentElement.clientHeight - viewport.height > 1 // otherwise the page is zoomed
  document.body.style.height = isCovered ? `${viewport.height}px` : ""
  if (isCovered) scrollTo(0, 0) // iOS scrolled the page to show the text field
}

/** Keeps the composer above the keyboard. */
export const stayAboveKeyboard = () => viewport?.addEventListener("resize", fitPage)
