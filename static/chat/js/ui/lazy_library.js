const MAX_FAILURES = 3 // in a row, after which the user is told

/** A library that is loaded when it is first needed. `load()` resolves to it. After a failure the next use tries again. */
export class LazyLibrary {
  value = null // the library, once it is loaded
  #load
  #retryDelay
  #loading = null
  #failures = 0 // in a row

  constructor(load, { retryDelay = 0 } = {}) {
    this.#load = load
    this.#retryDelay = retryDelay // ms
  }

  /** Whether it failed to load several times. A browser may then not request it again before the page is reloaded. */
  get isUnavailable() {
    return this.#failures >= MAX_FAILURES
  }

  /** Resolves once it is loaded; rejects if that failed. */
  load() {
    this.#loading ??= this.#load().then(
      (library) => {
        this.value = library
        this.#failures = 0
        return library
      },
      (error) => {
        this.#failures += 1
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

  /** While the server cannot be reached, failures say nothing about the library. */
  forgetFailures() {
    this.#failures = 0
  }
}
