// The server's time, taken from its responses: the clock of this device may be minutes off.

const MIN_DIFFERENCE = 2000 // ms; less is the rounding of the Date header, and the time the response took

let offset = 0

/** Sets the clock by the Date header of a response that has just arrived. */
export const setClock = (date, localTime = Date.now()) => {
  const difference = Date.parse(date) - localTime
  if (!Number.isNaN(difference)) offset = Math.abs(difference) > MIN_DIFFERENCE ? difference : 0
}

/** Returns milliseconds since 1970. */
export const now = () => Date.now() + offset
