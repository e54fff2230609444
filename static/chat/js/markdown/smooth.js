// How much of a streamed text is shown at which time, so that bursts are spread over several frames. Uses no DOM and no clock:
// times are arguments, in milliseconds.
//
// Each piece is due some time after it arrived. The text is shown at the lowest constant speed at which no piece is late, which
// is as smooth as the lag allows. The lag adapts to the stream: an even one needs almost none.

const MAX_LAG = 240 // ms; with a late frame it is still below 300
const MIN_LAG = 32 // ms; two frames
const LAG_HALF_LIFE = 500 // ms of an even stream, after which half of the lag is forgotten
const MAX_BACKLOG = 2_000 // characters; more than this, as after a reload, is shown at once: nobody reads along
const REDUCED_MOTION_INTERVAL = 250 // ms between steps, for people who prefer little motion

export class SmoothReveal {
  #prefersReducedMotion
  #shown = 0
  #pieces = [] // { length, due } in order: the text up to this length is due then
  #lastArrival = null
  #lastFrame = null
  #lag = MIN_LAG

  constructor(prefersReducedMotion = () => false) {
    this.#prefersReducedMotion = prefersReducedMotion
  }

  get isBehind() {
    return this.#pieces.length > 0
  }

  /** The text has grown to this length. */
  growTo(length, now) {
    const known = this.#pieces.at(-1)?.length ?? this.#shown
    if (length < known) return this.jumpTo(length)
    if (length === known) return
    const gap = this.#lastArrival === null ? 0 : now - this.#lastArrival
    this.#lag = Math.min(MAX_LAG, Math.max(MIN_LAG, 1.5 * gap, this.#lag * 0.5 ** (gap / LAG_HALF_LIFE)))
    this.#lastArrival = now
    if (!this.#pieces.length) this.#lastFrame = now
    this.#pieces.push({ length, due: now + this.#lag })
  }

  /** Shows all of a text of this length. */
  jumpTo(length) {
    this.#shown = length
    this.#pieces = []
  }

  /** Returns the length to show in the frame at this time. */
  lengthAt(now) {
    if (!this.#pieces.length) return this.#shown
    const { length } = this.#pieces.at(-1)
    if (length - this.#shown > MAX_BACKLOG) this.jumpTo(length)
    else if (this.#prefersReducedMotion()) this.#step(length, now)
    else this.#flow(now)
    return Math.floor(this.#shown)
  }

  #step(length, now) {
    if (now - this.#lastFrame >= REDUCED_MOTION_INTERVAL) this.jumpTo(length)
  }

  #flow(now) {
    const since = this.#lastFrame
    let speed = 0
    for (const { length, due } of this.#pieces) {
      speed = Math.max(speed, (length - this.#shown) / Math.max(1, due - since))
    }
    this.#shown = Math.min(this.#pieces.at(-1).length, this.#shown + speed * Math.max(0, now - since))
    this.#lastFrame = now
    while (this.#pieces.length && (this.#pieces[0].length <= this.#shown || this.#pieces[0].due <= now)) {
      this.#shown = Math.max(this.#shown, this.#pieces.shift().length)
    }
  }
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** Returns the beginning of a text up to about this length, without cutting a letter or an emoji in two. */
export const prefixOf = (text, length) => {
  if (length >= text.length) return text
  const from = Math.max(0, length - 32)
  const { index } = graphemes.segment(text.slice(from, length + 32)).containing(length - from)
  return text.slice(0, from + index)
}
