// The form that asks why an answer was rated up or down.

import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, placeBeside, setText } from "../ui/dom.js"
import { syncButton } from "../ui/popover.js"

export class RatingPopover {
  #popover
  #form
  #onRate
  #rating
  #button

  /** `onRate(button, { rating, reason, comment })` resolves when the server has it, or throws an error with a sentence. */
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
    syncButton(popover, () => this.#button)
  }

  /** Opens beside the button that was pressed. `rating` is "up" or "down". */
  open(button, rating) {
    this.#button = button
    this.#rating = rating
    setText(find("title", this.#popover), strings.ratingQuestion[rating])
    const reasons = Object.entries(strings.ratingReasons[rating]).map(([value, name]) => this.#reason(value, name))
    find("reasons", this.#popover).replaceChildren(...reasons)
    this.#form.elements.comment.value = ""
    this.#problem("")
    this.#popover.showPopover()
    placeBeside(this.#popover, button)
    this.#form.querySelector("input").focus()
  }

  #reason(value, name) {
    const label = cloneTemplate("reason-template")
    const radio = label.querySelector("input")
    radio.value = value
    setText(find("label", label), name)
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
    const element = find("problem", this.#popover)
    element.hidden = !sentence
    setText(element, sentence)
  }
}
