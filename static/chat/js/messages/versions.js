// ‹ 2 / 3 ›: which version of a message is shown.

import { strings } from "../i18n/strings.js"
import { find, setText } from "../ui/dom.js"

const FIGURE_SPACE = "\u2007" // as wide as a digit

/** Shows { index, leafIds }, see Branches. The arrow at an end stays focusable, so that the focus is not lost there. */
export const showVersions = (element, { index, leafIds }) => {
  const container = find("versions", element)
  const count = leafIds.length
  container.hidden = count < 2
  const width = String(count).length // of each number, so that the arrows stay where they are
  setText(find("position", container), `${String(index + 1).padStart(width, FIGURE_SPACE)} / ${count}`)
  find("position", container).setAttribute("aria-label", strings.version(index + 1, count))
  find("earlier", container).setAttribute("aria-disabled", index === 0)
  find("later", container).setAttribute("aria-disabled", index === count - 1)
}

export const sameVersions = (a, b) =>
  a === b ||
  (a.index === b.index &&
    a.leafIds.length === b.leafIds.length &&
    a.leafIds.every((leafId, index) => leafId === b.leafIds[index]))
