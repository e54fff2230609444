import { setLanguage } from "../../i18n/detect_language.js"
import { MarkdownView } from "../../markdown/markdown_view.js"

export const newText = () => {
  const element = document.createElement("div")
  element.className = "prose"
  element.dataset.part = "text"
  return element
}

export class TextView {
  type = "text"
  element = newText()
  #markdown = new MarkdownView(this.element)

  constructor(container) {
    container.append(this.element)
  }

  /** `done`: the text does not grow any more. */
  show({ text }, { done }) {
    setLanguage(this.element, text)
    this.#markdown.show(text, { done })
  }

  get length() {
    return this.#markdown.length
  }

  get shownLength() {
    return this.#markdown.shownLength
  }
}
