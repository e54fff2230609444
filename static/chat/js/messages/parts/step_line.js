import { strings } from "../../i18n/strings.js"
import { find, setText } from "../../ui/dom.js"

/** The line of a step: its title, its state and how long it took. While it runs, the seconds count up. */
export class StepLine {
  #since = null

  showLine({ title, state, status = "", seconds, since }) {
    this.element.dataset.state = state
    setText(find("title", this.element), title)
    setText(find("state", this.element), status)
    this.#since = state === "running" ? (since ?? null) : null
    if (this.#since === null)
      setText(find("time", this.element), seconds === undefined ? "" : strings.duration(seconds))
  }

  tick(now) {
    if (this.#since === null) return
    const seconds = Math.floor((now - this.#since) / 1000)
    setText(find("time", this.element), seconds > 0 ? strings.elapsed(seconds) : "")
  }
}
