// Whether the server can be reached, as the page's own calls and streams show, not the browser's `onLine`. No DOM.

import { retryDelay } from "./backoff.js"

const NOTICEABLE_OUTAGE = 1_500 // ms; after a longer one the page says that it is connected again
const BACK_NOTICE_DURATION = 4_000 // ms

export class Connection {
  #hooks
  #ping
  #isOnline
  #now
  #down = new Set() // sources that cannot reach the server
  #downSince = null
  #attempt = 0
  #isBack = false
  #pingTimer
  #noticeTimer

  /**
   * Hooks: `onChange()`, `onBack()`. `ping()` calls the server, and its result arrives through `report`; `isOnline()` is
   * what the browser reports.
   */
  constructor(hooks, { ping, isOnline = () => navigator.onLine, now = () => performance.now() }) {
    this.#hooks = hooks
    this.#ping = ping
    this.#isOnline = isOnline
    this.#now = now
  }

  get isDown() {
    return this.#down.size > 0
  }

  /** For how long the server could not be reached; 0 while it can. */
  get downSeconds() {
    return this.isDown ? (this.#now() - this.#downSince) / 1000 : 0
  }

  /** "up", "back" (for a moment), "reconnecting" or "offline" */
  get state() {
    if (this.isDown) return this.#isOnline() ? "reconnecting" : "offline"
    return this.#isBack ? "back" : "up"
  }

  /** Takes what a source found out: "calls", which are retried from here, or "stream", which reconnects by itself. */
  report(isUp, source = "calls") {
    const wasDown = this.isDown
    if (isUp) this.#down.delete(source)
    else this.#down.add(source)
    if (source === "calls") {
      clearTimeout(this.#pingTimer)
      if (isUp) this.#attempt = 0
      else this.#checkLater()
    }
    if (wasDown === this.isDown) return
    if (this.isDown) this.#onDown()
    else this.#onUp()
  }

  /** Checks now, because something may have changed. */
  check() {
    clearTimeout(this.#pingTimer)
    this.#ping().catch(() => {})
    this.#hooks.onChange()
  }

  #checkLater() {
    clearTimeout(this.#pingTimer)
    this.#pingTimer = setTimeout(() => this.check(), retryDelay(this.#attempt))
    this.#attempt += 1
  }

  #onDown() {
    clearTimeout(this.#noticeTimer)
    this.#downSince = this.#now()
    this.#isBack = false
    this.#hooks.onChange()
  }

  #onUp() {
    this.#isBack = this.#now() - this.#downSince > NOTICEABLE_OUTAGE
    if (this.#isBack) {
      this.#noticeTimer = setTimeout(() => {
        this.#isBack = false
        this.#hooks.onChange()
      }, BACK_NOTICE_DURATION)
    }
    this.#hooks.onChange()
    this.#hooks.onBack()
  }
}
