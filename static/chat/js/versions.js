// ‹ 2 / 3 ›: which version of a message is shown.

import { find, say } from "./dom.js";
import { words } from "./words.js";

// `versions`: {index, ends}. A button at its end stays a stop for the keyboard, so that the focus is not lost there.
export const showVersions = (element, { index, ends }) => {
  const place = find("versions", element)
  place.hidden = ends.length < 2
  say(find("place", place), `${index + 1} / ${ends.length}`)
  find("place", place).setAttribute("aria-label", words.version(index + 1, ends.length))
  find("earlier", place).setAttribute("aria-disabled", index === 0)
  find("later", place).setAttribute("aria-disabled", index === ends.length - 1)
}

export const sameVersions = (one, other) =>
  one === other ||
  (one.index === other.index && one.ends.length === other.ends.length && one.ends.every((end, place) => end === other.ends[place]))
