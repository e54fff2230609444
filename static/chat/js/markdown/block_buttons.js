// The buttons of code blocks, diagrams and tables. block_actions.js has what they do.

import { icon } from "../ui/dom.js"

/** Returns a button for an action of block_actions.js. Shows its icon, and its label as a tooltip. */
export const newButton = (action, label, iconName) => {
  const button = newLabelledButton(action, label, iconName)
  button.title = label
  button.lastChild.className = "visually-hidden"
  return button
}

/** The same with its label in sight. */
export const newLabelledButton = (action, label, iconName) => {
  const button = document.createElement("button")
  button.type = "button"
  button.className = "block-button"
  button.dataset.blockAction = action
  const text = document.createElement("span")
  text.textContent = label
  button.append(icon(iconName), text)
  return button
}

/** A button that writes to the clipboard, and is hidden where the page may not. */
export const newCopyButton = (action, label) => {
  const button = newLabelledButton(action, label, "copy")
  button.dataset.copy = action
  return button
}

/** Shows another label and icon. */
export const relabel = (button, label, iconName) => {
  button.lastChild.textContent = label
  button.querySelector("use").setAttribute("href", `#icon-${iconName}`)
}
