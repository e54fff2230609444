// Whether the server can be reached, told honestly: by what calls and readers meet, not by what the browser believes.
// Knows no DOM.

import { pauseBefore } from "./follow.js";

const NOTICED = 1_500 // ms without the server after which a person has noticed it, and wants to hear that it is back
const GLAD = 4_000 // ms for which the page says so

export class Connection {
  #hooks
  #reach
  #isOnline
  #now
  #lost = new Set() // who cannot reach it
  #since = null
  #tries = 0
  #isBack = false
  #asking
  #gladness

  // Hooks: onChange(), onBack(). `reach()` asks the server for a sign of life, and its answer is heard through `hear`;
  // `isOnline()` tells what the browser believes.
  constructor(hooks, { reach, isOnline = () => navigator.onLine, now = () => performance.now() }) {
    this.#hooks = hooks
    this.#reach = reach
    this.#isOnline = isOnline
    this.#now = now
  }

  // "up", "back" (for a moment), "reconnecting" or "offline"
  get state() {
    if (this.#lost.size) return this.#isOnline() ? "reconnecting" : "offline"
    return this.#isBack ? "back" : "up"
  }

  // `who` could, or could not, reach the server. Calls ask again by themselves; other readers look after themselves.
  hear(isUp, who = "calls") {
    const wasLost = this.#lost.size > 0
    if (isUp) this.#lost.delete(who)
    else this.#lost.add(who)
    if (who === "calls") {
      clearTimeout(this.#asking)
      if (isUp) this.#tries = 0
      else this.#askLater()
    }
    if (wasLost === this.#lost.size > 0) return
    if (this.#lost.size) this.#wentDown()
    else this.#cameBack()
  }

  // Something happened that may have changed it.
  look() {
    clearTimeout(this.#asking)
    this.#reach().catch(() => {})
    this.#hooks.onChange()
  }

  #askLater() {
    clearTimeout(this.#asking)
    this.#asking = setTimeout(() => this.look(), pauseBefore(this.#tries++))
  }

  #wentDown() {
    clearTimeout(this.#gladness)
    this.#since = this.#now()
    this.#isBack = false
    this.#hooks.onChange()
  }

  #cameBack() {
    this.#isBack = this.#now() - this.#since > NOTICED
    if (this.#isBack) {
      this.#gladness = setTimeout(() => {
        this.#isBack = false
        this.#hooks.onChange()
      }, GLAD)
    }
    this.#hooks.onChange()
    this.#hooks.onBack()
  }
}
