// A menu as a popover. Arrow keys go through it; what is chosen closes it, and the keyboard goes back to its button.

import { placeBeside } from "./dom.js";

export class Menu {
  #element
  #button = null
  #isOpen = false
  #pressed = null // the button whose menu was open when the mouse went down; the browser closes it then

  // `onChoose(entry, event)`: the name of the entry, as its `data-entry` says; entries without one do what they do.
  constructor(element, onChoose) {
    this.#element = element
    document.addEventListener("pointerdown", () => {
      this.#pressed = this.#isOpen ? this.#button : null
    }, { capture: true })
    element.addEventListener("beforetoggle", ({ newState }) => this.#turned(newState === "open"))
    element.addEventListener("keydown", (event) => this.#step(event))
    element.addEventListener("click", (event) => {
      const entry = event.target.closest("[role=menuitem]")
      if (!entry) return
      element.hidePopover()
      if (entry.dataset.entry) onChoose(entry.dataset.entry, event)
    })
  }

  // By a click on this button; a second one only closes it.
  open(button, { detail }) {
    const isSecond = detail && this.#pressed === button
    this.#pressed = null
    if (isSecond) return
    this.#button = button
    this.#element.showPopover()
    placeBeside(this.#element, button)
    this.#entries[0].focus()
  }

  get #entries() {
    return [...this.#element.querySelectorAll("[role=menuitem]")].filter((entry) => entry.offsetParent)
  }

  #turned(isOpen) {
    this.#isOpen = isOpen
    this.#button.setAttribute("aria-expanded", isOpen)
    if (!isOpen && this.#element.contains(document.activeElement)) this.#button.focus({ preventScroll: true })
  }

  #step(event) {
    const entries = this.#entries
    const index = entries.indexOf(document.activeElement)
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key]
    if (next !== undefined) entries.at(next % entries.length).focus()
    else if (event.key === "Tab") this.#element.hidePopover()
    else return
    event.preventDefault()
  }
}
