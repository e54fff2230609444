// Draws a long list in groups. All rows are of one height, and only those near what is in sight are in the document, so
// that ten thousand cost no more than thirty. The row that has the keyboard stays, wherever it is.

import { copyOf, find, say } from "./dom.js";

const BEYOND = 600 // px that are drawn above and below what is in sight

export class Rows {
  #scroller
  #place
  #titleOf
  #fill
  #onEmpty
  #sections = new Map() // group's key -> { element, list, items, top, height }
  #rows = new Map() // item's id -> its element
  #isWaiting = false

  // `titleOf(key)` names a group, `fill(row, item)` writes an item into its row, `onEmpty()` finds another place for the
  // keyboard when the last row is gone.
  constructor(scroller, place, { titleOf, fill, onEmpty }) {
    this.#scroller = scroller
    this.#place = place
    this.#titleOf = titleOf
    this.#fill = fill
    this.#onEmpty = onEmpty
    scroller.addEventListener("scroll", () => this.#drawSoon(), { passive: true })
    new ResizeObserver(() => {
      this.#measure()
      this.#drawSoon()
    }).observe(scroller)
    place.addEventListener("keydown", (event) => this.#step(event))
  }

  // Groups are [{ key, items }]. What one looks at stays where it is, whatever comes and goes above it.
  show(groups) {
    const held = this.#held()
    const focus = this.#focus()
    const wanted = new Set(groups.map(({ key }) => key))
    for (const [key, { element }] of this.#sections) {
      if (wanted.has(key)) continue
      element.remove()
      this.#sections.delete(key)
    }
    groups.forEach(({ key, items }, index) => {
      if (!this.#sections.has(key)) this.#sections.set(key, this.#newSection(key))
      const section = this.#sections.get(key)
      section.items = items
      section.list.style.setProperty("--count", items.length)
      if (this.#place.children[index] !== section.element) this.#place.insertBefore(section.element, this.#place.children[index])
    })
    this.#sections = new Map(groups.map(({ key }) => [key, this.#sections.get(key)]))
    this.#measure()
    if (held) this.#scroller.scrollTop += (this.#topOf(held.id) ?? held.top) - held.top
    this.#draw()
    if (focus) this.#focusAgain(focus)
  }

  // Begin at the top, with other items.
  rewind() {
    this.#scroller.scrollTop = 0
  }

  // Puts the keyboard on the row at this place of the whole list; tells whether there is one.
  focusOn(index, control = "link") {
    const item = this.#items[index]
    if (!item) return false
    this.#bringIntoSight(item.id)
    find(control, this.#rows.get(item.id)).focus({ preventScroll: true })
    return true
  }

  // The same by the item's id.
  focusOnItem(id) {
    return this.focusOn(this.#items.findIndex((item) => item.id === id))
  }

  get #items() {
    return [...this.#sections.values()].flatMap(({ items }) => items)
  }

  #newSection(key) {
    const element = copyOf("group-template")
    const heading = find("heading", element)
    heading.id = `group-${key}`
    say(heading, this.#titleOf(key))
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

  #drawSoon() {
    if (this.#isWaiting) return
    this.#isWaiting = true
    requestAnimationFrame(() => this.#draw())
  }

  #draw() {
    this.#isWaiting = false
    const wanted = new Map([...this.#sections.values()].map((section) => [section, this.#wanted(section)]))
    // What goes, goes first: a row that is only moved would lose the keyboard.
    const ids = new Set([...wanted].flatMap(([{ items }, indexes]) => indexes.map((index) => items[index].id)))
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue
      row.remove()
      this.#rows.delete(id)
    }
    for (const [section, indexes] of wanted) this.#put(section, indexes)
  }

  // The places of a group's rows that are to be in the document.
  #wanted({ items, top, height }) {
    if (!height) return [] // the list is put away
    const { scrollTop, clientHeight } = this.#scroller
    const first = Math.max(0, Math.floor((scrollTop - BEYOND - top) / height))
    const last = Math.min(items.length - 1, Math.floor((scrollTop + clientHeight + BEYOND - top) / height))
    const indexes = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
    const focused = this.#rowOf(document.activeElement)
    const kept = focused ? items.findIndex(({ id }) => id === focused.dataset.id) : -1
    if (kept < 0 || indexes.includes(kept)) return indexes
    return kept < first ? [kept, ...indexes] : [...indexes, kept]
  }

  #put({ list, items }, indexes) {
    let before = null
    for (const index of indexes) {
      const row = this.#rowFor(items[index])
      row.style.setProperty("--place", index)
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
      const row = copyOf("conversation-template")
      row.dataset.id = id
      this.#rows.set(id, row)
    }
    return this.#rows.get(id)
  }

  #rowOf(element) {
    return this.#place.contains(element) ? element.closest("[data-id]") : null
  }

  // The first row in sight, if something lies above it.
  #held() {
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

  #bringIntoSight(id) {
    const top = this.#topOf(id)
    const { scrollTop, clientHeight } = this.#scroller
    const [{ height }] = this.#sections.values()
    if (top < scrollTop) this.#scroller.scrollTop = top - height // with the title above it, where it has one
    else if (top + height > scrollTop + clientHeight) this.#scroller.scrollTop = top + height - clientHeight
    this.#draw()
  }

  // Which row has the keyboard: a row that moves or goes would lose it.
  #focus() {
    const row = this.#rowOf(document.activeElement)
    if (!row) return null
    const { id } = row.dataset
    return { id, index: this.#items.findIndex((item) => item.id === id), control: document.activeElement.dataset.is }
  }

  #focusAgain({ id, index, control }) {
    if (this.#place.contains(document.activeElement)) return
    const items = this.#items
    const same = items.findIndex((item) => item.id === id)
    const isThere = same >= 0 ? this.focusOn(same, control) : this.focusOn(Math.min(index, items.length - 1))
    if (!isThere) this.#onEmpty()
  }

  #step(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    const { index, control } = this.#focus() ?? {}
    if (index === undefined) return
    const last = this.#items.length - 1
    event.preventDefault()
    this.focusOn(Math.max(0, Math.min(last, index + steps[event.key])), control)
  }
}
