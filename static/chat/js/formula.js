// A formula: its place until KaTeX is there, then set as in a book, with MathML for those who hear it.
//
// KaTeX makes its elements one by one and sets their styles by script, so the page's policy needs no exception, and the look
// hangs on no font of the machine. What may reach out of a formula (links, pictures, classes) stays off.

import { copyOf } from "./dom.js";
import { scrollable } from "./scrollable.js";
import { soon } from "./soon.js";

const LONGEST = 4_000 // characters
const LIMITS = { trust: false, maxSize: 20, maxExpand: 500, strict: "ignore", throwOnError: true }

export class Formula {
  #element
  #told = {}

  constructor(element) {
    this.#element = element
  }

  show(told) {
    if (told.text === this.#told.text && told.isDisplayed === this.#told.isDisplayed) return
    this.#told = told
    this.#element.className = told.isDisplayed ? "math math--displayed" : "math"
    this.#element.textContent = told.text
    if (told.text.length > LONGEST) return
    this.#comes(!library)
    whenLoaded((katex) => soon(() => told === this.#told && this.#set(katex)), () => this.#comes(false))
  }

  // Until it can be set, its place is kept, and nobody sees its marks.
  #comes(isComing) {
    this.#element.classList.toggle("math--coming", isComing)
  }

  #set(katex) {
    const { text, raw, isDisplayed } = this.#told
    this.#comes(false)
    try {
      const box = document.createElement("span")
      katex.render(text, box, { ...LIMITS, displayMode: isDisplayed })
      this.#element.replaceChildren(...box.childNodes)
      if (isDisplayed) scrollable(this.#element, this.#element.firstChild)
    } catch {
      this.#element.textContent = raw.trim()
      this.#element.classList.add("math--failed")
    }
  }
}

let library = null
let loading = null

const whenLoaded = (then, otherwise) => {
  if (library) return then(library)
  loading ??= Promise.all([import("../../vendor/katex.js"), styles()]).then(([module]) => {
    library = module.default
  })
  loading.then(() => then(library), () => {
    loading = null // the network failed; the next formula tries again
    otherwise()
  })
}

const styles = () =>
  new Promise((resolve, reject) => {
    if (!document.getElementById("formula-styles")) return resolve()
    const link = copyOf("formula-styles")
    link.addEventListener("load", resolve)
    link.addEventListener("error", reject)
    document.head.append(link)
  })
