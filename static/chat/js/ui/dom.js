// Helpers for the elements and templates of the page.

import { strings } from "../i18n/strings.js"

/** Returns the element that a template names with `data-ref`. */
export const find = (name, within = document) => within.querySelector(`[data-ref="${name}"]`)

/** Returns a copy of the element in a <template>. */
export const cloneTemplate = (template) => document.getElementById(template).content.firstElementChild.cloneNode(true)

export const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  svg.setAttribute("class", "icon")
  svg.setAttribute("aria-hidden", "true")
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use")
  use.setAttribute("href", `#icon-${name}`)
  svg.append(use)
  return svg
}

/** Sets an element's text if it differs: setting it again would repeat a live region and clear a selection. */
export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text
}

/** Shows a moment in the local time zone, with the full date as a tooltip. */
export const showTime = (element, moment) => {
  element.hidden = !moment
  if (!moment) return
  const date = new Date(moment)
  const iso = date.toISOString()
  if (element.dateTime === iso) return
  element.dateTime = iso
  element.title = strings.fullDateTime(date)
  setText(element, strings.dateTime(date))
}

/** Shows how long ago a moment was, with the full date as a tooltip. */
export const showTimeAgo = (element, moment) => {
  const date = new Date(moment)
  element.dateTime = date.toISOString()
  element.title = strings.fullDateTime(date)
  setText(element, strings.ago(date))
}

/**
 * Places a popover whose size may change above or below its button, where there is more room. Can be called before it opens.
 * Its stylesheet sets `--popover-width`.
 */
export const placeAtEdge = ({ style }, button) => {
  const { left, top, bottom } = button.getBoundingClientRect()
  const isAbove = top > innerHeight - bottom
  style.left = `max(0.5rem, min(${left}px, 100vw - var(--popover-width) - var(--space-3)))`
  style.top = isAbove ? "auto" : `${bottom + 4}px`
  style.bottom = isAbove ? `${innerHeight - top + 4}px` : "auto"
  style.maxHeight = `${(isAbove ? top : innerHeight - bottom) - 12}px`
}

/** Places a popover beside its button, inside the window. */
export const placeBeside = (popover, button) => {
  const { left, bottom, top } = button.getBoundingClientRect()
  const { offsetWidth: width, offsetHeight: height } = popover
  const fitsBelow = bottom + 4 + height <= innerHeight
  popover.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`
  popover.style.top = `${Math.max(8, fitsBelow ? bottom + 4 : top - 4 - height)}px`
}
