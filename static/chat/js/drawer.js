// The sidebar stands beside the page, or is put away; on a narrow window it is a drawer over the page.

import { find } from "./dom.js";

const KEPT = 365 * 24 * 3600 // seconds

export class Drawer {
  #sidebar
  #main
  #narrow = matchMedia("(max-width: 55rem)")
  #isDrawn = false // over a narrow window
  #isAway = document.body.classList.contains("sidebar-closed") // on a wide one

  constructor(sidebar, main) {
    this.#sidebar = sidebar
    this.#main = main
    find("drawer-open").addEventListener("click", () => this.open())
    find("drawer-close").addEventListener("click", () => this.#set(false))
    find("backdrop").addEventListener("click", () => this.close())
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#isDrawn || document.querySelector(":popover-open, dialog[open]")) return
      event.preventDefault()
      this.close()
    })
    this.#narrow.addEventListener("change", () => {
      this.#isDrawn = false
      this.#show()
    })
    this.#show()
  }

  get isOpen() {
    return this.#narrow.matches ? this.#isDrawn : !this.#isAway
  }

  open() {
    if (!this.isOpen) this.#set(true)
  }

  // Leaves a list that stands beside the page as it is.
  close() {
    if (this.#isDrawn) this.#set(false)
  }

  toggle() {
    this.#set(!this.isOpen)
  }

  #set(isOpen) {
    if (this.#narrow.matches) this.#isDrawn = isOpen
    else this.#isAway = !isOpen
    if (!this.#narrow.matches) keep(isOpen)
    this.#show()
    find(isOpen ? "drawer-close" : "drawer-open").focus()
  }

  // What lies behind or beside the window takes no focus.
  #show() {
    document.body.classList.toggle("drawer-open", this.#isDrawn)
    document.body.classList.toggle("sidebar-closed", this.#isAway)
    this.#sidebar.inert = !this.isOpen
    this.#main.inert = this.#isDrawn
    find("drawer-open").setAttribute("aria-expanded", this.isOpen)
  }
}

// For the server, which makes the next page as this one was left.
const keep = (isOpen) => {
  document.cookie = `sidebar=${isOpen ? "open" : "closed"}; path=/; max-age=${KEPT}; samesite=lax`
}
