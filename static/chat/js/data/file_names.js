// How files are named and told apart on the page. No DOM.

import { extensionOf } from "../i18n/format.js"

const ICONS = {
  table: /^(?:csv|tsv|xlsx?|xlsm|ods)$/,
  slides: /^(?:pptx?|pptm|odp)$/,
  mail: /^(?:eml|msg|mbox)$/,
}

/** Returns a file's name without what would show it as another name: control characters and marks of the text direction. */
export const displayName = (name) =>
  name.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "").trim() || "?"

/** Returns the name of the icon for a file. */
export const iconOf = ({ name = "", unit }) => {
  if (unit === "sheet") return "table"
  if (unit === "slide") return "slides"
  if (unit === "message") return "mail"
  const extension = extensionOf(name)
  return Object.keys(ICONS).find((icon) => ICONS[icon].test(extension)) ?? "document"
}
