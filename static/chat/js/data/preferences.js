/**
 * The user's preferences, as this page knows them. The settings dialog changes them on the server; the user's tabs tell each
 * other of changes.
 */
export class Preferences {
  #values
  #otherTabs
  #listeners = []

  /** `otherTabs`: a BroadcastChannel between the pages of this user. */
  constructor(values, otherTabs) {
    this.#values = values
    this.#otherTabs = otherTabs
    // A change from another tab is not sent back to it, where it could undo a later one.
    otherTabs.onmessage = ({ data }) => this.#change(data)
  }

  get values() {
    return this.#values
  }

  /** Changes some or all values. If one of them differs, tells the other tabs and every listener. */
  set(changes) {
    if (this.#change(changes)) this.#otherTabs.postMessage(this.#values)
  }

  /** Calls `listener(values, before)` after a change, in this tab or in another. */
  onChange(listener) {
    this.#listeners.push(listener)
  }

  // Returns whether a value differs.
  #change(changes) {
    const before = this.#values
    if (Object.keys(changes).every((name) => changes[name] === before[name])) return false
    this.#values = { ...before, ...changes }
    for (const listener of this.#listeners) listener(this.#values, before)
    return true
  }
}
