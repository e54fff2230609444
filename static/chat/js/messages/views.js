// What draws messages. A new chat does not load it before the user begins to write.

export { preloadRenderer, renderer } from "../markdown/markdown_view.js"
export { AssistantMessage } from "./assistant_message.js"
export { UserMessage } from "./user_message.js"
