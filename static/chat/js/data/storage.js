// JSON in the browser's storages. A storage that is missing, forbidden or full costs what it would have kept, and nothing
// else.

const open = (name) => {
  try {
    return globalThis[name] ?? null
  } catch {
    return null
  }
}

export const localStore = open("localStorage")
export const tabStore = open("sessionStorage")

export class JsonStore {
  #storage
  #prefix

  constructor(storage, prefix = "") {
    this.#storage = storage
    this.#prefix = prefix
  }

  /** Returns the value, or null if there is none that can be read. */
  get(key) {
    try {
      return JSON.parse(this.#storage.getItem(this.#prefix + key))
    } catch {
      return null
    }
  }

  set(key, value) {
    try {
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value))
    } catch {
      // full or forbidden
    }
  }

  delete(key) {
    try {
      this.#storage.removeItem(this.#prefix + key)
    } catch {
      // forbidden
    }
  }

  /** Returns the keys, without the prefix. */
  keys() {
    try {
      const names = Object.keys(this.#storage).filter((name) => name.startsWith(this.#prefix))
      return names.map((name) => name.slice(this.#prefix.length))
    } catch {
      return []
    }
  }
}
