// A file in a message, and a long text that was pasted, which looks the same.

import { displayName, iconOf } from "../../data/file_names.js"
import { strings } from "../../i18n/strings.js"
import { cloneTemplate, find, icon, setText } from "../../ui/dom.js"

/** Fills the name, the facts and the icon of a file. */
export const fillFile = (element, part) => {
  const name = displayName(part.name)
  setText(find("name", element), name)
  find("name", element).title = name
  setText(find("facts", element), strings.fileFacts(part))
  find("icon", element).replaceChildren(icon(iconOf(part)))
  return element
}

export const sentFile = (part) => fillFile(cloneTemplate("sent-file-template"), part)
