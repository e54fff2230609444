import { newKey } from "./api.js"

/** Calls that are repeated with the same idempotency key until it is known whether the server has done them. */
export class IdempotentCalls {
  #keys = new Map() // by name, of calls without a response

  /** Runs `call(key)`. `name` tells the same call from another one. */
  async run(name, call) {
    const key = this.#keys.get(name) ?? newKey()
    this.#keys.set(name, key)
    try {
      const result = await call(key)
      this.#keys.delete(name)
      return result
    } catch (error) {
      if (error.isRefusal) this.#keys.delete(name)
      throw error
    }
  }
}
