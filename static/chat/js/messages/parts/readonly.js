// How each kind of part is drawn on a page that is only read; data/parts.js defines the kinds.

import { setLanguage } from "../../i18n/detect_language.js"
import { strings } from "../../i18n/strings.js"
import { MarkdownView } from "../../markdown/markdown_view.js"
import { cloneTemplate, find, setText } from "../../ui/dom.js"
import { Fold } from "../fold.js"
import { fillFile } from "./file.js"
import { newText } from "./text.js"
import { showTypedText } from "./typed_text.js"

const text = (part, { role, isForPrint }) => (role === "user" ? typedText(part, isForPrint) : markdown(part))

const markdown = (part) => {
  const element = newText()
  setLanguage(element, part.text)
  new MarkdownView(element).show(part.text, { done: true })
  return element
}

const typedText = (part, isForPrint) => {
  const element = cloneTemplate("user-text-template")
  const [box, content, button] = ["bubble", "text", "fold"].map((name) => find(name, element))
  setLanguage(content, part.text)
  showTypedText(content, part.text)
  if (!isForPrint) new Fold({ box, content, button, key: () => content })
  return element
}

const image = ({ id, width, height }, { imageUrl }) => {
  const element = cloneTemplate("image-template")
  element.alt = strings.image
  element.width = width
  element.height = height
  element.src = imageUrl(id)
  return element
}

// Its text is not in the message. Only its owner can download it: a shared chat has no id of it.
const file = (part, { isForPrint }) => {
  const element = fillFile(cloneTemplate("file-template"), part)
  if (isForPrint && part.id) element.href = `/api/attachments/${part.id}`
  return element
}

const longText = (part, { isForPrint }) => {
  const element = cloneTemplate("document-template")
  setText(find("name", element), part.name)
  setText(find("text", element), part.text)
  element.open = isForPrint
  return element
}

const toolCall = ({ name }) => {
  const element = cloneTemplate("used-tool-template")
  setText(element, strings.usedTool(strings.tool(name)))
  return element
}

// The chat page shows these beside the answer.
const note = (sentence) => {
  const element = cloneTemplate("part-note-template")
  setText(element, sentence)
  return element
}

/** Returns an element, of `(part, { role, isForPrint, imageUrl(id) })`. Kinds that are missing here are not shown. */
export const readonlyParts = {
  text,
  image,
  file,
  document: longText,
  tool_call: toolCall,
  context_trimmed: (part) => note(strings.contextTrimmed(part)),
  images_trimmed: (part) => note(strings.imagesTrimmed(part)),
  file_trimmed: (part) => note(strings.fileTrimmed(part)),
  copied: (part) => note(strings.copiedUpTo(part)),
}
