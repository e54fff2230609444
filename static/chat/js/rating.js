// A thumb up or down, and why.

import { copyOf, find, placeBeside, say } from "./dom.js";
import { words } from "./words.js";

export class Rating {
  #popover
  #form
  #onRate
  #rating
  #button

  // `onRate(button, {rating, reason, comment})` resolves when the server has it, or throws what carries a sentence.
  constructor(popover, onRate) {
    this.#popover = popover
    this.#form = popover.querySelector("form")
    this.#onRate = onRate
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault()
      const { reason, comment } = this.#form.elements
      this.#rate({ rating: this.#rating, reason: reason.value, comment: comment.value.trim() })
    })
    find("undo", popover).addEventListener("click", () => this.#rate({ rating: null }))
    popover.addEventListener("toggle", ({ newState }) => {
      if (newState === "closed" && (popover.contains(document.activeElement) || document.activeElement === document.body)) this.#button.focus()
    })
  }

  // Ask why, beside the button that was pressed. `rating` is "up" or "down".
  open(button, rating) {
    this.#button = button
    this.#rating = rating
    say(find("title", this.#popover), words.why[rating])
    const reasons = Object.entries(words.reasons[rating]).map(([value, name]) => this.#reason(value, name))
    find("reasons", this.#popover).replaceChildren(...reasons)
    this.#form.elements.comment.value = ""
    this.#problem("")
    this.#popover.showPopover()
    placeBeside(this.#popover, button)
    this.#form.querySelector("input").focus()
  }

  #reason(value, name) {
    const label = copyOf("reason-template")
    const radio = label.querySelector("input")
    radio.value = value
    say(find("words", label), name)
    return label
  }

  async #rate(feedback) {
    this.#problem("")
    try {
      await this.#onRate(this.#button, feedback)
      this.#popover.hidePopover()
    } catch (error) {
      this.#problem(error.message)
    }
  }

  #problem(sentence) {
    const place = find("problem", this.#popover)
    place.hidden = !sentence
    say(place, sentence)
  }
}
