/**
 * The user's preferences, as far as this page knows them. The settings dialog changes them on the server; other tabs report
 * their changes.
 */
export class Preferences {
  #values
  #listeners = []

  constructor(values) {
    this.#values = values
  }

  get values() {
    return this.#values
  }

  /** Takes some or all values and calls `listener(values, before)` of everybody if one of them changed. */
  set(changes) {
    const before = this.#values
    if (Object.keys(changes).every((name) => changes[name] === before[name])) return
    this.#values = { ...before, ...changes }
    for (const listener of this.#listeners) listener(this.#values, before)
  }

  onChange(listener) {
    this.#listeners.push(listener)
  }
}
