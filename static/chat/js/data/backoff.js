const FIRST_DELAY = 500 // ms
const MAX_DELAY = 20_000 // ms

/** Returns how many ms to wait before the next attempt: twice as long each time, and half of it at random. */
export const retryDelay = (attempt, random = Math.random) =>
  Math.min(MAX_DELAY, FIRST_DELAY * 2 ** attempt) * (0.5 + random() / 2)
