// A browser's storages and locks, as the page's scripts use them.

// Like localStorage: names are properties, methods are not enumerated. It is full with values longer than `limit`.
export const storage = (limit = Infinity) =>
  Object.defineProperties(
    {},
    {
      getItem: {
        value(name) {
          return this[name] ?? null
        },
      },
      setItem: {
        value(name, value) {
          if (value.length > limit) throw new Error("full")
          this[name] = value
        },
      },
      removeItem: {
        value(name) {
          delete this[name]
        },
      },
    },
  )

// Like navigator.locks; a lock is held until the test removes it from `held`.
export const lockManager = () => {
  const held = new Set()
  return {
    held,
    async request(name, { signal }, callback) {
      if (held.has(name))
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      held.add(name)
      callback()
    },
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
  }
}
