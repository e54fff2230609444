// Small helpers around the page's own templates.

import { words } from "./words.js";

export const find = (name, within = document) => within.querySelector(`[data-is="${name}"]`)

export const copyOf = (template) => document.getElementById(template).content.firstElementChild.cloneNode(true)

export const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  svg.setAttribute("class", "icon")
  svg.setAttribute("aria-hidden", "true")
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use")
  use.setAttribute("href", `#icon-${name}`)
  svg.append(use)
  return svg
}

// Sets the text only where it differs: a live region would speak again, a selection would be lost.
export const say = (element, text) => {
  if (element.textContent !== text) element.textContent = text
}

// A moment in the person's own zone, all of it where one points at it.
export const tellTime = (element, moment) => {
  element.hidden = !moment
  if (!moment) return
  const date = new Date(moment)
  const written = date.toISOString()
  if (element.dateTime === written) return
  element.dateTime = written
  element.title = words.exactly(date)
  say(element, words.moment(date))
}

// A popover beside its button, inside the window.
export const placeBeside = (popover, button) => {
  const { left, bottom, top } = button.getBoundingClientRect()
  const { offsetWidth: width, offsetHeight: height } = popover
  const below = bottom + 4 + height <= innerHeight
  popover.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`
  popover.style.top = `${Math.max(8, below ? bottom + 4 : top - 4 - height)}px`
}
