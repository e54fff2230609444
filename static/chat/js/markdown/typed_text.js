// Draws the text of a user: see typed_blocks.js. Loaded when a text has something to draw.

import { listenForBlockActions } from "./block_actions.js"
import { mount } from "./morph.js"
import { renderBlock } from "./render.js"
import { parseTypedText } from "./typed_blocks.js"

const CONTEXT = { notes: new Set(), isGrowing: false }
const listening = new WeakSet() // elements

/** Replaces what is in the element by the blocks of the text. */
export const drawTypedText = (element, text) => {
  if (!listening.has(element)) listenForBlockActions(element)
  listening.add(element)
  const chunk = document.createElement("div")
  chunk.className = "prose__chunk"
  chunk.append(...parseTypedText(text).map((token) => renderBlock(token, CONTEXT)))
  element.replaceChildren(chunk)
  mount(element)
}
