// Keeps the end in view while text grows, until the user scrolls up or selects something.

const END_DISTANCE = 24 // px; closer to the end than this, growing text is followed again
const ROUNDING = 2 // px, of zoomed windows

export class AutoScroll {
  #box
  #onMove
  #isFollowing = true
  #isPressed = false // a finger or a mouse button is down on the text, which must not move then
  #top = 0

  /** Calls `onMove(isAtEnd)` when a button that leads to the end gets useful or useless. */
  constructor(box, content, onMove) {
    this.#box = box
    this.#onMove = onMove
    box.addEventListener("scroll", () => this.#onScroll(), { passive: true })
    // The first pixels of a turned wheel cannot be told from growth.
    box.addEventListener(
      "wheel",
      ({ deltaY }) => {
        if (deltaY < 0 && box.scrollTop > 0) this.#setFollowing(false)
      },
      { passive: true },
    )
    content.addEventListener("pointerdown", () => {
      this.#isPressed = true
    })
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => this.#onRelease())
    document.addEventListener("selectionchange", () => {
      const { isCollapsed, anchorNode } = document.getSelection()
      if (!isCollapsed && content.contains(anchorNode)) this.#setFollowing(false)
    })
    const observer = new ResizeObserver(() => this.#follow())
    observer.observe(content)
    observer.observe(box)
  }

  toEnd() {
    this.#setFollowing(true)
    this.#follow()
  }

  /** Runs `change`, and scrolls so that the element it returns stands where `before` stood. */
  keepPosition(before, change) {
    const { top } = before.getBoundingClientRect()
    this.#box.style.overflowAnchor = "none" // or the browser would correct the position too
    const after = change()
    if (after) this.#box.scrollTop += after.getBoundingClientRect().top - top
    this.#box.style.overflowAnchor = ""
    this.#top = this.#box.scrollTop
    this.#setFollowing(this.#distanceToEnd() <= END_DISTANCE)
  }

  /** Scrolls to what is `top` px below the upper edge of the window, with some of the text before it. */
  scrollTo(top) {
    this.#setFollowing(false)
    this.#box.scrollTop += top - this.#box.getBoundingClientRect().top - this.#box.clientHeight / 4
    this.#top = this.#box.scrollTop
    this.#setFollowing(this.#distanceToEnd() <= END_DISTANCE)
  }

  #distanceToEnd() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop
  }

  // Moving up with something left below is the user's doing; when text shrinks, nothing is left below.
  #onScroll() {
    const { scrollTop } = this.#box
    const distance = this.#distanceToEnd()
    if (scrollTop < this.#top && distance > ROUNDING) this.#setFollowing(false)
    else if (distance <= END_DISTANCE) this.#setFollowing(true)
    this.#top = scrollTop
  }

  #setFollowing(isFollowing) {
    if (isFollowing === this.#isFollowing) return
    this.#isFollowing = isFollowing
    this.#onMove(isFollowing || this.#distanceToEnd() <= ROUNDING)
  }

  #onRelease() {
    if (!this.#isPressed) return
    this.#isPressed = false
    this.#follow()
  }

  #follow() {
    if (!this.#isFollowing) return this.#onMove(this.#distanceToEnd() <= ROUNDING) // the text below may have gone
    if (this.#isPressed) return
    this.#box.scrollTop = this.#box.scrollHeight
    this.#top = this.#box.scrollTop
  }
}
