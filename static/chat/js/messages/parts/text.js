import { setLanguage } from "../../i18n/detect_language.js"
import { MarkdownView } from "../../markdown/markdown_view.js"
import { cloneTemplate, setText } from "../../ui/dom.js"

const newElement = () => {
  const element = document.createElement("div")
  element.className = "prose"
  element.dataset.part = "text"
  return element
}

export class TextView {
  type = "text"
  element = newElement()
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

export const readonlyText = ({ text }, { role }) => {
  const isQuestion = role === "user"
  const element = isQuestion ? cloneTemplate("user-text-template") : newElement()
  element.dataset.part = "text"
  setLanguage(element, text)
  if (isQuestion) setText(element, text)
  else new MarkdownView(element).show(text, { done: true })
  return element
}
