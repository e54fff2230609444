// The text of a user on the page: at once as it was typed, and drawn as soon as the renderer is loaded.

import { LazyLibrary } from "../../ui/lazy_library.js"

const MAY_HAVE_BLOCKS = /[`>[•]|~~~|https?:|^[ \t]*(?:[-*]|\d{1,9}[.)])[ \t]/m

const renderer = new LazyLibrary(() => import("../../markdown/typed_text.js"))
const texts = new WeakMap() // element -> its text
let waiting = 0 // texts that are not drawn yet

/** Whether some text is not drawn yet. */
export const isDrawingTypedText = () => waiting > 0

export const showTypedText = (element, text) => {
  if (texts.get(element) === text) return
  texts.set(element, text)
  element.textContent = text
  if (!MAY_HAVE_BLOCKS.test(text)) return
  waiting += 1
  renderer.use(
    ({ drawTypedText }) => {
      waiting -= 1
      if (texts.get(element) === text) drawTypedText(element, text)
    },
    () => {
      waiting -= 1
    },
  )
}
