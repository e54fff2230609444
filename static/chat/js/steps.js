// The way to an answer: what the model thought and which tools it used. Each step is a line that unfolds.

import { copyOf, find, say } from "./dom.js";
import { pretty } from "./json.js";
import { Prose } from "./prose.js";
import { words } from "./words.js";

const FEW = 3 // steps that stay in sight beside their answer; more of them fold into one line

// Steps in a row.
export class Steps {
  type = "steps"
  element = copyOf("steps-template")
  #steps = []
  #isFolded = false

  constructor(place) {
    place.append(this.element)
  }

  // `isOver`: the answer follows, or nothing more does.
  show({ steps }, { isOver }) {
    steps.forEach((step, index) => {
      if (this.#steps[index]?.type !== step.type) this.#drop(index)
      this.#steps[index] ??= this.#add(new kinds[step.type]())
      this.#steps[index].show(step)
    })
    this.#drop(steps.length)
    this.#fold(steps, isOver)
  }

  tick(now) {
    for (const step of this.#steps) step.tick(now)
  }

  // The line of this call; tells whether it is here.
  focusOn(id) {
    const step = this.#steps.find((step) => step.id === id)
    step?.element.querySelector("summary").focus({ preventScroll: true })
    return Boolean(step)
  }

  #add(step) {
    this.element.append(step.element)
    return step
  }

  #drop(from) {
    for (const step of this.#steps.splice(from)) step.element.remove()
  }

  // Once, when the answer begins; not under the eyes of somebody who reads a step, and never against what they chose.
  #fold(steps, isOver) {
    const title = find("title", this.element)
    title.hidden = steps.length <= FEW || !isOver
    say(title, words.steps(steps.length, steps.filter(({ state }) => state === "failed").length))
    if (title.hidden) this.element.open = true
    else if (!this.#isFolded) this.element.open = Boolean(this.element.querySelector("details[open], :focus"))
    this.#isFolded = !title.hidden
  }
}

class Step {
  #since = null

  // A line says what it is, how it stands and how long it took; while it runs, the seconds count.
  line({ title, state, status = "", seconds, since }) {
    this.element.dataset.state = state
    say(find("title", this.element), title)
    say(find("state", this.element), status)
    this.#since = state === "running" ? since ?? null : null
    if (this.#since === null) say(find("time", this.element), seconds === undefined ? "" : words.took(seconds))
  }

  tick(now) {
    if (this.#since === null) return
    const seconds = Math.floor((now - this.#since) / 1000)
    say(find("time", this.element), seconds > 0 ? words.takes(seconds) : "")
  }
}

class Thought extends Step {
  type = "reasoning"
  element = copyOf("reasoning-template")
  #prose = new Prose(find("text", this.element))

  show({ text, state, since, seconds }) { // its title tells the seconds
    this.line({ title: state === "running" ? words.thinking : words.thought(seconds), state, since })
    this.#prose.show(text, { done: state !== "running" })
  }
}

class ToolUse extends Step {
  type = "tool_call"
  id = null
  element = copyOf("tool-template")
  #texts = new Map() // place -> the text that is shown there, before it was made readable

  show({ id, name, arguments: given, result, error, state, isAsked, since, seconds }) {
    this.id = id
    // What came of a question is told at once: that the person said no, or why it failed although they said yes.
    const status = isAsked && error ? error.split("\n", 1)[0] : words.step[state]
    this.element.classList.toggle("step--asked", Boolean(isAsked))
    this.line({ title: words.tool(name), state, status, since, seconds })
    this.#tell("arguments", given)
    find("outcome", this.element).hidden = error === null && result === null
    say(find("answered", this.element), error === null ? words.result : words.error)
    this.#tell("result", error ?? result ?? "")
  }

  #tell(place, text) {
    if (text === this.#texts.get(place)) return
    this.#texts.set(place, text)
    say(find(place, this.element), pretty(text))
  }
}

// The result of a call that is not on the page.
class ToolResult extends ToolUse {
  type = "tool_result"

  show(part) {
    super.show({ ...part, name: "", arguments: "" })
  }
}

const kinds = { reasoning: Thought, tool_call: ToolUse, tool_result: ToolResult }
