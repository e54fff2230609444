const MIN_PAUSE = 8 // ms; a shorter pause is not worth a timer

/**
 * Draws at most once per frame, and after an expensive frame pauses for twice the time it took, so that the page stays
 * responsive.
 */
export class DrawLoop {
  #draw
  #isScheduled = false
  #pause = 0 // ms

  constructor(draw) {
    this.#draw = draw
  }

  /** Whether something is not drawn yet. */
  get isScheduled() {
    return this.#isScheduled
  }

  /** Draws in the next frame. */
  scheduleDraw() {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const drawAtNextFrame = () => requestAnimationFrame(() => this.drawNow())
    if (this.#pause > MIN_PAUSE) setTimeout(drawAtNextFrame, this.#pause)
    else drawAtNextFrame()
  }

  /** Draws at once. */
  drawNow() {
    this.#isScheduled = false
    const start = performance.now()
    this.#draw()
    this.#pause = 2 * (performance.now() - start)
  }
}
