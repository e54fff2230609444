// How each kind of part is drawn; data/parts.js defines the kinds.

import { readonlyDocument, sentDocument } from "./document.js"
import { GeneratedImageView, readonlyImage, sentImage } from "./image.js"
import { ReasoningView } from "./reasoning.js"
import { readonlyText, TextView } from "./text.js"
import { readonlyToolCall, ToolCallView, ToolResultView } from "./tool_call.js"

/** In the answer itself: a view with `show(part, { done })`. */
export const textViews = {
  text: TextView,
  image: GeneratedImageView,
}

/** Among the steps: a view with `show(part)` and `tick(now)`. */
export const stepViews = {
  reasoning: ReasoningView,
  tool_call: ToolCallView,
  tool_result: ToolResultView,
}

/** With a message that the user sent: returns a list item with a button that opens the attachment. */
export const sentAttachments = {
  image: sentImage,
  document: sentDocument,
}

/**
 * On a page that is only read: returns an element, of `(part, { role, isForPrint, imageUrl(id) })`. Kinds that are missing
 * here are not shown there.
 */
export const readonlyParts = {
  text: readonlyText,
  image: readonlyImage,
  document: readonlyDocument,
  tool_call: readonlyToolCall,
}
