// All text that the page's scripts show, in English; strings.ja.js has the same in Japanese.

import { createFormat, encodingName, extensionOf, minutesAndSeconds, titleFromName } from "./format.js"

const { bytes, ago, date, dateTime, fullDateTime, month, number, oneDecimal, plural } = createFormat("en")

const wholeSeconds = (seconds) => {
  const [minutes, rest] = minutesAndSeconds(seconds)
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`
}

const tools = new Map(Object.entries({ search_conversations: "Search chats" })) // other names are shown as words

const characters = (count) => `${number(count)} ${plural(count, { one: "character", other: "characters" })}`

const countUnits = {
  page: (count) => plural(count, { one: "1 page", other: `${number(count)} pages` }),
  sheet: (count) => plural(count, { one: "1 sheet", other: `${number(count)} sheets` }),
  slide: (count) => plural(count, { one: "1 slide", other: `${number(count)} slides` }),
  message: (count) => plural(count, { one: "1 email", other: `${number(count)} emails` }),
}
const unitTitles = { page: "Page", slide: "Slide", message: "Email" }

// What a file or a pasted text is, such as "PDF · 12 pages · 1.2 MB".
const fileFacts = ({ name, text, unit, count, size }) => {
  if (text !== undefined) return characters(text.length)
  const kind = extensionOf(name).toUpperCase()
  return [kind, countUnits[unit]?.(count), bytes(size)].filter(Boolean).join(" · ")
}

const fileNotes = {
  no_text: () => "It contains only images, no text. The model will not see what is in them.",
  some_pages_damaged: () => "Some pages are damaged. The model will not see them.",
  some_pages_without_text: () => "Some pages have no readable text. The model will not see them.",
  truncated: (count, unit) =>
    unit in countUnits
      ? `It is too long. Reading stopped after ${countUnits[unit](count)}.`
      : "It is too long. Only the beginning was read.",
  hidden_sheets_left_out: () => "Hidden sheets were left out.",
  hidden_slides_left_out: () => "Hidden slides were left out.",
  hidden_text_left_out: () => "Hidden text was left out.",
  formulas_shown_as_values: () => "Formulas were replaced by their results.",
  macros_ignored: () => "Macros were ignored.",
  encoding: (name) => `Read as ${encodingName(name)}.`,
  name_differs: () => "Its content does not match its file extension.",
  attachments_left_out: () => "Attachments of the email were left out.",
  first_frame: () => "Only the first frame of the animation is kept.",
}
const fileNote = (note, unit) => {
  const [code, value] = note.split(":")
  return Object.hasOwn(fileNotes, code) ? fileNotes[code](/^\d+$/.test(value) ? Number(value) : value, unit) : ""
}

export const strings = {
  // Conversation list
  untitled: "New chat",
  temporary: "Temporary chat",
  gone: "Chat not found",
  emptyList: {
    recent: "Your chats will appear here.",
    archive: "The archive is empty.",
    search: "No chats found.",
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
      ? `More than ${number(count)} chats found.`
      : plural(count, { one: "One chat found.", other: `${number(count)} chats found.` }),
  inArchive: (title) => `${title} (archive)`,
  conversationOptions: (title) => `Options for ${title}`,
  pin: "Pin",
  unpin: "Unpin",
  archive: "Archive",
  unarchive: "Unarchive",
  deleted: (title) => `Deleted “${title}”.`,
  archived: (title) => `Archived “${title}”.`,
  undo: "Undo",
  tooLateToUndo: "It’s too late to undo this. The chat has been permanently deleted.",
  conversationActivity: {
    answering: "Answering…",
    answered: "New answer",
    failed: "Answer failed",
    waiting: "Waiting for your approval",
  },
  notification: {
    answered: "An answer is ready.",
    failed: "An answer could not be generated.",
    waiting: "An assistant is waiting for your approval.",
  },
  notificationsBlocked: "This browser does not allow notifications from this site. Allow them in its settings.",

  // A new chat
  greeting: {
    morning: (name) => `Good morning${name && `, ${name}`}`,
    afternoon: (name) => `Good afternoon${name && `, ${name}`}`,
    evening: (name) => `Good evening${name && `, ${name}`}`,
    night: (name) => `Up late${name && `, ${name}`}?`,
  },
  ago,

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
  importWaiting: "Waiting for other imports to finish…",
  importUploading: (part) => `Uploading… ${number(Math.floor(part * 100))}%`,
  importProgress: (done, total) =>
    `${number(done)} of ${plural(total, { one: "1 chat", other: `${number(total)} chats` })} imported…`,
  importOf: (name, time) => `${name}, ${time}:`,
  imported: ({ conversations, messages, known, updated, left_out_count }) => {
    const chats = (count) => plural(count, { one: "One chat", other: `${number(count)} chats` })
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
    search: "Search chats",
    sidebar: "Show or hide chats",
    composer: "Go to the message field",
    stop: "Stop the answer",
    copyAnswer: "Copy the last answer",
    quote: "Quote the selection",
    print: "Print the chat",
    undo: "Undo deleting or archiving",
    settings: "Settings",
    help: "Keyboard shortcuts",
    move: "In the list: previous or next chat",
    rename: "In the list: rename",
    remove: "In the list: delete",
  },

  // Messages
  you: "You",
  user: "User",
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
  contextTrimmed: ({ kept }) => {
    const messages = plural(kept, { one: "message", other: `${number(kept)} messages` })
    return `The model saw only the last ${messages} before this answer.`
  },
  imagesTrimmed: ({ shown }) =>
    `This chat has many images. From here on, the model sees only the newest ${plural(shown, { one: "one", other: number(shown) })}.`,
  fileTrimmed: ({ name, unit, shown, count }) =>
    count && shown
      ? `“${name}” is too long for the model, which saw the first ${shown} of ${countUnits[unit]?.(count) ?? `${count} parts`}.`
      : `“${name}” is too long for the model, which saw at most its beginning.`,
  copiedUpTo: ({ shared_at }) => `Copied up to here from a chat that was shared on ${date(new Date(shared_at))}.`,
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
  copyTable: "Copy table",
  copyCsv: "Copy CSV",
  downloadCsv: "Download CSV",
  wrap: "Wrap",
  unfold: "Show more",
  fold: "Show less",
  download: "Download",
  diagram: "Diagram",
  showDiagram: "Diagram",
  showSource: "Source",
  enlarge: "Enlarge",
  percent: (share) => `${number(Math.round(100 * share))}%`,
  diagramQuoted: "Labels were put in quotes so that this diagram could be drawn.",
  diagramProblem: {
    syntax: (line, text, token) =>
      `This diagram cannot be drawn. The error is in line ${line}${token ? ` at “${token}”` : ""}: ${text}`,
    unknown: (text) => `This diagram cannot be drawn: “${text}” is not a known type of diagram.`,
    tooLong: (limit) => `This diagram is too long to be drawn. The limit is ${number(limit)} characters.`,
    tooLarge: "the drawing is too large.",
    slow: "drawing it takes too long.",
    empty: "the drawing is empty.",
    other: (reason) => `This diagram cannot be drawn: ${reason}`,
    png: "This diagram could not be saved as PNG. Try SVG.",
  },
  footnote: (name) => `Footnote ${name}`,
  footnoteBack: (name) => `Footnote ${name}: back to the text`,

  // Actions on messages
  version: (place, count) => `Version ${place} of ${count}`,
  waitingForPreviousAnswer: "Waiting for the previous answer",
  sending: "Sending…",
  notSentYet: "Not sent yet. It will be sent when the server can be reached.",
  alreadySent: "This message had already been sent.",
  messageTakenBack: "Message unsent. You can edit it in the message field.",
  sentImage: "Image you sent",
  imageTitle: (width, height) => `Image, ${width} × ${height}`,
  characters,
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
  instruction: {
    shorter: "Make it shorter.",
    longer: "Go into more detail.",
    simpler: "Use simpler words.",
  },
  info: {
    assistant: "Assistant",
    model: "Model",
    instruction: "Instruction",
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
  messageRequired: "Write a message to go with the attachment.",
  tooManyFiles: (limit, leftOut) =>
    `You can attach at most ${limit} files to a message. ${plural(leftOut, { one: "One was", other: `${number(leftOut)} were` })} left out.`,
  tooManyTexts: (limit) => `You can attach at most ${limit} long texts to a message.`,
  isFolder: (name) => `“${name}” is a folder. Attach the files in it instead.`,
  fileIsEmpty: (name) => `“${name}” is empty.`,
  fileTooLarge: (name, size, limit) => `“${name}” is too large (${bytes(size)}). The limit is ${bytes(limit)}.`,
  fileNotUploaded: (name) => `“${name}” could not be uploaded. Try again or remove it.`,
  fileRefused: (name) => `“${name}” cannot be sent. Remove it first.`,
  sheets: (names, count) => `Sheets: ${names.join(", ")}${count > names.length ? ", …" : "."}`,
  filesGone: (names) =>
    plural(names.length, {
      one: `“${names[0]}” is no longer available. Attach it again if you need it.`,
      other: `These attachments are no longer available: ${names.join(", ")}. Attach them again if you need them.`,
    }),
  filesNotUploaded: (names) =>
    plural(names.length, {
      one: `The upload of “${names[0]}” was interrupted. Attach it again.`,
      other: `These uploads were interrupted: ${names.join(", ")}. Attach the files again.`,
    }),
  fileWaits: (name) => `“${name}” is not uploaded yet. The upload continues when the server can be reached.`,
  fileSize: bytes,
  uploadState: {
    waiting: () => "Waiting…",
    delayed: () => "Waiting for the server…",
    offline: () => "Waiting for the connection…",
    uploading: (progress) => `Uploading ${Math.floor(progress * 100)}%`,
    reading: () => "Reading…",
  },
  uploadProgress: (name) => `Uploading ${name}`,
  uploadAgain: (name) => `Try again: ${name}`,
  uploadingFiles: (count) => plural(count, { one: "Uploading a file.", other: `Uploading ${count} files.` }),
  imageUploaded: "Image uploaded.",
  fileRead: (name, part) => `${name} was read: ${fileFacts(part)}.`,
  fileFailed: (name, problem) => `${name}: ${problem}`,
  fileFacts,
  fileNotes: ({ notes = [], unit }) => notes.map((note) => fileNote(note, unit)).filter(Boolean),
  unitLabel: (unit, label) => (unit in unitTitles && /^\d+$/.test(label) ? `${unitTitles[unit]} ${label}` : label),
  loadingText: "Loading…",
  noTextInFile: "No text was found in this file.",

  // Steps of an answer
  reasoningTitle: (seconds) =>
    seconds === undefined ? "Thoughts" : `Thought for ${seconds < 0.5 ? "a moment" : wholeSeconds(seconds)}`,
  tool: (name) => tools.get(name) ?? (titleFromName(name) || "A tool"),
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
  allowTool: (tool) => `Allow “${tool}” to run?`,
  removeTool: (tool) => `Remove “${tool}”`,
  toolAsksAgain: (tool) => `“${tool}” will ask again.`,
  respondBy: (time) => `Respond by ${time}.`,
  requestExpired: (time) => `This request expired (${time}). The tool was not run.`,
  decisionsLeft: (count) =>
    plural(count, {
      one: "One more decision is needed to continue.",
      other: `${count} more decisions are needed to continue.`,
    }),
  date,
  dateTime,
  fullDateTime,

  // Announced by screen readers
  answerStarted: "The assistant is answering.",
  answerComplete: "The answer is complete.",
  approvalNeeded: "The assistant is asking for your approval.",
  codeBlock: (language) => `Code: ${language}`,

  // Read-only pages
  image: "Image",
  usedTool: (tool) => `Used: ${tool}`,

  // Failures
  errorHelp: {
    "other-assistant": "Choose another assistant",
    shorten: "Shorten the message",
    "new-chat": "Start a new chat with this message",
  },
  onlyStaffCanFix: "Only the people who run this site can fix this.",
  openAssistant: "Open the assistant",
  openRun: "Open the run",
  unreachable: "The server cannot be reached. Check your connection and try again.",
  serverFailed: (status) => `The server could not process the request (error ${status}). Try again in a moment.`,
  tooLong: (limit) => `This message is too long. The limit is ${number(limit)} characters.`,
  noAssistants: "No assistant",
  connection: {
    back: "You are back online.",
    reconnecting: "Connection lost. Reconnecting…",
    offline: "You are offline. Your messages will be sent when you are back online.",
  },
}
