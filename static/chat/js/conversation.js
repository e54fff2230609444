// The open conversation: its messages, the runs that write in it, and what a person does with it. Knows no DOM.

import { pauseBefore } from "./follow.js";
import { apply, branch, isEnd, isOpen, merge, newReply } from "./state.js";

export class Conversation {
  #api
  #hooks
  #makeFollower
  #id = null
  #visit = {} // one per opening
  #all = [] // every known message, oldest first
  #shown = [] // the branch of them that the page shows
  #follower = null
  #isConnected = true
  #isPaused = false
  #isGone = false
  #created = null // a conversation whose first message is still on its way
  #attempt = null // the last send: its key and what was asked with it
  #sending = null
  #asking = null
  #failures = 0
  #timer
  #version = 0 // grows with every change by this page, so that an older answer of the server is not taken for news

  // Hooks: onChange() whenever there is something else to show; onCreated(conversation) by the first send;
  // onStarted(runId) by a send or retry here; onEnded(reply); onAnonymous() where the session ended.
  constructor(api, makeFollower, hooks) {
    this.#api = api
    this.#makeFollower = makeFollower
    this.#hooks = hooks
  }

  get id() {
    return this.#id
  }

  get messages() {
    return this.#shown
  }

  // The reply that is being written, if there is one.
  get live() {
    return this.#shown.findLast((message) => message.role === "assistant" && isOpen(message))
  }

  get isConnected() {
    return this.#isConnected
  }

  get isGone() {
    return this.#isGone
  }

