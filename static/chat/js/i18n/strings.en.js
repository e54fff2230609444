// All text that the page's scripts show, in English; strings.ja.js has the same in Japanese.

import { createFormat, minutesAndSeconds, titleFromName } from "./format.js"

const { dateTime, fullDateTime, month, number, oneDecimal, plural } = createFormat("en")

const wholeSeconds = (seconds) => {
  const [minutes, rest] = minutesAndSeconds(seconds)
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`
}

export const strings = {
  // Conversation list
  untitled: "New chat",
  emptyList: {
    recent: "Your conversations will appear here.",
    archive: "The archive is empty.",
    search: "No conversations found.",
  },
  group: {
    pinned: "Pinned",
    today: "Today",
    yesterday: "Yesterday",
    week: "Previous 7 days",
    month: "Previous 30 days",
  },
  month,
  showMore: "Show more",
  tryAgain: "Try again",
  listFailed: "The list could not be loaded.",
  searchResults: (count, isMore) =>
    isMore
      ? `More than ${number(count)} conversations found.`
      : plural(count, { one: "One conversation found.", other: `${number(count)} conversations found.` }),
  inArchive: (title) => `${title} (archive)`,
  conversationOptions: (title) => `Options for ${title}`,
  pin: "Pin",
  unpin: "Unpin",
  archive: "Archive",
  unarchive: "Unarchive",
  deleted: (title) => `Deleted “${title}”.`,
  archived: (title) => `Archived “${title}”.`,
  undo: "Undo",
  tooLateToUndo: "It’s too late to undo this. The conversation has been permanently deleted.",

  // Sharing
  linkCreated: "Link created.",
  linkCreatedAt: (time) => `Created ${time}`,
  linkRevoked: "This link no longer works.",
  revokeLink: (time) => `Revoke the link created ${time}`,

  // Settings
  saving: "Saving…",
  saved: "Saved",
  notSaved: "Not saved",
  importing: "Importing…",
  imported: ({ conversations, messages, known, updated, left_out_count }) => {
    const chats = (count) => plural(count, { one: "One conversation", other: `${number(count)} conversations` })
    const withMessages = plural(messages, { one: "one message", other: `${number(messages)} messages` })
    const newMessages = plural(messages, { one: "One new message", other: `${number(messages)} new messages` })
    const nothing = updated ? `${newMessages} imported.` : "Nothing new to import."
    const wasThere = plural(known, { one: "was", other: "were" })
    const problems = plural(left_out_count, { one: "One problem", other: `${number(left_out_count)} problems` })
    return [
      conversations ? `${chats(conversations)} with ${withMessages} imported.` : nothing,
      updated && `${chats(updated)} updated.`,
      known && `${chats(known)} ${wasThere} already in your list.`,
      left_out_count && `${problems}:`,
    ]
      .filter(Boolean)
      .join(" ")
  },
  importProblem: ({ title, reason }) => `${title || "Untitled"}: ${reason}`,
  moreImportProblems: (count) => `${number(count)} more`,

  // Keyboard shortcuts
  or: "or",
  shortcut: {
    newChat: "New chat",
    search: "Search conversations",
    sidebar: "Show or hide conversations",
    composer: "Go to the message field",
    stop: "Stop the answer",
    copyAnswer: "Copy the last answer",
    quote: "Quote the selection",
    undo: "Undo deleting or archiving",
    settings: "Settings",
    help: "Keyboard shortcuts",
    move: "In the list: previous or next conversation",
    rename: "In the list: rename",
    remove: "In the list: delete",
  },

  // Messages
  you: "You",
  assistant: "Assistant",
  activity: {
    queued: "Waiting in the queue…",
    reading: "The model is reading your message…",
    reading_result: "The model is reading the result…",
    thinking: "Thinking…",
    using_tool: "Waiting for a tool…",
    silent: "Waiting for the model to continue…",
  },
  generatedImage: "Image by the assistant",
  emptyAnswer: "The assistant returned an empty answer.",
  cancelled: "You stopped this answer.",
  interrupted: "This answer was interrupted.",
  failed: "The answer could not be generated.",
  copy: "Copy",
  copied: "Copied",
  codeWithoutLanguage: "text",
  remoteImage: (alt, host) => `Image: ${alt || "no description"} (${host})`,
  taskDone: "Done:",
  taskToDo: "To do:",
  wrap: "Wrap",
  download: "Download",
  diagram: "Diagram",
  showDiagram: "Diagram",
  showSource: "Source",
  footnote: (name) => `Footnote ${name}`,
  footnoteBack: (name) => `Footnote ${name}: back to the text`,

  // Actions on messages
  version: (number, count) => `Version ${number} of ${count}`,
  waitingForPreviousAnswer: "Waiting for the previous answer",
  sending: "Sending…",
  unsent: "Not sent yet. It will be sent when the server can be reached.",
  messageWithdrawn: "Message withdrawn. You can edit it in the message field.",
  sentImage: "Image you sent",
  imageTitle: (width, height) => `Image, ${width} × ${height}`,
  characters: (count) => `${number(count)} ${plural(count, { one: "character", other: "characters" })}`,
  ratingQuestion: { up: "What was good?", down: "What was wrong?" },
  ratingReasons: {
    up: { correct: "Correct", clear: "Easy to understand", complete: "Complete", style: "Well written" },
    down: {
      wrong: "Incorrect",
      "off-topic": "Not what I asked",
      incomplete: "Incomplete",
      "too-long": "Too long",
      style: "Poorly written",
      unsafe: "Harmful or unsafe",
    },
  },
  rated: "Thank you for your rating.",
  ratingRemoved: "Rating removed.",
  info: {
    assistant: "Assistant",
    model: "Model",
    time: "Time",
    duration: "Duration",
    input: "Input",
    output: "Output",
    tokens: (count) => `${number(count)} ${plural(count, { one: "token", other: "tokens" })}`,
    cachedTokens: (count) => `${number(count)} cached`,
    reasoningTokens: (count) => `${number(count)} for reasoning`,
  },

  // Attachments
  pasted: (index) => (index === 1 ? "Pasted text" : `Pasted text ${index}`),
  remove: (name) => `Remove ${name}`,
  imagesNotSupported: (assistant) => `${assistant} does not support images. Choose another assistant.`,
  tooManyAttachments: (limit) => `You can attach at most ${limit} images and ${limit} text files to a message.`,
  unsupportedFile: (name) => `“${name}” is not an image or a text file.`,
  fileTooLong: (name, limit) => `“${name}” is too long. The limit is ${number(limit)} characters.`,
  imageNotUploaded: "An image could not be uploaded. Try again or remove it.",
  messageRequired: "Write a message to go with the attachment.",

  // Steps of an answer
  reasoningTitle: (seconds) =>
    seconds === undefined ? "Thoughts" : `Thought for ${seconds < 0.5 ? "a moment" : wholeSeconds(seconds)}`,
  tool: (name) => titleFromName(name) || "A tool",
  step: {
    running: "running…",
    waiting: "waiting for you",
    done: "done",
    failed: "failed",
    expired: "expired",
    unused: "skipped",
    stopped: "stopped",
  },
  result: "Result",
  error: "Error",
  steps: (count, failed) =>
    `${count} ${plural(count, { one: "step", other: "steps" })}${failed ? `, ${failed} failed` : ""}`,
  duration: (seconds) =>
    seconds < 0.05 ? "< 0.1 s" : seconds < 9.95 ? `${oneDecimal(seconds)} s` : wholeSeconds(seconds),
  elapsed: wholeSeconds,

  // Approvals
  respondBy: (time) => `Respond by ${time}.`,
  requestExpired: (time) => `This request expired (${time}). The tool was not run.`,
  decisionsLeft: (count) =>
    plural(count, {
      one: "One more decision is needed to continue.",
      other: `${count} more decisions are needed to continue.`,
    }),
  dateTime,
  fullDateTime,

  // Announced by screen readers
  answerStarted: "The assistant is answering.",
  answerComplete: "The answer is complete.",
  approvalNeeded: "The assistant is asking for your permission.",
  codeBlock: (language) => `Code: ${language}`,

  // Read-only pages
  image: "Image",
  usedTool: (tool) => `Used: ${tool}`,

  // Failures
  unreachable: "The server cannot be reached. Check your connection and try again.",
  serverFailed: (status) => `The server could not process the request (error ${status}). Try again in a moment.`,
  tooLong: (limit) => `This message is too long. The limit is ${number(limit)} characters.`,
  noAssistants: "No assistant",
  connection: {
    back: "You are connected again.",
    reconnecting: "Connection lost. Reconnecting…",
    offline: "You are offline. Your messages will be sent when you are back online.",
  },
}
