// The open conversation on the page, and what the user does in it.

import { AssistantPicker } from "../composer/assistant_picker.js"
import { Composer } from "../composer/composer.js"
import { listenForDrops } from "../composer/drop_target.js"
import { Starters } from "../composer/starters.js"
import { ArrivedMessages } from "../data/arrived_messages.js"
import { Connection } from "../data/connection.js"
import { Conversation } from "../data/conversation.js"
import { Drafts } from "../data/drafts.js"
import { Outbox } from "../data/outbox.js"
import { streamFactory } from "../data/run_stream.js"
import { now } from "../data/server_clock.js"
import { lazyViewer } from "../dialogs/lazy_viewer.js"
import { strings } from "../i18n/strings.js"
import { createActions } from "../messages/actions.js"
import { Announcer } from "../messages/announcer.js"
import { MessageList, preloadViews } from "../messages/list.js"
import { createPopovers } from "../messages/popovers.js"
import { QuoteButton } from "../messages/quote.js"
import { AutoScroll } from "../messages/scroll.js"
import { find } from "../ui/dom.js"
import { hasMouse, rememberFocus, restoreFocus } from "../ui/focus.js"
import { DrawLoop } from "./draw_loop.js"
import { EarlierMessages } from "./earlier_messages.js"
import { showGone } from "./gone.js"

const TICK_INTERVAL = 500 // ms

export class ConversationView {
  #api
  #hooks
  #options
  #row = null // of the conversation, as the server has it
  #conversation
  #outbox
  #arrived
  #drafts
  #connection
  #composer
  #picker
  #list
  #scroll
  #earlier
  #quoteButton
  #starters
  #announcer = new Announcer(find("live"))
  #drawLoop = new DrawLoop(() => this.#draw())
  #unsentStop = null // id of a run whose stop did not reach the server; it is sent again with the connection

  /**
   * Options: `user`; `isStaff`, whether errors are explained to them; `limit`, characters of a message; `maxFileSize`,
   * in bytes; `preferences()`; `sendKey()`, "enter" or "ctrl+enter"; `isTemporary()`, whether a new chat is one. Hooks: `onLoaded(row)` with the conversation's row from the server; `onCreated(row)` when
   * a new conversation got its id; `onActivity(id)` when this page did something in a conversation; `onNewChat()`
   * opens a new one; `onSignedOut()`.
   */
  constructor(options, api, hooks) {
    this.#api = api
    this.#hooks = hooks
    this.#options = options
    this.#drafts = new Drafts(options.user)
    this.#createData()
    this.#createViews()
    this.#listen()
    this.#loadAssistants()
  }

