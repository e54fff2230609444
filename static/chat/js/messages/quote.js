// Quotes the selected text of a message: by a button beside it, or by a shortcut.

import { oncePerFrame } from "../ui/once_per_frame.js"

const GAP = 6 // px between the button and the selection, and to the window's edge

export class QuoteButton {
  #messages
  #button
  #onQuote

  constructor(messages, button, onQuote) {
    this.#messages = messages
    this.#button = button
    this.#onQuote = onQuote
    document.addEventListener(
      "selectionchange",
      oncePerFrame(() => this.#position()),
    )
    messages.parentElement.addEventListener("scroll", () => this.#position(), { passive: true })
    addEventListener("resize", () => this.#position())
    button.addEventListener("pointerdown", (event) => event.preventDefault()) // which would clear the selection
    button.addEventListener("click", () => this.quote())
  }

  /** Quotes the selected text. Returns whether there was any. */
  quote() {
    const passage = this.#passage()
    if (!passage) return false
    getSelection().removeAllRanges()
    this.#onQuote(passage)
    return true
  }

  // The selected text, if it is a message's.
  #passage() {
    const selection = getSelection()
    if (!selection.rangeCount || selection.isCollapsed) return ""
    const ancestor = selection.getRangeAt(0).commonAncestorContainer
    const element = ancestor.nodeType === Node.ELEMENT_NODE ? ancestor : ancestor.parentElement
    const isMessage = element?.closest(".message__parts, .message__bubble") && this.#messages.contains(element)
    return isMessage ? selection.toString().trim() : ""
  }

  // Above the selection if there is room, else below it.
  #position() {
    this.#button.hidden = !this.#passage()
    if (this.#button.hidden) return
    const passage = getSelection().getRangeAt(0).getBoundingClientRect()
    const box = this.#messages.parentElement.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height } = this.#button
    const above = passage.top - height - GAP
    const top = above > box.top ? above : Math.min(passage.bottom + GAP, box.bottom - height - GAP)
    const left = passage.left + (passage.width - width) / 2
    this.#button.style.top = `${top}px`
    this.#button.style.left = `${Math.max(box.left + GAP, Math.min(left, box.right - width - GAP))}px`
    this.#button.classList.toggle("quote-button--offscreen", passage.bottom < box.top || passage.top > box.bottom)
  }
}
