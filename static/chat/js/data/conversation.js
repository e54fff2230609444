// The open conversation: its messages, the runs that write in it, and what the user does with it. No DOM.

import { newKey } from "./api.js"
import { retryDelay } from "./backoff.js"
import { IdempotentCalls } from "./idempotent_calls.js"
import { MessageTree } from "./message_tree.js"
import { attachmentFields, isUploaded } from "./parts.js"
import { apply, isInProgress, isTerminal, merge, newReply } from "./reducer.js"
import { now } from "./server_clock.js"

const PAGE_SIZE = 100 // messages; older ones are loaded on demand

export class Conversation {
  #api
  #hooks
  #createStream
  #id = null
  #key = null
  #openToken = {} // replaced by every open(); async work that started before compares it and gives up
  #tree = new MessageTree()
  #calls = new IdempotentCalls()
  #stream = null
  #isConnected = true
  #isPaused = false
  #isDeleted = false
  #olderRequest = null
  #refreshRequest = null
  #lastUpdate = null // the row of the last update
  #failedRefreshes = 0
  #refreshTimer
  #localRevision = 0 // increased by every local change; a response requested before it is discarded
  #pendingSwitches = 0 // requests that save the chosen branch and have no response yet

  /**
   * `createStream(conversationId, listener)` makes a run stream, see run_stream.js. Hooks: `onChange()` when there is
   * something new to show; `onLoaded(row)` with the conversation's row from the server; `onStarted(runId)` for a run that
   * this page started; `onEnded(reply)`; `onSignedOut()`; `whenSent()`, which resolves when no message is on its way to the
   * server.
   */
  constructor(api, createStream, hooks) {
    this.#api = api
    this.#createStream = createStream
    this.#hooks = hooks
  }

  get id() {
    return this.#id
  }

  /** The id, or while there is none, a key that no other new conversation has. */
  get key() {
    return this.#key
  }

  /** The shown branch, oldest first. */
  get messages() {
    return this.#tree.shown
  }

  /** The reply that is being written, if there is one. */
  get live() {
    return this.#tree.live
  }

  get hasOlder() {
    return this.#tree.hasOlder
  }

  get isConnected() {
    return this.#isConnected
  }

  get isDeleted() {
    return this.#isDeleted
  }

  has(messageId) {
    return this.#tree.has(messageId)
  }

  shows(messageId) {
    return this.#tree.shows(messageId)
  }

  versionsOf(turn) {
    return this.#tree.versionsOf(turn)
  }

  leafBehind(messageId) {
    return this.#tree.leafBehind(messageId)
  }

  // Loading

