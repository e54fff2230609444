import { placeBeside } from "./dom.js"

/** A menu in a popover, with arrow keys. Choosing an entry closes it and gives the focus back to its button. */
export class Menu {
  #element
  #button = null
  #isOpen = false
  #pressed = null // the button whose menu was open on pointerdown, which makes the browser close it

  /** `onChoose(name, event)` is called with the entry's `data-choice`. Entries without one, such as links, act by themselves. */
  constructor(element, onChoose) {
    this.#element = element
    document.addEventListener(
      "pointerdown",
      () => {
        this.#pressed = this.#isOpen ? this.#button : null
      },
      { capture: true },
    )
    element.addEventListener("beforetoggle", ({ newState }) => this.#onBeforeToggle(newState === "open"))
    element.addEventListener("keydown", (event) => this.#onKeyDown(event))
    element.addEventListener("click", (event) => {
      const entry = event.target.closest("[role=menuitem]")
      if (!entry) return
      element.hidePopover()
      if (entry.dataset.choice) onChoose(entry.dataset.choice, event)
    })
  }

  /** Opens beside the clicked button. A second click does not open it again: the browser has just closed it. */
  open(button, { detail: clickCount }) {
    const isSecondClick = clickCount > 0 && this.#pressed === button // 0: the button was pressed by a key
    this.#pressed = null
    if (isSecondClick) return
    this.#button = button
    this.#element.showPopover()
    placeBeside(this.#element, button)
    this.#entries[0].focus()
  }

  get #entries() {
    return [...this.#element.querySelectorAll("[role=menuitem]")].filter((entry) => entry.offsetParent)
  }

  #onBeforeToggle(isOpen) {
    this.#isOpen = isOpen
    this.#button.setAttribute("aria-expanded", isOpen)
    if (!isOpen && this.#element.contains(document.activeElement)) this.#button.focus({ preventScroll: true })
  }

  #onKeyDown(event) {
    const entries = this.#entries
    const index = entries.indexOf(document.activeElement)
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key]
    if (next !== undefined) entries.at(next % entries.length).focus()
    else if (event.key === "Tab") this.#element.hidePopover()
    else return
    event.preventDefault()
  }
}
