// The kinds of part that a message is made of. Adding one touches this table, its drawing in messages/parts/, and their
// tests. No DOM.
//
// `group`: where the part is shown. "text" is the answer itself, "step" stands among the steps that lead to it,
// "attachment" goes with a message that the user sent, and "note" says something about the reply.
// `isInAnswers`: it is also shown as a piece of an answer.
// `isUploaded`: the message is sent with its id; other attachments travel in the message.
// `events`: how a run's events change a reply, by event type. `customs`: the same for those of type CUSTOM, by name. The
// server folds them in the same way; a test compares both.
// `plainText(part)`: what a copy of the message contains; without it, nothing.

export const append = (reply, part) => ({ ...reply, parts: [...reply.parts, part] })

export const update = (reply, index, fields) => ({
  ...reply,
  parts: reply.parts.with(index, { ...reply.parts[index], ...fields }),
})

/** Removes the last part of this type: it was not what it seemed, and follows as what it is. */
export const withdraw = (reply, type) => {
  const index = reply.parts.findLastIndex((part) => part.type === type)
  return index < 0 ? reply : { ...reply, parts: reply.parts.toSpliced(index, 1) }
}

// The index of a tool call or its result, -1 if it is not here.
export const indexOfCall = (parts, id) => parts.findLastIndex((part) => part.id === id)

const appendDelta = (type) => (reply, event) => {
  const index = reply.parts.findLastIndex((part) => part.type === type)
  if (index < 0) return append(reply, { type, text: event.delta })
  return update(reply, index, { text: reply.parts[index].text + event.delta })
}

// `began`: when thoughts and calls began, by id, in milliseconds of the server's clock.
const withStart = (reply, id, timestamp) =>
  timestamp === undefined ? reply : { ...reply, began: { ...reply.began, [id]: timestamp } }

const duration = (start, end) =>
  start === undefined || end === undefined ? {} : { seconds: Math.max(0, end - start) / 1000 }

const newCall = (id, name, args = "") => ({ type: "tool_call", id, name, arguments: args, result: null, error: null })
const newResult = (id) => ({ type: "tool_result", id, result: null, error: null })

// The last note of a kind counts.
const setNote = (reply, type, fields) => {
  const index = reply.parts.findIndex((part) => part.type === type)
  return index < 0 ? append(reply, { type, ...fields }) : update(reply, index, fields)
}

