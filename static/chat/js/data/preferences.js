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

  /** Changes some or all values, and calls every listener with (values, before) if one of them differs. */
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
