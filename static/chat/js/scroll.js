// Stays at the end while text grows, until the person scrolls up or selects something; then it leaves them where they are.

const NEAR = 24 // px from the end that count as being there again
const EVEN = 2 // px; zoomed windows round

export class Scroll {
  #box
  #onMove
  #isSticking = true
  #isPressed = false // a finger or a mouse button is down in the text, which must not move under it
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
    content.addEventListener("pointerdown", () => {
      this.#isPressed = true
    })
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => this.#released())
    document.addEventListener("selectionchange", () => {
      const { isCollapsed, anchorNode } = document.getSelection()
      if (!isCollapsed && content.contains(anchorNode)) this.#stick(false)
    })
    const follow = new ResizeObserver(() => this.#follow())
    follow.observe(content)
    follow.observe(box)
  }

  toEnd() {
    this.#stick(true)
    this.#follow()
  }

  // Let `act` change what is shown: the element that it gives stands then where `before` stood.
  keep(before, act) {
    const { top } = before.getBoundingClientRect()
    this.#box.style.overflowAnchor = "none" // the browser would do it once more
    const after = act()
    if (after) this.#box.scrollTop += after.getBoundingClientRect().top - top
    this.#box.style.overflowAnchor = ""
    this.#top = this.#box.scrollTop
    this.#stick(this.#left() <= NEAR)
  }

  // Show what is so far below the upper edge of the window, with some of what stands before it.
  bringTo(top) {
    this.#stick(false)
    this.#box.scrollTop += top - this.#box.getBoundingClientRect().top - this.#box.clientHeight / 4
    this.#top = this.#box.scrollTop
    this.#stick(this.#left() <= NEAR)
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
    this.#onMove(isSticking || this.#left() <= EVEN)
  }

  #released() {
    if (!this.#isPressed) return
    this.#isPressed = false
    this.#follow()
  }

  #follow() {
    if (!this.#isSticking) return this.#onMove(this.#left() <= EVEN) // what was below may have gone
    if (this.#isPressed) return
    this.#box.scrollTop = this.#box.scrollHeight
    this.#top = this.#box.scrollTop
  }
}
