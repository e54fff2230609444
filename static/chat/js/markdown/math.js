// A formula: a placeholder until KaTeX is loaded, then typeset, with MathML for screen readers.
//
// KaTeX creates its elements and sets their styles by script, so the Content Security Policy needs no exception, and the look
// depends on no font of the device. Commands that could affect anything outside of a formula (links, images, classes) are off.

import { LazyLibrary } from "../ui/lazy_library.js"
import { loadStylesheet } from "../ui/stylesheet.js"
import { runSoon } from "./frame_budget.js"
import { makeScrollable } from "./scrollable.js"

const MAX_LENGTH = 4_000 // characters; a longer formula shows its TeX
const KATEX_OPTIONS = { trust: false, maxSize: 20, strict: "ignore", throwOnError: true }
const MAX_EXPANSIONS = 500 // of KaTeX's own macros, most of which expand to a few characters
const MAX_EXPANDED_LENGTH = 10_000 // characters that the macros defined in a formula may expand to
const DEFINITION = /\\(?:[egx]?def|newcommand|renewcommand|providecommand|let|futurelet)(?![a-z])/i

/** The options for a formula. A macro that it defines can be as long as the formula, and each use costs that many characters. */
export const katexOptions = (text) => {
  const limit = DEFINITION.test(text) ? Math.floor(MAX_EXPANDED_LENGTH / text.length) : MAX_EXPANSIONS
  return { ...KATEX_OPTIONS, maxExpand: Math.min(limit, MAX_EXPANSIONS) }
}

const katexLibrary = new LazyLibrary(async () => {
  const [module] = await Promise.all([import("../../../vendor/katex.js"), loadStylesheet("katex-styles")])
  return module.default
})

// Chemical formulas such as \\ce{H2O} and units such as \\pu{5 km/h} need an extension of KaTeX.
const MAX_CHEMISTRY_LENGTH = 1_000 // characters; 4,000 take a second
const CHEMISTRY = /\\(?:ce|pu)(?![a-zA-Z])/

const chemistryLibrary = new LazyLibrary(async () => {
  const katex = await katexLibrary.load()
  await import("../../../vendor/mhchem.js")
  return katex
})

export class Formula {
  #element
  #props = {}

  constructor(element) {
    this.#element = element
  }

  /** `text` is the TeX, `raw` the same with its delimiters, `isDisplayed` says that it stands on a line of its own. */
  show(props) {
    if (props.text === this.#props.text && props.isDisplayed === this.#props.isDisplayed) return
    this.#props = props
    this.#element.className = props.isDisplayed ? "math math--displayed" : "math"
    this.#element.textContent = props.text
    const isChemical = CHEMISTRY.test(props.text)
    if (props.text.length > (isChemical ? MAX_CHEMISTRY_LENGTH : MAX_LENGTH)) return
    const library = isChemical ? chemistryLibrary : katexLibrary
    this.#setLoading(!library.value)
    library.use(
      (katex) => runSoon(() => props === this.#props && this.#render(katex)),
      () => this.#setLoading(false),
    )
  }

  // Keeps the formula's place and hides its TeX.
  #setLoading(isLoading) {
    this.#element.classList.toggle("math--loading", isLoading)
  }

  #render(katex) {
    const { text, raw, isDisplayed } = this.#props
    this.#setLoading(false)
    try {
      const box = document.createElement("span")
      katex.render(text, box, { ...katexOptions(text), displayMode: isDisplayed })
      this.#element.replaceChildren(...box.childNodes)
      if (isDisplayed) makeScrollable(this.#element, this.#element.firstChild)
    } catch {
      this.#element.textContent = raw.trim()
      this.#element.classList.add("math--failed")
    }
  }
}
