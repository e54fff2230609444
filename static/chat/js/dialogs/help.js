// The list of keyboard shortcuts.

import { hasSingleKeys, setSingleKeys } from "../data/single_keys.js"
import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { labelsOf, shortcuts } from "../ui/shortcuts.js"

// Keys that work on a focused conversation of the list, besides the shortcuts.
const listKeys = { move: [["↑", "↓"]], rename: [["F2"]], remove: [["Delete"]] }

export class HelpDialog {
  #dialog

  constructor(element) {
    this.#dialog = new Dialog(element)
    for (const [name, combinations] of Object.entries({ ...shortcuts, ...listKeys })) {
      const row = cloneTemplate("shortcut-template")
      setText(find("description", row), strings.shortcut[name])
      find("keys", row).append(...combinations.flatMap(newKeys))
      this.#dialog.find("shortcuts").append(row)
    }
    const singleKeys = this.#dialog.find("single-keys")
    singleKeys.checked = hasSingleKeys()
    singleKeys.addEventListener("change", () => setSingleKeys(singleKeys.checked))
  }

  open() {
    this.#dialog.open()
  }
}

const newKeys = (keys, index) => {
  const combination = document.createElement("span")
  combination.className = "keys"
  for (const label of labelsOf(keys)) {
    const key = document.createElement("kbd")
    key.textContent = label
    combination.append(key)
  }
  return index ? [` ${strings.or} `, combination] : [combination]
}
