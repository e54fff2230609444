import { strings } from "../i18n/strings.js"
import { setText } from "./dom.js"

const FEEDBACK_DURATION = 1_500 // ms

/** Copies a text, and shows on the button's label for a moment that it was copied. */
export const copyWithFeedback = async (text, button, label = button) => {
  await navigator.clipboard.writeText(text)
  setText(label, strings.copied)
  button.classList.add("is-copied")
  setTimeout(() => {
    setText(label, strings.copy)
    button.classList.remove("is-copied")
  }, FEEDBACK_DURATION)
}
