// Copies messages with their headings, lists and tables, so that a word processor gets them as such.

import { writeRich } from "../ui/copy_feedback.js"
import { LazyLibrary } from "../ui/lazy_library.js"

const richText = new LazyLibrary(() => import("../markdown/rich_text.js"))

/** Resolves to the HTML of what a message says. */
export const htmlOfMessage = async (element) => {
  const { htmlOf } = await richText.load()
  return htmlOf(element.querySelectorAll("[data-part=text]"))
}

/** Copies selections in the messages of this element as text and clean HTML. */
export const listenForCopies = (element) =>
  element.addEventListener("copy", (event) => {
    const selection = getSelection()
    if (!navigator.clipboard || selection.isCollapsed || event.target.closest?.("textarea, input")) return
    if (richText.value) {
      const { text, html } = richText.value.selectionAsRichText(selection)
      event.clipboardData.setData("text/plain", text)
      event.clipboardData.setData("text/html", html)
    } else {
      richText.use(({ selectionAsRichText }) => writeRich(selectionAsRichText(selection)))
    }
    event.preventDefault()
  })
