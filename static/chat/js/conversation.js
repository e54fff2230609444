// The open conversation: its messages, the runs that write in it, and what a person does with it. Knows no DOM.

import { newKey } from "./api.js";
import { Branches } from "./branches.js";
import { now } from "./clock.js";
import { pauseBefore } from "./follow.js";
import { apply, branch, isEnd, isOpen, liveIn, merge, newReply } from "./state.js";

const MANY = 100 // messages at a time; those before are asked for when somebody wants them

export class Conversation {
  #api
  #hooks
  #makeFollower
  #id = null
  #place = null
  #visit = {} // one per opening
  #all = [] // the newest messages without gaps, oldest first
  #leaf = null // the message where the branch that is shown ends; null: the newest
  #shown = [] // that branch
  #branches = null // of #all, once somebody asks
  #follower = null
  #isConnected = true
  #isPaused = false
  #isGone = false
  #hasOlder = false // there are messages before those of #all
  #older = null // while they are asked for
  #keys = new Map() // what was asked without an answer -> the key it was asked with
  #asking = null
  #heard = null // the last row that was told
  #failures = 0
  #timer
  #version = 0 // grows with every change by this page, so that an older answer of the server is not taken for news
  #turning = 0 // branches that this page has chosen and the server does not know yet

  // Hooks: onChange() whenever there is something else to show; onKnown(row) with the conversation as the server has it;
  // onStarted(runId) by this page; onEnded(reply); onAnonymous() where the session ended; whenSent() resolves when no
  // message is on its way to the server.
  constructor(api, makeFollower, hooks) {
    this.#api = api
    this.#makeFollower = makeFollower
    this.#hooks = hooks
  }

  get id() {
    return this.#id
  }

  // Its id, or while it has none, a name that no other new one has.
  get place() {
    return this.#place
  }

  get messages() {
    return this.#shown
  }

  // The versions of this turn of `messages`: see Branches.
  versionsOf(turn) {
    this.#branches ??= new Branches(this.#all)
    return this.#branches.of(turn)
  }

