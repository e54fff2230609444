// A phone's keyboard that lies over the page, as on iOS: the page ends where it begins. Elsewhere the window becomes
// smaller, as the page's viewport asks for, and there is nothing to do.

const { visualViewport: seen } = window

const fit = () => {
  const isCovered = seen.scale === 1 && document.documentElement.clientHeight - seen.height > 1 // else it is zoomed in
  document.body.style.height = isCovered ? `${seen.height}px` : ""
  if (isCovered) scrollTo(0, 0) // it was pushed up to show what one types into
}

export const stayAboveKeyboard = () => seen?.addEventListener("resize", fit)
