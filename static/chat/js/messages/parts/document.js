import { strings } from "../../i18n/strings.js"
import { cloneTemplate, find, setText } from "../../ui/dom.js"

export const sentDocument = ({ name, text }) => {
  const item = cloneTemplate("sent-document-template")
  setText(find("name", item), name)
  setText(find("size", item), strings.characters(text.length))
  return item
}

export const readonlyDocument = ({ name, text }, { isForPrint }) => {
  const element = cloneTemplate("document-template")
  setText(find("name", element), name)
  setText(find("text", element), text)
  element.open = isForPrint
  return element
}