  async open(id) {
    clearTimeout(this.#timer)
    this.#follower?.close()
    this.#follower = null
    this.#id = id
    this.#visit = {}
    this.#version += 1
    this.#isConnected = true
    this.#isGone = false
    this.#created = null
    this.#sending = null
    this.#set([])
    if (!id) return
    this.#connect()
    await this.refresh()
  }

  // Ask the server for the messages; what is being read here stays as it is.
  refresh() {
    this.#asking ??= this.#refresh().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  // `key` names this send: asked again with the same key, the server does it once.
  async send(text, { key, assistant }) {
    this.#sending = this.#send(text, { key, assistant })
    try {
      await this.#sending
    } finally {
      this.#sending = null
    }
  }

  async retry(messageId, { assistant }) {
    const { parent_id } = this.#all.find((message) => message.id === messageId)
    const visit = this.#visit
    const { reply_id, run_id } = await this.#api.regenerate(messageId, { assistant })
    if (visit !== this.#visit) return
    this.#version += 1
    this.#add([newReply({ id: reply_id, run_id, parent_id, assistant })])
    this.#hooks.onStarted(run_id)
  }

  async stop() {
    if (this.live) await this.#api.cancel(this.live.run_id)
  }

  // Read over the other wire from now on.
  rewire(makeFollower) {
    this.#makeFollower = makeFollower
    if (!this.#id) return
    this.#connect()
    this.#connection(true)
    this.#readOpenRuns()
  }

  pause() {
    this.#isPaused = true
    this.#follower?.pause()
    clearTimeout(this.#timer)
    this.#connection(true)
  }

  resume() {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#follower?.resume()
    this.refresh()
  }

  // A run that somebody started in this conversation; this page may know it already.
  async hearOf(runId) {
    await this.#sending?.catch(() => {})
    const isKnown = () => this.#all.some((message) => message.run_id === runId)
    if (!isKnown()) await this.refresh()
    if (!isKnown()) await this.refresh() // the answer was on its way before the run was made
  }

  async #refresh() {
    const [id, version] = [this.#id, this.#version]
    if (!id || this.#isGone) return
    try {
      const stored = await this.#api.messages(id)
      if (version !== this.#version) return await this.#refresh()
      this.#failures = 0
      this.#connection(true)
      this.#set(merge(this.#all, stored))
    } catch (error) {
      if (version !== this.#version) return await this.#refresh()
      if (error.status === 404) this.#gone()
      else if (error.status !== 401) this.#refreshLater()
    }
  }

  #refreshLater() {
    this.#connection(false)
    clearTimeout(this.#timer)
    if (!this.#isPaused) this.#timer = setTimeout(() => this.refresh(), pauseBefore(this.#failures++))
  }

  async #send(text, { key, assistant }) {
    const visit = this.#visit // the person may have gone elsewhere before the server answers
    const isHere = () => visit === this.#visit
    const parent_id = this.#shown.findLast((message) => message.role === "assistant")?.id
    if (this.#attempt?.key !== key) this.#attempt = { key, fields: { text, parent_id, assistant } }
    const { fields } = this.#attempt // what was asked with this key before is asked again, whatever is shown by now
    let id = this.#id
    if (!id) {
      const created = await this.#api.createConversation({ assistant })
      id = created.id
      if (isHere()) this.#adopt(created)
    }
    let accepted
    try {
      accepted = await this.#api.send(id, fields, key)
    } catch (error) {
      if (isHere() && error.isRefusal) this.#uncreate()
      throw error
    }
    if (!isHere()) return
    this.#version += 1
    const { message_id, reply_id, run_id } = accepted
    const asked = { id: message_id, parent_id: fields.parent_id, role: "user", text, status: "completed", parts: [] }
    this.#add([asked, newReply({ id: reply_id, run_id, parent_id: message_id, assistant })])
    if (this.#created) this.#hooks.onCreated(this.#created)
    this.#created = null
    this.#hooks.onStarted(run_id)
  }

  #adopt(created) {
    this.#created = created
    this.#id = created.id
    this.#connect()
  }

  // The first message was refused: nobody wants to find the empty conversation in the list.
  #uncreate() {
    if (!this.#created) return
    this.#api.deleteConversation(this.#id).catch(() => {})
    this.#follower.close()
    this.#follower = this.#created = this.#id = null
  }

  #connect() {
    this.#follower?.close()
    this.#follower = this.#makeFollower(this.#id, {
      onEvent: (runId, event, seq) => this.#take(runId, event, seq),
      onOver: () => this.refresh(),
      onGone: () => this.refresh(),
      onConnection: (isUp) => this.#connection(isUp),
      onAnnounce: ({ run_id }) => this.hearOf(run_id),
      onAnonymous: () => this.#hooks.onAnonymous(),
    })
    if (this.#isPaused) this.#follower.pause()
  }

  #take(runId, event, seq) {
    const index = this.#all.findIndex((message) => message.run_id === runId)
    const old = this.#all[index]
    const reply = old && apply(old, event, seq)
    if (reply === old) return
    this.#connection(true)
    this.#set(this.#all.with(index, reply))
    if (!isEnd(event)) return
    this.#hooks.onEnded(reply)
    // After a crash the row tells it better: this page may have read more than was kept.
    if (reply.isSnapshot || reply.status === "interrupted") this.refresh()
  }

  #add(messages) {
    const known = new Set(this.#all.map((message) => message.id))
    this.#set([...this.#all, ...messages.filter((message) => !known.has(message.id))])
  }

  #set(messages) {
    this.#all = messages
    this.#shown = branch(messages)
    this.#readOpenRuns()
    this.#hooks.onChange()
  }

  #readOpenRuns() {
    if (!this.#follower) return
    const open = new Set(this.#shown.filter(isOpen).map((message) => message.run_id))
    for (const { run_id: runId } of this.#all) {
      if (open.has(runId)) this.#follower.follow(runId, () => this.#position(runId))
      else if (runId) this.#follower.leave(runId)
    }
  }

  #position(runId) {
    return this.#all.find((message) => message.run_id === runId)?.seq ?? 0
  }

  #connection(isUp) {
    if (isUp === this.#isConnected) return
    this.#isConnected = isUp
    this.#hooks.onChange()
  }

  #gone() {
    this.#isGone = true
    this.#follower?.close()
    this.#hooks.onChange()
  }
}
