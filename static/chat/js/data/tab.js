// The name of this tab, by which others know what is its own. It keeps the name for as long as it lives, over reloads, and
// holds a lock of that name. No DOM.

import { newKey } from "./api.js"
import { JsonStore, tabStore } from "./storage.js"

const TAB_NAME = "tab"
const LOCK_TIMEOUT = 2_000 // ms
const lockName = (name) => `tab ${name}`

export class Tab {
  name = null // until it is claimed
  #locks
  #claimed

  constructor({ storage = tabStore, locks = globalThis.navigator?.locks } = {}) {
    this.#locks = locks
    this.#claimed = this.#claim(new JsonStore(storage))
  }

  /** Returns the names of the other tabs that are open; none in a browser without locks. */
  async others() {
    await this.#claimed
    const { held = [] } = (await this.#locks?.query()) ?? {}
    const names = held.map(({ name }) => name).filter((name) => name.startsWith(lockName("")))
    return new Set(names.map((name) => name.slice(lockName("").length)).filter((name) => name !== this.name))
  }

  async #claim(store) {
    const previous = store.get(TAB_NAME)
    const name = previous && (await this.#hold(previous)) ? previous : newKey()
    store.set(TAB_NAME, name)
    if (name !== previous) await this.#hold(name)
    this.name = name
  }

  // Resolves to true once this page holds the lock, which it then does for good; to false while another tab has it, such as
  // the tab that this one was duplicated from.
  async #hold(name) {
    if (!this.#locks) return true
    return new Promise((resolve) => {
      const onGranted = () => {
        resolve(true)
        return new Promise(() => {})
      }
      this.#locks
        .request(lockName(name), { signal: AbortSignal.timeout(LOCK_TIMEOUT) }, onGranted)
        .catch(() => resolve(false))
    })
  }
}

let thisTab = null

/** Returns the tab of this page. */
export const currentTab = () => {
  thisTab ??= new Tab()
  return thisTab
}
