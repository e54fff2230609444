// Every sentence that the page's scripts show, in one place, so that a translation can take its place.

export const words = {
  // Conversation list
  untitled: "New chat",
  noConversations: "Your conversations will appear here.",
  nothingFound: "Nothing found.",
  options: (title) => `Options for ${title}`,
  deleteWhich: (title) => `“${title}” and all its messages will be deleted. This cannot be undone.`,

  // Messages
  you: "You",
  assistant: "Assistant",
  waiting: "Waiting for a free slot…",
  thinking: "Thinking…",
  thought: "Thoughts",
  using: (tool) => `Using ${tool}…`,
  used: (tool) => `Used ${tool}`,
  toolFailed: (tool) => `${tool} failed`,
  noAnswer: "The answer is empty.",
  cancelled: "You stopped this answer.",
  interrupted: "This answer was interrupted.",
  failed: "This answer failed.",
  copy: "Copy",
  copied: "Copied",
  code: "text",
  image: (alt, host) => `Image: ${alt || "without description"} (${host})`,

  // What a screen reader hears
  answering: "The assistant is answering.",
  answered: "The answer is complete.",

  // When something fails
  unreachable: "The server cannot be reached. Check your connection and try again.",
  serverFailed: (status) => `The server could not do that (error ${status}). Try again in a moment.`,
  tooLong: (limit) => `This message is too long. At most ${limit.toLocaleString()} characters can be sent.`,
  gone: "This conversation does not exist any more.",
  noAssistants: "No assistant",
  reconnecting: "Connection lost. Reconnecting…",
}
