// Measures by which factor the time of a function grows with its input, as tests/growth/growth.py does for Python.

export const MAX_FACTOR = 9 // between 4, for linear, and 16, for quadratic
const NEGLIGIBLE = 40 // ms
const ATTEMPTS = 4 // other programs can only make a measurement slower, never faster

/** CPU time of this process, in ms: other programs on the machine do not count. */
const cpuTime = (work) => {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

/** Returns by which factor the time grows if `make(length)` is four times as long; 0 if it stays negligible. */
export const growth = (work, make, length, negligible = NEGLIGIBLE) => {
  const [short, long] = [make(length), make(4 * length)]
  let factor = 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const longTime = cpuTime(() => work(long))
    if (longTime < negligible) return 0
    factor =
      longTime /
      Math.max(
        cpuTime(() => work(short)),
        0.1,
      )
    if (factor < MAX_FACTOR) return 0
  }
  return factor
}

export const repeated = (unit) => (length) => unit.repeat(Math.ceil(length / unit.length))
