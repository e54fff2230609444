// Which of the user's conversations want attention: those with a new answer, a failed one, or a request for approval. No DOM.

import { now } from "./server_clock.js"

const WANTING = new Set(["answered", "failed", "waiting"])
const RECENT = 60_000 // ms; what a rename brings is older

export class Attention {
  #hooks
  #activities = new Map() // by the id of the conversation
  #seen = new Set() // ids of those of whose answers the server was told that they are seen
  #openId = null
  #isVisible = true

  /**
   * Hooks: `onCount(count)` of the conversations that want attention, without the one that the user is looking at;
   * `onSeen(id)` when the user sees an answer, which returns whether the server was told; `onEvent(row)` when something
   * happened just now.
   */
  constructor(hooks) {
    this.#hooks = hooks
  }

  /** Takes rows of the server; `isNews` if they have just changed. */
  take(rows, { isNews = false } = {}) {
    for (const row of rows) {
      if (row.is_temporary && row.id !== this.#openId) continue // only the page that has it open shows it
      const before = this.#activities.get(row.id) ?? null
      this.#activities.set(row.id, row.activity)
      const isNew = isNews && row.activity !== before && now() - Date.parse(row.updated_at) < RECENT
      if (isNew && WANTING.has(row.activity)) this.#hooks.onEvent(row)
    }
    this.#update()
  }

  remove(id) {
    this.#activities.delete(id)
    this.#update()
  }

  setOpen(id) {
    this.#openId = id
    this.#update()
  }

  setVisible(isVisible) {
    this.#isVisible = isVisible
    this.#update()
  }

  #update() {
    const watched = this.#isVisible ? this.#openId : null
    const wanting = [...this.#activities].filter(([id, activity]) => WANTING.has(activity) && id !== watched)
    this.#hooks.onCount(wanting.length)
    const activity = this.#activities.get(watched)
    if (activity !== "answered" && activity !== "failed") this.#seen.delete(watched)
    else if (!this.#seen.has(watched) && this.#hooks.onSeen(watched)) this.#seen.add(watched)
  }
}