  /** Opens a conversation, or a new one without an id, which gets it with its first message. */
  async open(id, conversationKey = id ?? newConversationKey()) {
    clearTimeout(this.#refreshTimer)
    this.#stream?.close()
    this.#stream = null
    this.#id = id
    this.#key = conversationKey
    this.#openToken = {}
    this.#localRevision += 1
    this.#isConnected = true
    this.#isDeleted = false
    this.#olderRequest = null
    this.#tree.clear()
    this.#onMessagesChanged()
    if (!id) return
    this.#connect()
    await this.refresh()
  }

  /** Loads the messages before those that are here. */
  loadOlder() {
    if (!this.hasOlder) return null
    this.#olderRequest ??= this.#loadOlder().finally(() => {
      this.#olderRequest = null
    })
    return this.#olderRequest
  }

  /** Loads messages until this one is here, and returns whether it is in the conversation. */
  async loadUntil(messageId) {
    const token = this.#openToken
    while (!this.has(messageId) && this.hasOlder && token === this.#openToken) await this.loadOlder()
    return token === this.#openToken && this.has(messageId)
  }

  /** Loads the newest messages. Replies that are streamed here stay as they are. */
  refresh() {
    this.#refreshRequest ??= this.#refresh().finally(() => {
      this.#refreshRequest = null
    })
    return this.#refreshRequest
  }

  /** Takes an update: a conversation changed, and `row` is its row on the server. */
  async update(row) {
    if (row.id !== this.#id) return
    this.#lastUpdate = row
    await this.#hooks.whenSent()
    if (row.id !== this.#id) return
    if (this.#isDeleted) return await this.open(row.id) // it was restored
    const last = this.#tree.lastKnown
    const mayShrink = this.messages.some((message) => isInProgress(message) && message !== this.live)
    if (!last || mayShrink) return await this.refresh()
    try {
      const revision = this.#localRevision
      const newer = await this.#api.messages(row.id, { after: last.id })
      if (row !== this.#lastUpdate || revision !== this.#localRevision) return // a later update follows
      this.#onLoaded(row)
      this.#tree.setAfter(last.id, merge(this.#tree.all, newer))
      this.#onMessagesChanged()
    } catch (error) {
      if (error.status === 404) await this.refresh() // `last` was deleted
    }
  }

  // What the user does

  /**
   * Shows a message that the server has accepted; see Outbox for `entry`. Returns whether it belongs to the open
   * conversation.
   */
  addSent(entry, { conversation_id, message_id, reply_id, run_id }) {
    if (entry.conversationKey !== this.#key) return false
    const wasSentFirst = this.#id && !entry.parent_id && this.messages.length > 0 // before the others had loaded
    if (!this.#id) {
      this.#id = conversation_id
      this.#key = conversation_id
      this.#connect()
    }
    const parent_id = wasSentFirst ? this.messages.at(-1).id : entry.parent_id
    this.#start([newQuestion(entry, { id: message_id, parent_id })], { message_id, reply_id, run_id }, entry)
    if (wasSentFirst) this.refresh() // the server chose the parent
    return true
  }

  /** Asks for another answer to the same question; `instruction` says how it should differ. */
  async regenerate(messageId, { assistant, instruction = "" }) {
    const token = this.#openToken
    const accepted = await this.#calls.run(`regenerate ${messageId} ${assistant} ${instruction}`, (key) =>
      this.#api.regenerate(messageId, instruction ? { assistant, instruction } : { assistant }, key),
    )
    if (token === this.#openToken) this.#start([], accepted, { assistant })
  }

  /** Sends another version of a message, which gets an answer of its own. */
  async edit(messageId, fields) {
    const token = this.#openToken
    const { text, assistant, attachments } = fields
    const body = { text, assistant, ...attachmentFields(attachments) }
    const accepted = await this.#calls.run(`edit ${messageId} ${JSON.stringify(body)}`, (key) =>
      this.#api.edit(messageId, body, key),
    )
    if (token !== this.#openToken) return
    const { parent_id } = this.#tree.get(messageId)
    this.#start([newQuestion(fields, { id: accepted.message_id, parent_id })], accepted, fields)
    if (attachments.some(isUploaded)) await this.refresh() // the copies have ids of their own
  }

  /** Continues an answer that was cut off. */
  async continueReply(messageId) {
    const token = this.#openToken
    await this.#refreshIfRefused(async () => {
      const accepted = await this.#calls.run(`continue ${messageId}`, (key) => this.#api.continueReply(messageId, key))
      if (token === this.#openToken) this.#start([], accepted, this.#tree.get(messageId))
    })
  }

  /** Sends the user's decisions about the tool calls of a run, as AG-UI's resume entries. */
  async decide(runId, resume) {
    const token = this.#openToken
    await this.#refreshIfRefused(async () => {
      const { assistant } = this.#tree.all[this.#tree.indexOfRun(runId)]
      const accepted = await this.#api.resume(runId, resume)
      if (token === this.#openToken) this.#start([], accepted, { assistant })
    })
  }

  /** Deletes a message that is waiting for its answer, and returns it. Messages behind it stay. */
  async withdraw(messageId) {
    const token = this.#openToken
    const message = this.#tree.get(messageId)
    await this.#refreshIfRefused(() => this.#api.deleteMessage(messageId))
    if (token === this.#openToken) {
      this.#localRevision += 1
      this.#tree.remove(messageId)
      this.#onMessagesChanged()
    }
    return message
  }

  /** Rates an answer. `feedback`: { rating: "up", "down" or null, reason, comment } */
  async rate(messageId, feedback) {
    const before = this.#tree.get(messageId).feedback ?? null
    this.#changeMessage(messageId, { feedback: feedback.rating ? feedback : null })
    try {
      await this.#api.rate(messageId, feedback)
    } catch (error) {
      this.#changeMessage(messageId, { feedback: before })
      throw error
    }
  }

  /** Shows the branch that ends in this message, and saves that choice. */
  async switchBranch(leafId) {
    const id = this.#id
    this.#tree.showBranch(leafId)
    this.#pendingSwitches += 1
    this.#onMessagesChanged()
    try {
      await this.#api.changeConversation(id, { leaf_id: leafId })
    } finally {
      this.#pendingSwitches -= 1
      this.#localRevision += 1
    }
  }

  // The stream

  /** Uses another kind of run stream from now on. */
  setStream(createStream) {
    this.#createStream = createStream
    if (!this.#id) return
    this.#connect()
    this.#setConnected(true)
    this.#followLiveRun()
  }

  /** Holds no connection until `resume`. */
  pause() {
    this.#isPaused = true
    this.#stream?.pause()
    clearTimeout(this.#refreshTimer)
    this.#setConnected(true)
  }

  resume() {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#stream?.resume()
    this.refresh()
  }

  /** A run was started in this conversation, by this page or elsewhere. */
  async onRunCreated(runId) {
    await this.#hooks.whenSent()
    if (!this.#knowsRun(runId)) await this.refresh()
    if (!this.#knowsRun(runId)) await this.refresh() // the first response was made before the run existed
  }

  async #loadOlder() {
    const token = this.#openToken
    const firstId = this.#tree.all[0].id
    const older = await this.#api.messages(this.#id, { before: firstId, limit: PAGE_SIZE })
    if (token !== this.#openToken || this.#tree.all[0]?.id !== firstId) return
    this.#tree.hasOlder = older.length === PAGE_SIZE
    this.#tree.set([...merge([], older), ...this.#tree.all])
    this.#onMessagesChanged()
  }

  async #refresh() {
    const id = this.#id
    const revision = this.#localRevision
    if (!id || this.#isDeleted) return
    try {
      const [row, stored] = await Promise.all([
        this.#api.conversation(id),
        this.#api.messages(id, { limit: PAGE_SIZE }),
      ])
      if (revision !== this.#localRevision) return await this.#refresh()
      this.#failedRefreshes = 0
      this.#setConnected(true)
      this.#onLoaded(row)
      const { live } = this
      this.#tree.setAll([...this.#tree.before(stored, PAGE_SIZE), ...merge(this.#tree.all, stored)])
      this.#onMessagesChanged()
      const ended = live && !this.live && this.#tree.get(live.id)
      if (ended) this.#hooks.onEnded(ended) // while the stream was not heard
      if (this.#tree.leafId) await this.loadUntil(this.#tree.leafId)
    } catch (error) {
      if (revision !== this.#localRevision) return await this.#refresh()
      if (error.status === 404) this.#onDeleted()
      else if (error.status !== 401) this.#refreshLater()
    }
  }

  #refreshLater() {
    this.#setConnected(false)
    clearTimeout(this.#refreshTimer)
    if (this.#isPaused) return
    this.#refreshTimer = setTimeout(() => this.refresh(), retryDelay(this.#failedRefreshes))
    this.#failedRefreshes += 1
  }

  // A refusal means that another window was faster, or that it is too late.
  async #refreshIfRefused(call) {
    const token = this.#openToken
    try {
      await call()
    } catch (error) {
      if (token === this.#openToken && error.isRefusal) await this.refresh()
      throw error
    }
  }

  #onLoaded(row) {
    if (!this.#pendingSwitches) this.#tree.leafId = row.leaf_id
    this.#hooks.onLoaded(row)
  }

  // A reply to `message_id` is being written; it ends the shown branch.
  #start(messages, { message_id, reply_id, run_id }, { assistant }) {
    this.#localRevision += 1
    this.#tree.leafId = null
    const reply = newReply({ id: reply_id, run_id, parent_id: message_id, assistant })
    this.#tree.add([...messages, { ...reply, created_at: new Date(now()).toISOString() }])
    this.#onMessagesChanged()
    this.#hooks.onStarted(run_id)
  }

  #connect() {
    this.#stream?.close()
    this.#stream = this.#createStream(this.#id, {
      onEvent: (runId, event, seq) => this.#onEvent(runId, event, seq),
      onRunEnded: () => this.refresh(),
      onNotFound: () => this.refresh(),
      onConnection: (isUp) => this.#setConnected(isUp),
      onRunCreated: ({ run_id }) => this.onRunCreated(run_id),
      onSignedOut: () => this.#hooks.onSignedOut(),
    })
    if (this.#isPaused) this.#stream.pause()
  }

  #onEvent(runId, event, seq) {
    const index = this.#tree.indexOfRun(runId)
    const before = this.#tree.all[index]
    const reply = before && apply(before, event, seq)
    if (reply === before) return
    this.#setConnected(true)
    this.#tree.replace(index, reply)
    this.#onMessagesChanged()
    if (!isTerminal(event)) return
    this.#hooks.onEnded(reply)
    // After a crash the row is right: this page may have seen more than was stored. And a run that was stopped before it
    // began may have been withdrawn.
    const mayBeGone = reply.status === "cancelled" && before.status === "queued"
    if (reply.isSnapshot || reply.status === "interrupted" || mayBeGone) this.refresh()
  }

  #changeMessage(id, fields) {
    const index = this.#tree.all.findIndex((message) => message.id === id)
    this.#localRevision += 1
    if (index < 0) return
    this.#tree.replace(index, { ...this.#tree.all[index], ...fields })
    this.#onMessagesChanged()
  }

  #onMessagesChanged() {
    this.#followLiveRun()
    this.#hooks.onChange()
  }

  #knowsRun(runId) {
    return this.#tree.indexOfRun(runId) >= 0
  }

  // Follows one run at a time: browsers allow few connections, and the runs behind it have no events yet.
  #followLiveRun() {
    if (!this.#stream) return
    const liveRunId = this.live?.run_id
    for (const { run_id: runId } of this.#tree.all) {
      if (runId && runId !== liveRunId) this.#stream.leave(runId)
    }
    if (liveRunId) this.#stream.follow(liveRunId, () => this.#tree.all[this.#tree.indexOfRun(liveRunId)]?.seq ?? 0)
  }

  #setConnected(isUp) {
    if (isUp === this.#isConnected) return
    this.#isConnected = isUp
    this.#hooks.onChange()
  }

  #onDeleted() {
    this.#isDeleted = true
    this.#stream?.close()
    this.#hooks.onChange()
  }
}

export const newConversationKey = () => `new:${newKey()}`

// A message of the user, as the server stores it.
const newQuestion = ({ text, attachments, at }, { id, parent_id }) => ({
  id,
  parent_id,
  text,
  role: "user",
  status: "completed",
  run_id: null,
  feedback: null,
  created_at: new Date(at ?? now()).toISOString(),
  parts: [...attachments, { type: "text", text }],
})
