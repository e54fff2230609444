// What is wider than its place can be scrolled with the keyboard, too; what is not, is no stop on the way of the Tab key.

const boxes = new WeakMap() // by what is in them, and by themselves

const look = (entries) => {
  for (const box of new Set(entries.map(({ target }) => boxes.get(target)))) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
    else box.removeAttribute("tabindex")
  }
}

const observer = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(look)

// `content` is what may become wider than the box.
export const scrollable = (box, content) => {
  for (const one of [box, content]) {
    boxes.set(one, box)
    observer?.observe(one)
  }
}
