// How each kind of part is drawn on the chat page; data/parts.js defines the kinds, readonly.js draws them elsewhere.

import { sentFile } from "./file.js"
import { GeneratedImageView, sentImage } from "./image.js"
import { ReasoningView } from "./reasoning.js"
import { TextView } from "./text.js"
import { ToolCallView, ToolResultView } from "./tool_call.js"

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
  file: sentFile,
  document: sentFile,
}
