import { strings } from "../i18n/strings.js"
import { setText } from "./dom.js"

const FEEDBACK_DURATION = 1_500 // ms

/** Copies a text, and shows on the button for a moment that it was copied. */
export const copyWithFeedback = async (text, button) => {
  await navigator.clipboard.writeText(text)
  showCopied(button)
}

/** The same for a text and its HTML, or the promise of it. A program that pastes takes the better of them. */
export const copyRichWithFeedback = async (content, button) => {
  await writeRich(content)
  showCopied(button)
}

/** Writes a text and its HTML to the clipboard; where that fails, the text alone. */
export const writeRich = async ({ text, html }) => {
  try {
    // Safari allows this only at once, so it gets a promise.
    const types = { "text/plain": blob(text, "text/plain"), "text/html": blob(html, "text/html") }
    await navigator.clipboard.write([new ClipboardItem(types)])
  } catch {
    await navigator.clipboard.writeText(text)
  }
}

const blob = async (content, type) => new Blob([await content], { type })

/** Shows on a button with an icon and a label for a moment that something was copied. */
export const showCopied = (button) => {
  if (button.classList.contains("is-copied")) return
  const label = button.querySelector("span")
  const icon = button.querySelector("use")
  const before = [label.textContent, icon.getAttribute("href")]
  const show = (text, href) => {
    setText(label, text)
    icon.setAttribute("href", href)
  }
  button.classList.add("is-copied")
  show(strings.copied, "#icon-check")
  setTimeout(() => {
    button.classList.remove("is-copied")
    show(...before)
  }, FEEDBACK_DURATION)
}
