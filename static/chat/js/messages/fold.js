// Folds a long text of a user, with a button that shows all of it.
//
// The hidden part stays in the page, where the browser's search and the keyboard reach it: the box then scrolls, which unfolds it.

import { strings } from "../i18n/strings.js"

const FOLDED = "fold__box--folded"
const MAX_HEIGHT = 520 // px; messages.css and readonly.css show less of a longer text, so that the button is worth its place

const folds = new WeakMap() // box or its content -> Fold
const unfoldedKeys = new Set() // of the texts that were unfolded, for as long as the page lives

const observer =
  typeof ResizeObserver === "undefined"
    ? null
    : new ResizeObserver((entries) => {
        for (const { target } of entries) folds.get(target)?.update()
      })

export class Fold {
  #content
  #box
  #button
  #key

  /** `box` has the content alone; `key()` tells texts apart. */
  constructor({ box, content, button, key }) {
    this.#content = content
    this.#box = box
    this.#button = button
    this.#key = key
    for (const element of [box, content]) folds.set(element, this)
    observer?.observe(content)
    button.addEventListener("click", () => this.#toggle())
    box.addEventListener("scroll", () => this.#onScroll())
  }

  update() {
    const isLong = this.#content.offsetHeight > MAX_HEIGHT
    const isFolded = isLong && !unfoldedKeys.has(this.#key())
    this.#box.classList.toggle(FOLDED, isFolded)
    this.#button.hidden = !isLong
    this.#button.setAttribute("aria-expanded", !isFolded)
    this.#button.querySelector("span").textContent = isFolded ? strings.unfold : strings.fold
  }

  unfold() {
    if (!this.#box.classList.contains(FOLDED)) return
    unfoldedKeys.add(this.#key())
    this.update()
  }

  // Keeps what was scrolled to where it is in the window.
  #onScroll() {
    const { scrollTop } = this.#box
    if (!scrollTop) return
    this.unfold()
    this.#box.scrollTop = 0
    const scroller = this.#box.closest(".scroller") ?? document.scrollingElement
    scroller.scrollTop += scrollTop
  }

  #toggle() {
    if (this.#box.classList.contains(FOLDED)) return this.unfold()
    unfoldedKeys.delete(this.#key())
    this.update()
    this.#button.scrollIntoView({ block: "nearest" })
  }
}

/** Unfolds the text that this node is in. */
export const unfoldAround = (node) => folds.get(node.parentElement?.closest(`.${FOLDED}`))?.unfold()
