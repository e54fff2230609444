// The server's time, as its answers tell it: a person's own clock may be minutes off.

const ROUGH = 2000 // ms; a smaller difference is the header's rounding and the way here

let ahead = 0

// `date` is the Date header of an answer that has just come.
export const hear = (date, here = Date.now()) => {
  const difference = Date.parse(date) - here
  if (!Number.isNaN(difference)) ahead = Math.abs(difference) > ROUGH ? difference : 0
}

// Milliseconds since 1970.
export const now = () => Date.now() + ahead