  #createData() {
    const api = this.#api
    const onChange = () => this.#drawLoop.scheduleDraw()
    this.#conversation = new Conversation(api, streamFactory(this.#options.preferences().transport, api.run), {
      onChange,
      onLoaded: (row) => this.#onLoaded(row),
      onStarted: () => this.#onStarted(),
      onEnded: (reply) => this.#onEnded(reply),
      onSignedOut: this.#hooks.onSignedOut,
      whenSent: () => this.#outbox.whenSent(),
    })
    const outboxHooks = {
      onChange,
      onOpened: () => this.#onOutboxOpened(),
      onSent: (entry, accepted) => this.#onSent(entry, accepted),
      onRefused: (entry, error) => this.#onRefused(entry, error),
    }
    this.#outbox = new Outbox(api, outboxHooks, { user: this.#options.user })
    this.#connection = new Connection({ onChange, onBack: () => this.#onReconnected() }, { ping: api.ping })
    api.watchReachability((isUp) => this.#connection.report(isUp))
  }

  #createViews() {
    const api = this.#api
    const { limit, maxFileSize, sendKey, isStaff } = this.#options
    const viewer = lazyViewer(find("viewer"), api, (sentence) => this.#composer.showProblem(sentence))
    const nameOf = ({ assistant }) => this.#picker.nameOf(assistant) ?? assistant ?? strings.assistant
    this.#picker = new AssistantPicker(find("picker"), document.getElementById("assistants"), () =>
      this.#onAssistantChosen(),
    )
    this.#composer = new Composer(find("composer"), {
      drafts: this.#drafts,
      limit,
      viewer,
      upload: api.upload,
      maxFileSize,
      announce: (sentence) => this.#announcer.announce(sentence),
      sendKey,
      assistant: () => this.#picker.chosen,
      pickedSlug: () => this.#picker.pickedSlug,
      savesDrafts: () => !this.#isTemporary,
      onSend: (fields) => this.#send(fields),
      onStop: () => this.#stop(),
    })
    this.#arrived = new ArrivedMessages(this.#conversation, this.#outbox, this.#composer)
    this.#list = new MessageList(find("thread"), {
      nameOf,
      versionsOf: (turn) => this.#conversation.versionsOf(turn),
      sendKey,
      onEdit: (message, fields) => this.#edit(message, fields),
      getEdit: (id) => this.#getEdit(id),
      saveEdit: (id, edit) => this.#saveEdit(id, edit),
      onUnsentEdit: (text) => this.#onUnsentEdit(text),
      onDecision: (runId, resume) => this.#decide(runId, resume),
      onFocusLost: () => this.#restoreFocus(),
      onReady: () => this.#drawLoop.scheduleDraw(),
      onAction: (name, view, button) => act(name, view, button),
      getRun: isStaff ? api.run : null,
      hasOtherAssistants: () => this.#picker.items.length !== 1, // none: not loaded yet
    })
    this.#scroll = new AutoScroll(find("scroller"), find("thread"), (isAtEnd) => {
      find("to-end").hidden = isAtEnd
      if (!isAtEnd) return
      this.#list.showEnd()
      this.#earlier.update()
    })
    this.#earlier = new EarlierMessages({
      list: this.#list,
      conversation: this.#conversation,
      scroll: this.#scroll,
      draw: () => this.#drawLoop.drawNow(),
    })
    this.#quoteButton = new QuoteButton(find("thread"), find("quote"), (text) => this.#composer.quote(text))
    this.#starters = new Starters(find("starters"), (text) => {
      this.#send({ key: api.newKey(), text, attachments: [] })
      this.#composer.focus()
    })
    const act = createActions({
      conversation: this.#conversation,
      outbox: this.#outbox,
      composer: this.#composer,
      popovers: createPopovers({
        getRun: api.run,
        nameOf,
        assistants: () => this.#picker.items,
        onRate: async ({ dataset }, feedback) => {
          await this.#conversation.rate(dataset.rated, feedback)
          this.#announcer.announce(feedback.rating ? strings.rated : strings.ratingRemoved)
        },
      }),
      viewer,
      switchVersion: (view, leafId, name) => this.#switchVersion(view, leafId, name),
      assistant: () => this.#picker.slug,
      viewOf: (id) => this.#list.viewOf(id),
      openNewChat: this.#hooks.onNewChat,
      announce: (sentence) => this.#announcer.announce(sentence),
      restoreFocus: () => this.#restoreFocus(),
    })
  }

  #listen() {
    find("composer").addEventListener("input", preloadViews) // messages will follow
    for (const type of ["pointerover", "focusin"]) find("starters").addEventListener(type, preloadViews)
    listenForDrops(document.body, (dropped) => {
      this.#composer.showProblem("")
      this.#composer.addFiles(dropped)
      this.#composer.focus()
    })
    find("to-end").addEventListener("click", () => {
      this.#scroll.toEnd()
      this.#restoreFocus()
    })
    document.documentElement.classList.toggle("no-clipboard", !navigator.clipboard)
    setInterval(() => this.#tick(), TICK_INTERVAL)
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#connection.check())
  }

  get id() {
    return this.#conversation.id
  }

  /** Opens a conversation; null is a new one. */
  async show(id, { focusComposer = hasMouse() } = {}) {
    if (id) preloadViews()
    this.#list.clear()
    const opened = this.#conversation.open(id)
    this.#composer.open(this.#conversation.key)
    this.#announcer.clear()
    this.#row = null
    if (!id) this.#picker.slug = this.#drafts.get(this.#conversation.key).assistant ?? this.#drafts.lastAssistant
    if (focusComposer) this.#composer.focus()
    this.#scroll.toEnd()
    await opened
  }

  /** Shows a message of this conversation, and highlights what the search matched. */
  async reveal(messageId, search) {
    if (!(await this.#conversation.loadUntil(messageId).catch(() => false))) return
    if (!this.#conversation.shows(messageId)) {
      const leafId = this.#conversation.leafBehind(messageId)
      await this.#conversation.switchBranch(leafId).catch(() => {})
    }
    await preloadViews()
    this.#drawLoop.drawNow()
    const element = this.#list.viewOf(messageId)?.element
    const { highlightMatch } = await import("../messages/highlight_match.js")
    if (element) highlightMatch(element, search, (top) => this.#scroll.scrollTo(top))
  }

  /** Takes the changed row of a conversation. */
  update(row) {
    return this.#conversation.update(row)
  }

  /** Loads the messages, because updates may have been missed. */
  refresh() {
    return this.#conversation.refresh()
  }

  /** Stops the answer that is being written. Returns whether there was one. */
  stop() {
    if (!this.#conversation.live) return false
    this.#stop()
    return true
  }

  /** Quotes the selected text. Returns whether there was any. */
  quote() {
    return this.#quoteButton.quote()
  }

  focus() {
    this.#composer.focus()
  }

  /** Follows runs over this transport from now on. */
  setTransport(transport) {
    this.#conversation.setStream(streamFactory(transport, this.#api.run))
  }

  /** A stream is open only while the page is visible. */
  setVisible(isVisible) {
    if (isVisible) this.#conversation.resume()
    else this.#conversation.pause()
  }

  /** Removes all unsent text from this browser. */
  clear() {
    this.#composer.clear()
    this.#outbox.clear()
  }

  // Sending

  #send(fields) {
    const { messages, key: conversationKey } = this.#conversation
    const isFirst = !this.#outbox.entriesOf(conversationKey).length
    const parent_id = isFirst ? messages.findLast(({ role }) => role === "assistant")?.id : undefined
    const isLoaded = !this.id || this.#row !== null
    const assistant = isLoaded ? this.#picker.slug : null // the conversation's own
    this.#outbox.add({ ...fields, conversationKey, parent_id, assistant, is_temporary: this.#isTemporary, at: now() })
    this.#scroll.toEnd()
  }

  #onSent(entry, accepted) {
    this.#list.rename(entry.key, accepted.message_id)
    const wasNew = !this.#conversation.id
    const isOpenHere = this.#conversation.addSent(entry, accepted)
    if (!isOpenHere) return this.#hooks.onActivity(accepted.conversation_id)
    if (!wasNew) return
    this.#row = accepted.created
    this.#composer.moveTo(accepted.conversation_id)
    this.#hooks.onCreated(accepted.created)
  }

  // Puts a refused message back into the composer, unless something else is there. Returns whether it did.
  #onRefused(entry, { message }) {
    if (entry.conversationKey !== this.#conversation.key || !this.#composer.isEmpty) return false
    this.#composer.restore({ ...entry, key: null })
    this.#composer.showProblem(message)
    return true
  }

  // Shows the unsent messages of a new conversation from before a reload.
  #onOutboxOpened() {
    const conversationKey = this.#outbox.newConversationKey
    if (conversationKey && !this.#conversation.id && !this.#outbox.entriesOf(this.#conversation.key).length) {
      this.#conversation.open(null, conversationKey)
      this.#composer.moveTo(conversationKey)
    }
    this.#drawLoop.scheduleDraw()
  }

  #onReconnected() {
    this.#composer.onConnected()
    this.#outbox.retry()
    if (this.#unsentStop) this.#stop(this.#unsentStop)
  }

  async #stop(runId = this.#conversation.live?.run_id) {
    if (!runId) return
    this.#unsentStop = null
    try {
      await this.#api.cancel(runId)
    } catch ({ message, status }) {
      if (!status) this.#unsentStop = runId
      this.#composer.stopFailed(message)
    }
  }

  async #decide(runId, resume) {
    this.#composer.showProblem("")
    try {
      await this.#conversation.decide(runId, resume)
      return true
    } catch ({ message }) {
      this.#composer.showProblem(message)
      return false
    }
  }

  // Editing

  async #edit({ id }, fields) {
    const isFocusKept = rememberFocus()
    await this.#conversation.edit(id, { ...fields, assistant: this.#picker.slug, at: now() })
    if (isFocusKept()) this.#composer.focus()
  }

  #getEdit(id) {
    const edit = this.#drafts.getEdit(this.#conversation.key)
    return edit?.id === id ? edit : null
  }

  #saveEdit(id, edit) {
    const isOther = edit === null && this.#getEdit(id) === null // the edit of another message is saved
    if (isOther || this.#isTemporary) return
    this.#drafts.saveEdit(this.#conversation.key, edit && { id, ...edit })
  }

  // Another window has replaced the message: its text goes to the composer, unless the edit was sent after all.
  #onUnsentEdit(text) {
    this.#drafts.saveEdit(this.#conversation.key, null)
    if (this.#conversation.messages.some((message) => message.text === text)) return
    this.#composer.restore({ text, attachments: [] })
  }

  // Assistants

  async #loadAssistants() {
    try {
      this.#picker.items = await this.#api.assistants()
    } catch ({ message }) {
      return this.#composer.showProblem(message)
    }
    this.#drawLoop.drawNow() // with the name: later, the composer would move from under a pointer
  }

  #onAssistantChosen() {
    this.#drafts.lastAssistant = this.#picker.slug
    this.#composer.resetKey()
    this.#composer.save()
    this.#composer.showProblem("")
    this.#composer.focus()
    this.#drawLoop.scheduleDraw()
  }

  // The conversation

  // A choice that the user made in this conversation stays.
  #onLoaded(row) {
    if (this.#row?.id !== row.id) this.#picker.slug = row.assistant
    this.#row = row
    this.#hooks.onLoaded(row)
  }

  get #isTemporary() {
    return this.id ? Boolean(this.#row?.is_temporary) : this.#options.isTemporary()
  }

  #onStarted() {
    this.#scroll.toEnd()
    this.#announcer.startAnswer(strings.answerStarted)
    this.#hooks.onActivity(this.id)
  }

  #onEnded({ id, status, error, interrupts }) {
    const sentence =
      error?.message || strings[status] || (interrupts.length ? strings.approvalNeeded : strings.answerComplete)
    this.#announcer.endAnswer(sentence, () => (this.#drawLoop.isScheduled ? null : this.#list.viewOf(id)))
    this.#hooks.onActivity(this.id)
  }

  // Shows another version where the one before was; the focus stays on the arrow.
  async #switchVersion(view, leafId, name) {
    const switched = this.#conversation.switchBranch(leafId)
    const index = [...find("thread").children].indexOf(view.element)
    let element
    this.#scroll.keepPosition(view.element, () => {
      this.#drawLoop.drawNow()
      element = find("thread").children[index]
      return element
    })
    if (element) find(name, element).focus({ preventScroll: true })
    await switched
  }

  #restoreFocus() {
    restoreFocus({ composer: this.#composer, thread: find("thread") })
  }

  // Drawing

  #tick() {
    const { live } = this.#conversation
    this.#list.tick(now(), this.#connection)
    this.#showConnection()
    this.#announcer.tick(live ? this.#list.viewOf(live.id) : null, live?.status === "queued")
  }

  #draw() {
    this.#arrived.update()
    const { id, messages, key, live, isDeleted, isConnected } = this.#conversation
    const entries = this.#outbox.entriesOf(key)
    const hasMessages = messages.length > 0 || entries.length > 0
    const isEmpty = !id && !hasMessages
    this.#list.show(messages, entries)
    this.#composer.setRunningReply(live?.id ?? null)
    this.#starters.show(isEmpty ? (this.#picker.chosen?.starters ?? []) : [])
    find("main").classList.toggle("main--empty", isEmpty)
    find("loading").hidden = !id || hasMessages || isDeleted || this.#row !== null
    showGone(isDeleted, { onGone: this.#hooks.onGone, focusComposer: () => this.#composer.focus() })
    this.#earlier.update()
    this.#connection.report(isConnected, "stream")
    this.#showConnection()
  }

  // While disconnected, the style hides why an answer is pending: it cannot be known.
  #showConnection() {
    this.#composer.showConnection(this.#connection)
    find("thread").classList.toggle("thread--disconnected", this.#connection.isDown)
  }
}