  // The reply that is being written, if there is one.
  get live() {
    return liveIn(this.#shown)
  }

  has(messageId) {
    return this.#all.some(({ id }) => id === messageId)
  }

  shows(messageId) {
    return this.#shown.some(({ id }) => id === messageId)
  }

  // The message in which the newest branch behind this one ends.
  endBehind(messageId) {
    this.#branches ??= new Branches(this.#all)
    return this.#branches.endOf(messageId)
  }

  get hasOlder() {
    return this.#hasOlder
  }

  get isConnected() {
    return this.#isConnected
  }

  get isGone() {
    return this.#isGone
  }

  // Without an id it is a new one, which gets it with its first message.
  async open(id, place = id ?? newPlace()) {
    clearTimeout(this.#timer)
    this.#follower?.close()
    this.#follower = null
    this.#id = id
    this.#place = place
    this.#visit = {}
    this.#version += 1
    this.#isConnected = true
    this.#isGone = false
    this.#hasOlder = false
    this.#older = null
    this.#leaf = null
    this.#set([])
    if (!id) return
    this.#connect()
    await this.refresh()
  }

  // Ask for messages before those that are here.
  askForOlder() {
    if (!this.#hasOlder) return null
    this.#older ??= this.#askForOlder().finally(() => {
      this.#older = null
    })
    return this.#older
  }

  // Tells whether this message is in the conversation, and asks for as many as it takes to have it here.
  async find(messageId) {
    const visit = this.#visit
    while (!this.has(messageId) && this.#hasOlder && visit === this.#visit) await this.askForOlder()
    return visit === this.#visit && this.has(messageId)
  }

  // Ask the server for the messages; what is being read here stays as it is.
  refresh() {
    this.#asking ??= this.#refresh().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  // The server has a message that was sent from `place`, as `entry` tells: see Outbox. True where it is shown here.
  take(entry, { conversation_id, message_id, reply_id, run_id }) {
    if (entry.place !== this.#place) return false
    if (!this.#id) {
      this.#id = this.#place = conversation_id
      this.#connect()
    }
    this.#begin([asked(entry, { id: message_id, parent_id: entry.parent_id })], { message_id, reply_id, run_id }, entry)
    return true
  }

  // Another answer to the same question.
  async regenerate(messageId, { assistant }) {
    const visit = this.#visit
    const accepted = await this.#once(`regenerate ${messageId} ${assistant}`, (key) =>
      this.#api.regenerate(messageId, { assistant }, key))
    if (visit === this.#visit) this.#begin([], accepted, { assistant })
  }

  // Another message in the place of this one, with an answer of its own.
  async edit(messageId, fields) {
    const visit = this.#visit
    const { text, assistant, documents, images } = fields
    const said = { text, assistant, documents, attachments: images.map(({ id }) => id) }
    const accepted = await this.#once(`edit ${messageId} ${JSON.stringify(said)}`, (key) => this.#api.edit(messageId, said, key))
    if (visit !== this.#visit) return
    const { parent_id } = this.#message(messageId)
    this.#begin([asked(fields, { id: accepted.message_id, parent_id })], accepted, fields)
    if (images.length) await this.refresh() // they have become others
  }

  // Let an answer that broke off go on.
  async goOn(messageId) {
    const visit = this.#visit
    try {
      const accepted = await this.#once(`continue ${messageId}`, (key) => this.#api.goOn(messageId, key))
      if (visit === this.#visit) this.#begin([], accepted, this.#message(messageId))
    } catch (error) {
      if (visit === this.#visit && error.isRefusal) await this.refresh() // somebody else was faster
      throw error
    }
  }

  // The person's yes or no to what this run waits for, as AG-UI's resume entries.
  async answer(runId, resume) {
    const visit = this.#visit
    try {
      const { assistant } = this.#all.find((message) => message.run_id === runId)
      const accepted = await this.#api.resume(runId, resume)
      if (visit === this.#visit) this.#begin([], accepted, { assistant })
    } catch (error) {
      if (visit === this.#visit && error.isRefusal) await this.refresh() // somebody else answered, or it is too late
      throw error
    }
  }

  // Delete a message that waits for its answer; what waits behind it goes on without it. Gives the message.
  async takeBack(messageId) {
    const visit = this.#visit
    const message = this.#message(messageId)
    try {
      await this.#api.takeBack(messageId)
    } catch (error) {
      if (visit === this.#visit && error.isRefusal) await this.refresh()
      throw error
    }
    if (visit !== this.#visit) return message
    this.#version += 1
    const gone = new Set([messageId, ...this.#all.filter(({ parent_id }) => parent_id === messageId).map(({ id }) => id)])
    const left = this.#all.filter(({ id }) => !gone.has(id))
    this.#set(left.map((one) => (gone.has(one.parent_id) ? { ...one, parent_id: message.parent_id } : one)))
    return message
  }

  // {rating: "up" | "down" | null, reason, comment}
  async rate(messageId, feedback) {
    const before = this.#message(messageId).feedback ?? null
    this.#change(messageId, { feedback: feedback.rating ? feedback : null })
    try {
      await this.#api.rate(messageId, feedback)
    } catch (error) {
      this.#change(messageId, { feedback: before })
      throw error
    }
  }

  // Show the branch that ends in this message, here and from now on everywhere.
  async turnTo(leafId) {
    const id = this.#id
    this.#leaf = leafId
    this.#turning += 1
    this.#set(this.#all)
    try {
      await this.#api.changeConversation(id, { leaf_id: leafId })
    } finally {
      this.#turning -= 1
      this.#version += 1
    }
  }

  // Read over the other wire from now on.
  rewire(makeFollower) {
    this.#makeFollower = makeFollower
    if (!this.#id) return
    this.#connect()
    this.#connection(true)
    this.#readLiveRun()
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
    await this.#hooks.whenSent()
    const isKnown = () => this.#all.some((message) => message.run_id === runId)
    if (!isKnown()) await this.refresh()
    if (!isKnown()) await this.refresh() // the answer was on its way before the run was made
  }

  // Something happened in a conversation: `row` is what the server has of it now.
  async hear(row) {
    if (row.id !== this.#id) return
    this.#heard = row
    await this.#hooks.whenSent()
    if (row.id !== this.#id) return
    if (this.#isGone) return await this.open(row.id) // it was deleted, and is back
    const last = this.#all.at(-1)
    const mayShrink = this.#shown.some((message) => isOpen(message) && message !== this.live)
    if (!last || mayShrink) return await this.refresh()
    try {
      const version = this.#version
      const newer = await this.#api.messages(row.id, { after: last.id })
      if (row !== this.#heard || version !== this.#version) return // what has happened meanwhile is told, too
      this.#know(row)
      const known = new Set(this.#all.map((message) => message.id))
      this.#set([...this.#all, ...merge([], newer.filter((message) => !known.has(message.id)))])
    } catch (error) {
      if (error.status === 404) await this.refresh() // the last one is gone
    }
  }

  async #askForOlder() {
    const [visit, first] = [this.#visit, this.#all[0].id]
    const older = await this.#api.messages(this.#id, { before: first, limit: MANY })
    if (visit !== this.#visit || this.#all[0]?.id !== first) return
    this.#hasOlder = older.length === MANY
    this.#set([...merge([], older), ...this.#all])
  }

  async #refresh() {
    const [id, version] = [this.#id, this.#version]
    if (!id || this.#isGone) return
    try {
      const [row, stored] = await Promise.all([this.#api.conversation(id), this.#api.messages(id, { limit: MANY })])
      if (version !== this.#version) return await this.#refresh()
      this.#failures = 0
      this.#connection(true)
      this.#know(row)
      this.#set([...this.#before(stored), ...merge(this.#all, stored)])
      if (this.#leaf) await this.find(this.#leaf)
    } catch (error) {
      if (version !== this.#version) return await this.#refresh()
      if (error.status === 404) this.#gone()
      else if (error.status !== 401) this.#refreshLater()
    }
  }

  // What is known of the messages before these.
  #before(stored) {
    const place = stored.length < MANY ? 0 : this.#all.findIndex(({ id }) => id === stored[0].id)
    if (place < 0 || stored.length < MANY) this.#hasOlder = place < 0
    return this.#all.slice(0, Math.max(0, place))
  }

  #know(row) {
    if (!this.#turning) this.#leaf = row.leaf_id
    this.#hooks.onKnown(row)
  }

  #refreshLater() {
    this.#connection(false)
    clearTimeout(this.#timer)
    if (!this.#isPaused) this.#timer = setTimeout(() => this.refresh(), pauseBefore(this.#failures++))
  }

  // Ask with a key, and again with the same one while nobody knows whether the server heard it.
  async #once(what, ask) {
    const key = this.#keys.get(what) ?? newKey()
    this.#keys.set(what, key)
    try {
      const answer = await ask(key)
      this.#keys.delete(what)
      return answer
    } catch (error) {
      if (error.isRefusal) this.#keys.delete(what)
      throw error
    }
  }

  // A reply to `message_id` is being written; it ends the branch that is shown.
  #begin(messages, { message_id, reply_id, run_id }, { assistant }) {
    this.#version += 1
    this.#leaf = null
    const reply = newReply({ id: reply_id, run_id, parent_id: message_id, assistant })
    this.#add([...messages, { ...reply, created_at: new Date(now()).toISOString() }])
    this.#hooks.onStarted(run_id)
  }

  #connect() {
    this.#follower?.close()
    this.#follower = this.#makeFollower(this.#id, {
      onEvent: (runId, event, seq) => this.#hearEvent(runId, event, seq),
      onOver: () => this.refresh(),
      onGone: () => this.refresh(),
      onConnection: (isUp) => this.#connection(isUp),
      onAnnounce: ({ run_id }) => this.hearOf(run_id),
      onAnonymous: () => this.#hooks.onAnonymous(),
    })
    if (this.#isPaused) this.#follower.pause()
  }

  #hearEvent(runId, event, seq) {
    const index = this.#all.findIndex((message) => message.run_id === runId)
    const old = this.#all[index]
    const reply = old && apply(old, event, seq)
    if (reply === old) return
    this.#connection(true)
    this.#replace(index, reply)
    if (!isEnd(event)) return
    this.#hooks.onEnded(reply)
    // After a crash the row tells it better: this page may have read more than was kept. And what was stopped before it
    // began may have been taken back.
    const mayBeGone = reply.status === "cancelled" && old.status === "queued"
    if (reply.isSnapshot || reply.status === "interrupted" || mayBeGone) this.refresh()
  }

  #message(id) {
    return this.#all.find((message) => message.id === id)
  }

  #change(id, fields) {
    const index = this.#all.findIndex((message) => message.id === id)
    this.#version += 1
    if (index >= 0) this.#replace(index, { ...this.#all[index], ...fields })
  }

  // The tree stays as it is.
  #replace(index, message) {
    const place = this.#shown.indexOf(this.#all[index])
    this.#all = this.#all.with(index, message)
    if (place >= 0) this.#shown = this.#shown.with(place, message)
    this.#readLiveRun()
    this.#hooks.onChange()
  }

  #add(messages) {
    const known = new Set(this.#all.map((message) => message.id))
    this.#set([...this.#all, ...messages.filter((message) => !known.has(message.id))])
  }

  #set(messages) {
    this.#all = messages
    this.#branches = null
    // The branch that was chosen may end in one that is not here yet.
    if (!this.#hasOlder || !this.#leaf || this.has(this.#leaf)) this.#shown = branch(messages, this.#leaf)
    this.#readLiveRun()
    this.#hooks.onChange()
  }

  // Only one at a time: browsers hold few connections, and those behind it have nothing to tell yet.
  #readLiveRun() {
    if (!this.#follower) return
    const wanted = this.live?.run_id
    for (const { run_id: runId } of this.#all) {
      if (runId && runId !== wanted) this.#follower.leave(runId)
    }
    if (wanted) this.#follower.follow(wanted, () => this.#position(wanted))
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

export const newPlace = () => `new:${newKey()}`

// What a person said, as the server stores it.
const asked = ({ text, images = [], documents = [], at }, { id, parent_id }) => ({
  id, parent_id, text, role: "user", status: "completed", run_id: null, feedback: null,
  created_at: new Date(at ?? now()).toISOString(),
  parts: [
    ...images.map((image) => ({ type: "image", ...image })),
    ...documents.map((document) => ({ type: "document", ...document })),
    { type: "text", text },
  ],
})
