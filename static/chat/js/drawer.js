// On a narrow window the sidebar is a drawer over the page; on a wide one it simply stands there.

import { find } from "./dom.js";

export class Drawer {
  #sidebar
  #main
  #narrow = matchMedia("(max-width: 55rem)")
  #isOpen = false

  constructor(sidebar, main) {
    this.#sidebar = sidebar
    this.#main = main
    find("drawer-open").addEventListener("click", () => this.#set(true))
    find("drawer-close").addEventListener("click", () => this.close())
    find("backdrop").addEventListener("click", () => this.close())
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && !document.querySelector(":popover-open, dialog[open]")) this.close()
    })
    this.#narrow.addEventListener("change", () => this.#set(false))
    this.#set(false)
  }

  close() {
    if (!this.#isOpen) return
    this.#set(false)
    find("drawer-open").focus()
  }

  // What lies behind or beside the window takes no focus.
  #set(isOpen) {
    this.#isOpen = isOpen && this.#narrow.matches
    document.body.classList.toggle("drawer-open", this.#isOpen)
    this.#sidebar.inert = this.#narrow.matches && !this.#isOpen
    this.#main.inert = this.#isOpen
    find("drawer-open").setAttribute("aria-expanded", this.#isOpen)
    if (this.#isOpen) find("drawer-close").focus()
  }
}
