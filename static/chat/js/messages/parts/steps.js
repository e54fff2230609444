// The steps that lead to an answer. Each is a line that unfolds.

import { strings } from "../../i18n/strings.js"
import { cloneTemplate, find, setText } from "../../ui/dom.js"
import { stepViews } from "./kinds.js"

const MAX_UNFOLDED = 3 // more steps than this fold into one line once the answer begins

/** Consecutive steps. */
export class StepsView {
  type = "steps"
  element = cloneTemplate("steps-template")
  #steps = []
  #isFolded = false

  constructor(container) {
    container.append(this.element)
  }

  /** `isOver`: no more steps will follow these. */
  show({ steps }, { isOver }) {
    steps.forEach((step, index) => {
      if (this.#steps[index]?.type !== step.type) this.#removeFrom(index)
      this.#steps[index] ??= this.#add(new stepViews[step.type]())
      this.#steps[index].show(step)
    })
    this.#removeFrom(steps.length)
    this.#fold(steps, isOver)
  }

  tick(now) {
    for (const step of this.#steps) step.tick(now)
  }

  /** Moves the focus to the line of this tool call. Returns whether it is here. */
  focusOn(callId) {
    const step = this.#steps.find(({ id }) => id === callId)
    step?.element.querySelector("summary").focus({ preventScroll: true })
    return Boolean(step)
  }

  #add(step) {
    this.element.append(step.element)
    return step
  }

  #removeFrom(index) {
    for (const step of this.#steps.splice(index)) step.element.remove()
  }

  // Folds once, when the answer begins, unless the user is reading a step; afterwards it stays as they leave it.
  #fold(steps, isOver) {
    const title = find("title", this.element)
    title.hidden = steps.length <= MAX_UNFOLDED || !isOver
    setText(title, strings.steps(steps.length, steps.filter(({ state }) => state === "failed").length))
    if (title.hidden) this.element.open = true
    else if (!this.#isFolded) this.element.open = Boolean(this.element.querySelector("details[open], :focus"))
    this.#isFolded = !title.hidden
  }
}
