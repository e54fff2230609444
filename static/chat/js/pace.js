// How much of an arriving text is shown at which moment, so that bursts flow. Knows no DOM and no clock: times are given,
// in milliseconds.
//
// Each piece is due some time after it came. What is shown grows with the smallest even speed that lets no piece be late;
// that is as smooth as the lag allows. The lag follows the stream: one that flows evenly needs next to none.

const MOST = 240 // of lag; with a late frame it is still below 300
const LEAST = 32 // two frames
const LEAP = 2_000 // characters at once, as after a reload: nobody reads along there
const CALM = 250 // between steps, for people who want little to move
const HALF = 500 // of the lag is forgotten after this time of evenness

export class Pace {
  #isCalm
  #shown = 0
  #came = [] // { length, due } in order: up to this length until then
  #last = null // when something came
  #now = null // of the frame before
  #lag = LEAST

  // `isCalm()` tells whether this person asked for reduced motion.
  constructor(isCalm = () => false) {
    this.#isCalm = isCalm
  }

  get isBehind() {
    return this.#came.length > 0
  }

  // The text has this length now.
  come(length, now) {
    const known = this.#came.at(-1)?.length ?? this.#shown
    if (length < known) return this.leap(length)
    if (length === known) return
    const gap = this.#last === null ? 0 : now - this.#last
    this.#lag = Math.min(MOST, Math.max(LEAST, 1.5 * gap, this.#lag * 0.5 ** (gap / HALF)))
    this.#last = now
    if (!this.#came.length) this.#now = now
    this.#came.push({ length, due: now + this.#lag })
  }

  // All of it is shown.
  leap(length) {
    this.#shown = length
    this.#came = []
  }

  // The length to show in the frame of this moment.
  at(now) {
    if (!this.#came.length) return this.#shown
    const end = this.#came.at(-1)
    if (end.length - this.#shown > LEAP) this.leap(end.length)
    else if (this.#isCalm()) this.#step(end, now)
    else this.#flow(now)
    return Math.floor(this.#shown)
  }

  #step(end, now) {
    if (now - this.#now >= CALM) this.leap(end.length)
  }

  #flow(now) {
    const since = this.#now
    let speed = 0
    for (const { length, due } of this.#came) speed = Math.max(speed, (length - this.#shown) / Math.max(1, due - since))
    this.#shown = Math.min(this.#came.at(-1).length, this.#shown + speed * Math.max(0, now - since))
    this.#now = now
    while (this.#came.length && (this.#came[0].length <= this.#shown || this.#came[0].due <= now)) {
      this.#shown = Math.max(this.#shown, this.#came.shift().length)
    }
  }
}

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" })

// The beginning of a text up to about this length, without cutting a letter or an emoji in two.
export const upTo = (text, length) => {
  if (length >= text.length) return text
  const from = Math.max(0, length - 32)
  const { index } = letters.segment(text.slice(from, length + 32)).containing(length - from)
  return text.slice(0, from + index)
}
