/** A library that is loaded when it is first needed. `load()` resolves to it. After a failure the next use tries again. */
export class LazyLibrary {
  value = null // the library, once it is loaded
  #load
  #retryDelay
  #loading = null

  constructor(load, { retryDelay = 0 } = {}) {
    this.#load = load
    this.#retryDelay = retryDelay // ms
  }

  /** Resolves once it is loaded; rejects if that failed. */
  load() {
    this.#loading ??= this.#load().then(
      (library) => {
        this.value = library
        return library
      },
      (error) => {
        setTimeout(() => this.reset(), this.#retryDelay)
        throw error
      },
    )
    return this.#loading
  }

  /** Calls `use(library)`, at once if it is loaded, or `onFailure()`. */
  use(use, onFailure = () => {}) {
    if (this.value) use(this.value)
    else this.load().then(use, onFailure)
  }

  /** Forgets the library, so that the next use loads it again. */
  reset() {
    this.#loading = null
    this.value = null
  }
}
