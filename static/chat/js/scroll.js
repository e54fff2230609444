// Stays at the end while text grows, until the person scrolls up; then it leaves them where they read.

const NEAR = 24 // px from the end that count as being there again
const EVEN = 2 // px; zoomed windows round

export class Scroll {
  #box
  #onMove
  #isSticking = true
  #top = 0

  // onMove(isAtEnd) tells when a button that leads to the end makes sense.
  constructor(box, content, onMove) {
    this.#box = box
    this.#onMove = onMove
    box.addEventListener("scroll", () => this.#moved(), { passive: true })
    // The first pixels of a turned wheel are too few to tell from growth.
    box.addEventListener("wheel", ({ deltaY }) => {
      if (deltaY < 0 && box.scrollTop > 0) this.#stick(false)
    }, { passive: true })
    const follow = new ResizeObserver(() => this.#follow())
    follow.observe(content)
    follow.observe(box)
  }

  toEnd() {
    this.#stick(true)
    this.#follow()
  }

  #left() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop
  }

  // Only a person moves up while there is something left below; text that shrinks leaves nothing.
  #moved() {
    const { scrollTop } = this.#box
    const left = this.#left()
    if (scrollTop < this.#top && left > EVEN) this.#stick(false)
    else if (left <= NEAR) this.#stick(true)
    this.#top = scrollTop
  }

  #stick(isSticking) {
    if (isSticking === this.#isSticking) return
    this.#isSticking = isSticking
    this.#onMove(isSticking)
  }

  #follow() {
    if (!this.#isSticking) return
    this.#box.scrollTop = this.#box.scrollHeight
    this.#top = this.#box.scrollTop
  }
}
