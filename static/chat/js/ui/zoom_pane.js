// A pane in which an image is enlarged and moved: with the wheel, one or two pointers, and the keyboard.

const ZOOM_STEP = 1.25 // factor of a button or key
const MAX_SCALE = 8
const MAX_FIT_SCALE = 2 // a small image is not enlarged further to fill the pane
const PAN_STEP = 80 // px, of an arrow key

export class ZoomPane {
  #pane
  #onScale
  #image = null
  #width = 0
  #height = 0
  #scale = 1
  #left = 0
  #top = 0
  #isFitted = true
  #pointers = new Map() // id -> { x, y } in the pane

  /** Calls `onScale(scale)` when that changes. */
  constructor(pane, { onScale }) {
    this.#pane = pane
    this.#onScale = onScale
    pane.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false })
    pane.addEventListener("pointerdown", (event) => this.#onDown(event))
    pane.addEventListener("pointermove", (event) => this.#onMove(event))
    for (const type of ["pointerup", "pointercancel"])
      pane.addEventListener(type, ({ pointerId }) => this.#pointers.delete(pointerId))
    pane.addEventListener("dblclick", (event) => this.#zoomTo(this.#scale * 2, this.#placeOf(event)))
    new ResizeObserver(() => this.#isFitted && this.fit()).observe(pane)
  }

  /** Shows an image of this natural size, as a whole. */
  show(image, { width, height }) {
    this.#image = image
    this.#width = width
    this.#height = height
    image.style.minWidth = "0"
    this.#pane.replaceChildren(image)
    this.fit()
  }

  fit() {
    const { clientWidth, clientHeight } = this.#pane
    if (!this.#image || !clientWidth || !clientHeight) return
    this.#scale = this.#fitScale
    this.#isFitted = true
    this.#place(0, 0)
  }

  zoomIn() {
    this.#zoomTo(this.#scale * ZOOM_STEP, this.#center)
  }

  zoomOut() {
    this.#zoomTo(this.#scale / ZOOM_STEP, this.#center)
  }

  /** Does what a key asks for. Returns whether it was one of them. */
  press(key) {
    const act = {
      "+": () => this.zoomIn(),
      "=": () => this.zoomIn(), // the key of + without Shift
      "-": () => this.zoomOut(),
      0: () => this.fit(),
      ArrowLeft: () => this.#moveBy(PAN_STEP, 0),
      ArrowRight: () => this.#moveBy(-PAN_STEP, 0),
      ArrowUp: () => this.#moveBy(0, PAN_STEP),
      ArrowDown: () => this.#moveBy(0, -PAN_STEP),
    }[key]
    act?.()
    return Boolean(act)
  }

  get #fitScale() {
    const { clientWidth, clientHeight } = this.#pane
    return Math.min(clientWidth / this.#width, clientHeight / this.#height, MAX_FIT_SCALE)
  }

  get #center() {
    return { x: this.#pane.clientWidth / 2, y: this.#pane.clientHeight / 2 }
  }

  #placeOf({ clientX, clientY }) {
    const { left, top } = this.#pane.getBoundingClientRect()
    return { x: clientX - left, y: clientY - top }
  }

  // The point of the image that is at this place stays there.
  #zoomTo(wanted, { x, y }) {
    const scale = Math.min(Math.max(wanted, this.#fitScale / 2), Math.max(MAX_SCALE, this.#fitScale))
    const factor = scale / this.#scale
    this.#scale = scale
    this.#isFitted = false
    this.#place(x - (x - this.#left) * factor, y - (y - this.#top) * factor)
  }

  #moveBy(x, y) {
    this.#isFitted = false
    this.#place(this.#left + x, this.#top + y)
  }

  // Not farther than to the edge of the pane; an image that is smaller is centered.
  #place(left, top) {
    const size = { width: this.#width * this.#scale, height: this.#height * this.#scale }
    const within = (offset, length, room) =>
      length < room ? (room - length) / 2 : Math.min(0, Math.max(room - length, offset))
    this.#left = within(left, size.width, this.#pane.clientWidth)
    this.#top = within(top, size.height, this.#pane.clientHeight)
    // Set as a size, not as a factor, so that a vector image stays sharp.
    Object.assign(this.#image.style, {
      width: `${size.width}px`,
      height: `${size.height}px`,
      translate: `${this.#left}px ${this.#top}px`,
    })
    this.#onScale(this.#scale)
  }

  #onWheel(event) {
    event.preventDefault()
    const pixels = event.deltaMode ? event.deltaY * 40 : event.deltaY
    const speed = event.ctrlKey ? 0.01 : 0.002 // with Ctrl it is two fingers on a touchpad
    this.#zoomTo(this.#scale * Math.exp(-pixels * speed), this.#placeOf(event))
  }

  #onDown(event) {
    if (event.button) return
    this.#pane.setPointerCapture(event.pointerId)
    this.#pointers.set(event.pointerId, this.#placeOf(event))
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId)
    if (!before) return
    const now = this.#placeOf(event)
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1]
    this.#pointers.set(event.pointerId, now)
    if (!other) return this.#moveBy(now.x - before.x, now.y - before.y)
    const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }
    this.#zoomTo((this.#scale * distance(now)) / distance(before), middle)
    this.#moveBy((now.x - before.x) / 2, (now.y - before.y) / 2)
  }
}
