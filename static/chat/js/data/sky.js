// What the sky looks like at a moment: the height of the sun, or the phase of the moon. No DOM.

const SUNRISE = 6 // o'clock; an average day, since a page does not know where it is
const SUNSET = 18.5
const NEW_MOON = Date.UTC(2000, 0, 6, 18, 14)
const LUNATION = 29.530588853 * 24 * 3600 * 1000 // ms from one new moon to the next, on average

const hourOf = (date) => date.getHours() + date.getMinutes() / 60

/** Returns "morning", "afternoon", "evening" or "night", by the local time. */
export const partOfDay = (date) => {
  const hour = date.getHours()
  if (hour < 5 || hour >= 23) return "night"
  if (hour < 11) return "morning"
  return hour < 18 ? "afternoon" : "evening"
}

/** Returns how much of the day has passed, from 0 at sunrise to 1 at sunset; null at night. */
export const sunAt = (date) => {
  const passed = (hourOf(date) - SUNRISE) / (SUNSET - SUNRISE)
  return passed >= 0 && passed <= 1 ? passed : null
}

/** Returns the phase of the moon: 0 is new, 0.25 the first quarter, 0.5 full. Half a day off at most. */
export const moonAt = (date) => {
  const lunations = (date.getTime() - NEW_MOON) / LUNATION
  return lunations - Math.floor(lunations)
}

/** Returns the SVG path of the moon's bright part, as in the north: it grows from the right. */
export const moonPath = (phase, { x, y, radius }) => {
  const isWaxing = phase < 0.5
  const isCrescent = phase < 0.25 || phase > 0.75
  const limb = isWaxing ? 1 : 0 // clockwise, so along the right
  const terminator = isWaxing === isCrescent ? 0 : 1
  const width = Math.abs(radius * Math.cos(2 * Math.PI * phase)).toFixed(2)
  const [top, bottom] = [`${x} ${y - radius}`, `${x} ${y + radius}`]
  return `M${top}A${radius} ${radius} 0 0 ${limb} ${bottom}A${width} ${radius} 0 0 ${terminator} ${top}Z`
}
