// A passage of a message that is selected can be quoted: a button beside it, or a shortcut.

const GAP = 6 // px

export class Quote {
  #thread
  #button
  #onQuote
  #isWaiting = false

  constructor(thread, button, onQuote) {
    this.#thread = thread
    this.#button = button
    this.#onQuote = onQuote
    document.addEventListener("selectionchange", () => this.#soon())
    thread.parentElement.addEventListener("scroll", () => this.#place(), { passive: true })
    addEventListener("resize", () => this.#place())
    button.addEventListener("pointerdown", (event) => event.preventDefault()) // which would take the selection away
    button.addEventListener("click", () => this.take())
  }

  // Quote what is selected; tells whether there was something.
  take() {
    const passage = this.#passage()
    if (!passage) return false
    getSelection().removeAllRanges()
    this.#onQuote(passage)
    return true
  }

  #soon() {
    if (this.#isWaiting) return
    this.#isWaiting = true
    requestAnimationFrame(() => {
      this.#isWaiting = false
      this.#place()
    })
  }

  // The selected words, if they are a message's.
  #passage() {
    const selection = getSelection()
    if (!selection.rangeCount || selection.isCollapsed) return ""
    const around = selection.getRangeAt(0).commonAncestorContainer
    const element = around.nodeType === Node.ELEMENT_NODE ? around : around.parentElement
    const isMessage = element?.closest(".message__parts, .message__bubble") && this.#thread.contains(element)
    return isMessage ? selection.toString().trim() : ""
  }

  // Above the passage where there is room, else below it.
  #place() {
    this.#button.hidden = !this.#passage()
    if (this.#button.hidden) return
    const passage = getSelection().getRangeAt(0).getBoundingClientRect()
    const box = this.#thread.parentElement.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height } = this.#button
    const above = passage.top - height - GAP
    const top = above > box.top ? above : Math.min(passage.bottom + GAP, box.bottom - height - GAP)
    const left = passage.left + (passage.width - width) / 2
    this.#button.style.top = `${top}px`
    this.#button.style.left = `${Math.max(box.left + GAP, Math.min(left, box.right - width - GAP))}px`
    this.#button.classList.toggle("quote--away", passage.bottom < box.top || passage.top > box.bottom)
  }
}
