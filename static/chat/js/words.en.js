// Every sentence that the page's scripts show, in English. Each has its Japanese twin in words.ja.js.

import { inWords, minutesAndSeconds, telling } from "./telling.js";

const { exactly, moment, month, number, plural, tenth } = telling("en")

const whole = (seconds) => {
  const [minutes, rest] = minutesAndSeconds(seconds)
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`
}

export const words = {
  // Conversation list
  untitled: "New chat",
  none: {
    recent: "Your conversations will appear here.",
    archive: "The archive is empty.",
    search: "Nothing found.",
  },
  group: {
    pinned: "Pinned",
    today: "Today",
    yesterday: "Yesterday",
    week: "Previous 7 days",
    month: "Previous 30 days",
  },
  month,
  more: "Show more",
  again: "Try again",
  listFailed: "The list could not be loaded.",
  found: (count, isMore) =>
    isMore
      ? `More than ${number(count)} conversations found.`
      : plural(count, { one: "One conversation found.", other: `${number(count)} conversations found.` }),
  inArchive: (title) => `${title} (archive)`,
  options: (title) => `Options for ${title}`,
  pin: "Pin",
  unpin: "Unpin",
  archive: "Archive",
  unarchive: "Take out of the archive",
  deleted: (title) => `“${title}” is deleted.`,
  archived: (title) => `“${title}” is in the archive.`,
  undo: "Undo",
  tooLateToUndo: "It is too late to undo this: the conversation is gone for good.",

  // Sharing
  linkMade: "The link is ready.",
  linkMadeAt: (moment) => `Made ${moment}`,
  linkRevoked: "This link leads nowhere any more.",
  revokeLink: (moment) => `Revoke the link made ${moment}`,

  // Settings
  saving: "Saving…",
  saved: "Saved",
  notSaved: "Not saved",
  importing: "Reading the file…",
  imported: ({ conversations, messages, known }) => {
    const come = plural(conversations, { one: "One conversation", other: `${number(conversations)} conversations` })
    const said = plural(messages, { one: "one message", other: `${number(messages)} messages` })
    const here = plural(known, { one: "One was here already.", other: `${number(known)} were here already.` })
    const news = conversations ? `${come} with ${said} imported.` : "Nothing new in this file."
    return known ? `${news} ${here}` : news
  },

  // Keyboard shortcuts
  or: "or",
  shortcut: {
    newChat: "New chat",
    search: "Search conversations",
    sidebar: "Show or hide conversations",
    composer: "Go to the message field",
    stop: "Stop the answer",
    copyAnswer: "Copy the last answer",
    quote: "Quote what is selected",
    undo: "Undo deleting or archiving",
    settings: "Settings",
    help: "This sheet",
    move: "In the list: from one to the next",
    rename: "In the list: rename",
    remove: "In the list: delete",
  },

  // Messages
  you: "You",
  assistant: "Assistant",
  waiting: "Waiting for a free slot…",
  thinking: "Thinking…",
  noAnswer: "The answer is empty.",
  cancelled: "You stopped this answer.",
  interrupted: "This answer was interrupted.",
  failed: "This answer failed.",
  copy: "Copy",
  copied: "Copied",
  code: "text",
  image: (alt, host) => `Image: ${alt || "without description"} (${host})`,
  done: "Done:",
  toDo: "To do:",
  wrap: "Wrap",
  download: "Download",
  diagram: "Diagram",
  showDiagram: "Diagram",
  showSource: "Source",
  note: (name) => `Footnote ${name}`,
  noteBack: (name) => `Footnote ${name}: back to the text`,

  // What is done with messages
  version: (number, count) => `Version ${number} of ${count}`,
  waitsForTheAnswer: "Waits for the answer before it",
  sending: "Sending…",
  notSentYet: "Not sent yet: it goes out when the server can be reached",
  takenBack: "Taken back. You can edit it in the message field.",
  sentImage: "Image that you sent",
  imageTitle: (width, height) => `Image, ${width} × ${height}`,
  characters: (count) => `${number(count)} ${plural(count, { one: "character", other: "characters" })}`,
  why: { up: "What was good?", down: "What was wrong?" },
  reasons: {
    up: { correct: "Correct", clear: "Easy to understand", complete: "Complete", style: "Well written" },
    down: {
      wrong: "Not correct", "off-topic": "Not what I asked", incomplete: "Incomplete", "too-long": "Too long",
      style: "Badly written", unsafe: "Harmful or unsafe",
    },
  },
  rated: "Thank you. Your rating is kept.",
  ratingTakenBack: "Your rating is taken back.",
  about: {
    assistant: "Assistant",
    model: "Model",
    began: "Time",
    took: "Took",
    read: "Read",
    written: "Wrote",
    tokens: (count) => `${number(count)} ${plural(count, { one: "token", other: "tokens" })}`,
    cached: (count) => `${number(count)} of them from the cache`,
    thought: (count) => `${number(count)} of them for thinking`,
  },

  // What is attached to a message
  pasted: (count) => (count === 1 ? "Pasted text" : `Pasted text ${count}`),
  remove: (name) => `Remove ${name}`,
  seesNoImages: (assistant) => `${assistant} does not see images. Choose another assistant.`,
  tooManyAttached: (most) => `At most ${most} images and ${most} texts fit into one message.`,
  notReadable: (name) => `“${name}” is neither an image nor a text.`,
  fileTooLong: (name, limit) => `“${name}” is too long. At most ${number(limit)} characters can be sent.`,
  imageNotUploaded: "An image could not be uploaded. Try it again, or remove it.",
  writeSomething: "Write what is to be done with it.",

  // Steps on the way to an answer
  thought: (seconds) => (seconds === undefined ? "Thoughts" : `Thought for ${seconds < 0.5 ? "a moment" : whole(seconds)}`),
  tool: (name) => inWords(name) || "A tool",
  step: {
    running: "running…",
    waiting: "waits for you",
    done: "done",
    failed: "failed",
    expired: "expired",
    unused: "not used",
    stopped: "stopped",
  },
  result: "Result",
  error: "Error",
  steps: (count, failed) => `${count} ${plural(count, { one: "step", other: "steps" })}${failed ? `, ${failed} failed` : ""}`,
  took: (seconds) => (seconds < 0.05 ? "< 0.1 s" : seconds < 9.95 ? `${tenth(seconds)} s` : whole(seconds)),
  takes: whole,

  // What waits for the person's yes
  until: (moment) => `You can answer until ${moment}.`,
  expired: (moment) => `This could be answered until ${moment}. Nothing was done.`,
  answersLeft: (count) => plural(count, { one: "One more answer, and it goes on.", other: `${count} more answers, and it goes on.` }),
  moment,
  exactly,

  // What a screen reader hears
  answering: "The assistant is answering.",
  answered: "The answer is complete.",
  asking: "The assistant asks for your permission.",
  codeHere: (language) => `Code: ${language}`,

  // A conversation that is only read
  picture: "Image",
  used: (tool) => `Used: ${tool}`,

  // When something fails
  unreachable: "The server cannot be reached. Check your connection and try again.",
  serverFailed: (status) => `The server could not do that (error ${status}). Try again in a moment.`,
  tooLong: (limit) => `This message is too long. At most ${number(limit)} characters can be sent.`,
  noAssistants: "No assistant",
  connection: {
    back: "You are connected again.",
    reconnecting: "Connection lost. Reconnecting…",
    offline: "You are offline. What you send goes out when you are back.",
  },
}
