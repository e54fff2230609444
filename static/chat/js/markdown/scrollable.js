// A box whose content is wider than itself can be scrolled with the keyboard, too; one that fits is not a tab stop.

const boxes = new WeakMap() // observed element -> its box: the box itself or its content

const update = (entries) => {
  for (const box of new Set(entries.map(({ target }) => boxes.get(target)))) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
    else box.removeAttribute("tabindex")
  }
}

const observer = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(update)

/** Makes the box a tab stop while `content` is wider than it. */
export const makeScrollable = (box, content) => {
  for (const element of [box, content]) {
    boxes.set(element, box)
    observer?.observe(element)
  }
}
