// The sheet that shows the keyboard shortcuts.

import { Dialog } from "./dialog.js";
import { copyOf, find, say } from "./dom.js";
import { labelsOf, shortcuts } from "./keys.js";
import { words } from "./words.js";

const NAME = "chat.single-keys" // of what this browser keeps

// What works on a conversation that has the keyboard, besides the shortcuts.
const inList = { move: [["↑", "↓"]], rename: [["F2"]], remove: [["Delete"]] }

export class Help {
  #dialog

  constructor(element) {
    this.#dialog = new Dialog(element)
    for (const [name, ways] of Object.entries({ ...shortcuts, ...inList })) {
      const row = copyOf("shortcut-template")
      say(find("does", row), words.shortcut[name])
      find("keys", row).append(...ways.flatMap(asKeys))
      this.#dialog.place("shortcuts").append(row)
    }
    const single = this.#dialog.place("single-keys")
    single.checked = hasSingleKeys()
    single.addEventListener("change", () => keep(single.checked))
  }

  open() {
    this.#dialog.open()
  }
}

// Whether a single character is a shortcut: somebody who dictates may say one by chance.
export const hasSingleKeys = () => {
  try {
    return localStorage.getItem(NAME) !== "no"
  } catch {
    return true
  }
}

const keep = (isOn) => {
  try {
    localStorage.setItem(NAME, isOn ? "yes" : "no")
  } catch {
    // without storage it stays as it is
  }
}

const asKeys = (keys, index) => {
  const way = document.createElement("span")
  way.className = "keys"
  for (const label of labelsOf(keys)) {
    const key = document.createElement("kbd")
    key.textContent = label
    way.append(key)
  }
  return index ? [` ${words.or} `, way] : [way]
}
