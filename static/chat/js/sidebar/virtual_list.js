// A long list in groups. All rows have the same height, and only those near the viewport are in the document, so that ten
// thousand cost no more than thirty. The focused row stays in the document wherever it is.

import { cloneTemplate, find, setText } from "../ui/dom.js"
import { oncePerFrame } from "../ui/once_per_frame.js"

const OVERSCAN = 600 // px above and below the viewport that are drawn

export class VirtualList {
  #scroller
  #container
  #titleOf
  #fill
  #onEmpty
  #sections = new Map() // group's key -> { element, list, items, top, height }
  #rows = new Map() // item's id -> its element
  #drawSoon = oncePerFrame(() => this.#draw())

  /**
   * `titleOf(key)` is the title of a group, `fill(row, item)` writes an item into its row, `onEmpty()` moves the focus when the
   * last row is gone.
   */
  constructor(scroller, container, { titleOf, fill, onEmpty }) {
    this.#scroller = scroller
    this.#container = container
    this.#titleOf = titleOf
    this.#fill = fill
    this.#onEmpty = onEmpty
    scroller.addEventListener("scroll", () => this.#drawSoon(), { passive: true })
    new ResizeObserver(() => {
      this.#measure()
      this.#drawSoon()
    }).observe(scroller)
    container.addEventListener("keydown", (event) => this.#step(event))
  }

  /** Groups are [{ key, items }]. The scroll position stays at the same item, whatever changes above it. */
  show(groups) {
    const anchor = this.#anchor()
    const focus = this.#focusedRow()
    const keys = new Set(groups.map(({ key }) => key))
    for (const [key, { element }] of this.#sections) {
      if (keys.has(key)) continue
      element.remove()
      this.#sections.delete(key)
    }
    groups.forEach(({ key, items }, index) => {
      if (!this.#sections.has(key)) this.#sections.set(key, this.#newSection(key))
      const section = this.#sections.get(key)
      section.items = items
      section.list.style.setProperty("--row-count", items.length)
      if (this.#container.children[index] !== section.element)
        this.#container.insertBefore(section.element, this.#container.children[index])
    })
    this.#sections = new Map(groups.map(({ key }) => [key, this.#sections.get(key)]))
    this.#measure()
    if (anchor) this.#scroller.scrollTop += (this.#topOf(anchor.id) ?? anchor.top) - anchor.top
    this.#draw()
    if (focus) this.#restoreFocus(focus)
  }

  /** Scrolls to the top. */
  scrollToTop() {
    this.#scroller.scrollTop = 0
  }

  /** Focuses the row at this index of the whole list. Returns whether there is one. */
  focusOn(index, control = "link") {
    const item = this.#items[index]
    if (!item) return false
    this.#scrollIntoView(item.id)
    find(control, this.#rows.get(item.id)).focus({ preventScroll: true })
    return true
  }

  /** Focuses the row of the item with this id. */
  focusOnItem(id) {
    return this.focusOn(this.#items.findIndex((item) => item.id === id))
  }

  get #items() {
    return [...this.#sections.values()].flatMap(({ items }) => items)
  }

  #newSection(key) {
    const element = cloneTemplate("group-template")
    const heading = find("heading", element)
    heading.id = `group-${key}`
    setText(heading, this.#titleOf(key))
    element.setAttribute("aria-labelledby", heading.id)
    return { element, list: find("rows", element), items: [], top: 0, height: 0 }
  }

  // Where each group's rows begin, and how high they are.
  #measure() {
    const above = this.#scroller.getBoundingClientRect().top - this.#scroller.scrollTop
    for (const section of this.#sections.values()) {
      const { top, height } = section.list.getBoundingClientRect()
      section.top = top - above
      section.height = height / section.items.length
    }
  }

  #draw() {
    const visible = new Map([...this.#sections.values()].map((section) => [section, this.#indexesToDraw(section)]))
    // Rows that leave are removed first: moving the others would take the focus from them.
    const ids = new Set([...visible].flatMap(([{ items }, indexes]) => indexes.map((index) => items[index].id)))
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue
      row.remove()
      this.#rows.delete(id)
    }
    for (const [section, indexes] of visible) this.#put(section, indexes)
  }

  // The indexes of a group's rows that belong in the document.
  #indexesToDraw({ items, top, height }) {
    if (!height) return [] // the sidebar is closed
    const { scrollTop, clientHeight } = this.#scroller
    const first = Math.max(0, Math.floor((scrollTop - OVERSCAN - top) / height))
    const last = Math.min(items.length - 1, Math.floor((scrollTop + clientHeight + OVERSCAN - top) / height))
    const indexes = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
    const focused = this.#rowOf(document.activeElement)
    const focusedIndex = focused ? items.findIndex(({ id }) => id === focused.dataset.id) : -1
    if (focusedIndex < 0 || indexes.includes(focusedIndex)) return indexes
    return focusedIndex < first ? [focusedIndex, ...indexes] : [...indexes, focusedIndex]
  }

  #put({ list, items }, indexes) {
    let before = null
    for (const index of indexes) {
      const row = this.#rowFor(items[index])
      row.style.setProperty("--row-index", index)
      row.setAttribute("aria-posinset", index + 1)
      row.setAttribute("aria-setsize", items.length)
      this.#fill(row, items[index])
      const next = before ? before.nextElementSibling : list.firstElementChild
      if (next !== row) list.insertBefore(row, next)
      before = row
    }
  }

  #rowFor({ id }) {
    if (!this.#rows.has(id)) {
      const row = cloneTemplate("conversation-template")
      row.dataset.id = id
      this.#rows.set(id, row)
    }
    return this.#rows.get(id)
  }

  #rowOf(element) {
    return this.#container.contains(element) ? element.closest("[data-id]") : null
  }

  // The first visible row, if the list is scrolled.
  #anchor() {
    const { scrollTop } = this.#scroller
    if (scrollTop <= 0) return null
    for (const { items, top, height } of this.#sections.values()) {
      const index = Math.max(0, Math.ceil((scrollTop - top) / height))
      if (index < items.length) return { id: items[index].id, top: top + index * height }
    }
    return null
  }

  #topOf(id) {
    for (const { items, top, height } of this.#sections.values()) {
      const index = items.findIndex((item) => item.id === id)
      if (index >= 0) return top + index * height
    }
    return undefined
  }

  #scrollIntoView(id) {
    const top = this.#topOf(id)
    const { scrollTop, clientHeight } = this.#scroller
    const [{ height }] = this.#sections.values()
    if (top < scrollTop)
      this.#scroller.scrollTop = top - height // with the title of its group, if there is one above it
    else if (top + height > scrollTop + clientHeight) this.#scroller.scrollTop = top + height - clientHeight
    this.#draw()
  }

  // The focused row, which loses the focus when it moves or leaves.
  #focusedRow() {
    const row = this.#rowOf(document.activeElement)
    if (!row) return null
    const { id } = row.dataset
    return { id, index: this.#items.findIndex((item) => item.id === id), control: document.activeElement.dataset.ref }
  }

  #restoreFocus({ id, index, control }) {
    if (this.#container.contains(document.activeElement)) return
    const items = this.#items
    const same = items.findIndex((item) => item.id === id)
    const isFocused = same >= 0 ? this.focusOn(same, control) : this.focusOn(Math.min(index, items.length - 1))
    if (!isFocused) this.#onEmpty()
  }

  #step(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    const { index, control } = this.#focusedRow() ?? {}
    if (index === undefined) return
    const last = this.#items.length - 1
    event.preventDefault()
    this.focusOn(Math.max(0, Math.min(last, index + steps[event.key])), control)
  }
}