export const partKinds = {
  text: {
    group: "text",
    plainText: (part) => part.text,
    events: {
      TEXT_MESSAGE_START: (reply) => append(reply, { type: "text", text: "" }),
      TEXT_MESSAGE_CONTENT: appendDelta("text"),
    },
  },

  reasoning: {
    group: "step",
    events: {
      REASONING_START: (reply, event) => withStart(reply, event.messageId, event.timestamp),
      REASONING_MESSAGE_START: (reply, event) => {
        const thoughts = { ...reply.thoughts, [event.messageId]: reply.parts.length }
        return append({ ...reply, thoughts }, { type: "reasoning", text: "" })
      },
      REASONING_MESSAGE_CONTENT: appendDelta("reasoning"),
      REASONING_END: (reply, event) => {
        const index = reply.thoughts?.[event.messageId]
        const time = duration(reply.began?.[event.messageId], event.timestamp)
        return index === undefined || time.seconds === undefined ? reply : update(reply, index, time)
      },
    },
  },

  tool_call: {
    group: "step",
    events: {
      TOOL_CALL_START: (reply, event) =>
        append(withStart(reply, event.toolCallId, event.timestamp), newCall(event.toolCallId, event.toolCallName)),
      TOOL_CALL_ARGS: (reply, event) => {
        const index = indexOfCall(reply.parts, event.toolCallId)
        return index < 0 ? reply : update(reply, index, { arguments: reply.parts[index].arguments + event.delta })
      },
    },
  },

  // The result of a call from an earlier reply, which the user has approved since, is a part of its own.
  tool_result: {
    group: "step",
    events: {
      TOOL_CALL_RESULT: (reply, event) => {
        const id = event.toolCallId
        const isElsewhere = indexOfCall(reply.parts, id) < 0
        const target = isElsewhere ? append(reply, newResult(id)) : reply
        const outcome = event.metadata?.error ? { error: event.content } : { result: event.content }
        const fields = { ...outcome, ...duration(reply.began?.[id], event.timestamp) }
        return update(target, indexOfCall(target.parts, id), fields)
      },
    },
  },

  context_trimmed: {
    group: "note",
    events: {},
    customs: {
      context_trimmed: (reply, { name, value }) => setNote(reply, name, { kept: value.kept }),
    },
  },

  images_trimmed: {
    group: "note",
    events: {},
    customs: {
      images_trimmed: (reply, { name, value }) => setNote(reply, name, { shown: value.shown }),
    },
  },

  file_trimmed: {
    group: "note",
    events: {},
    customs: {
      file_trimmed: (reply, { name: type, value }) => {
        const { name, unit, count, shown } = value
        const index = reply.parts.findIndex((part) => part.type === type && part.name === name)
        const part = { type, name, unit, count, shown }
        return index < 0 ? append(reply, part) : update(reply, index, part)
      },
    },
  },

  copied: { group: "note", events: {} },

  image: {
    group: "attachment",
    isUploaded: true,
    isInAnswers: true,
    events: {},
    customs: { image: (reply, { value }) => append(reply, { type: "image", ...value }) },
  },
  file: { group: "attachment", isUploaded: true, events: {} },
  document: { group: "attachment", events: {} },
}

export const isAnswer = (part) => partKinds[part.type]?.group === "text" || Boolean(partKinds[part.type]?.isInAnswers)
export const isStep = (part) => partKinds[part.type]?.group === "step"
export const isNote = (part) => partKinds[part.type]?.group === "note"
export const isAttachment = (part) => partKinds[part.type]?.group === "attachment"

/** Returns the text of a message, as it is copied. */
export const plainText = (message) =>
  message.parts.map((part) => partKinds[part.type]?.plainText?.(part) ?? "").join("")

export const isUploaded = (part) => Boolean(partKinds[part.type]?.isUploaded)

/** Returns the attachments of a message as the API takes them. */
export const attachmentFields = (attachments) => ({
  attachments: attachments.filter(isUploaded).map(({ id }) => id),
  documents: attachments.filter((part) => !isUploaded(part)).map(({ name, text }) => ({ name, text })),
})

/** Returns the attachments of what this browser has stored: an earlier version stored them in two lists, without types. */
export const storedAttachments = ({ attachments, images = [], documents = [] }) =>
  attachments ?? [
    ...images.map((image) => ({ type: "image", ...image })),
    ...documents.map((document) => ({ type: "document", ...document })),
  ]

/**
 * Converts the AG-UI messages of a snapshot to the parts of one reply. The reply's own message comes in several pieces,
 * with reasoning and results between them; the id of each piece begins with the reply's.
 */
export const partsFromSnapshot = (messages, replyId) => {
  const parts = []
  for (const message of messages) {
    if (message.id !== replyId && !message.id.startsWith(`${replyId}:`)) continue
    const { role, content, error, toolCallId, toolCalls = [] } = message
    if (role === "reasoning") parts.push({ type: "reasoning", text: content ?? "" })
    if (role === "assistant") {
      if (content) parts.push({ type: "text", text: content })
      for (const call of toolCalls) parts.push(newCall(call.id, call.function.name, call.function.arguments))
    }
    if (role === "tool") {
      if (indexOfCall(parts, toolCallId) < 0) parts.push(newResult(toolCallId))
      Object.assign(parts[indexOfCall(parts, toolCallId)], error ? { error } : { result: content ?? "" })
    }
  }
  return parts
}
