// Opens and closes the sidebar. In a narrow window it is a drawer over the page.

import { find } from "../ui/dom.js"

const COOKIE_MAX_AGE = 365 * 24 * 3600 // seconds

export class Drawer {
  #sidebar
  #main
  #narrow = matchMedia("(max-width: 55rem)")
  #isDrawerOpen = false // in a narrow window
  #isClosed = document.body.classList.contains("sidebar-closed") // in a wide one

  constructor(sidebar, main) {
    this.#sidebar = sidebar
    this.#main = main
    find("drawer-open").addEventListener("click", () => this.open())
    find("drawer-close").addEventListener("click", () => this.#setOpen(false))
    find("backdrop").addEventListener("click", () => this.close())
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#isDrawerOpen || document.querySelector(":popover-open, dialog[open]")) return
      event.preventDefault()
      this.close()
    })
    this.#narrow.addEventListener("change", () => {
      this.#isDrawerOpen = false
      this.#show()
    })
    this.#show()
  }

  get isOpen() {
    return this.#narrow.matches ? this.#isDrawerOpen : !this.#isClosed
  }

  open() {
    if (!this.isOpen) this.#setOpen(true)
  }

  /** Closes the drawer. A sidebar beside the page stays. */
  close() {
    if (this.#isDrawerOpen) this.#setOpen(false)
  }

  toggle() {
    this.#setOpen(!this.isOpen)
  }

  #setOpen(isOpen) {
    if (this.#narrow.matches) this.#isDrawerOpen = isOpen
    else this.#isClosed = !isOpen
    if (!this.#narrow.matches) saveCookie(isOpen)
    this.#show()
    find(isOpen ? "drawer-close" : "drawer-open").focus()
  }

  // What is covered or hidden cannot be focused.
  #show() {
    document.body.classList.toggle("drawer-open", this.#isDrawerOpen)
    document.body.classList.toggle("sidebar-closed", this.#isClosed)
    this.#sidebar.inert = !this.isOpen
    this.#main.inert = this.#isDrawerOpen
    find("drawer-open").setAttribute("aria-expanded", this.isOpen)
  }
}

// The server renders the next page with the sidebar as it was left.
const saveCookie = (isOpen) => {
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API
  document.cookie = `sidebar=${isOpen ? "open" : "closed"}; path=/; max-age=${COOKIE_MAX_AGE}; samesite=lax`
}
