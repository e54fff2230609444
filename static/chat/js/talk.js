// The middle of the page: the open conversation, and what is done in it.

import { About } from "./about.js";
import { actionsOn } from "./actions.js";
import { Announcer } from "./announcer.js";
import { now } from "./clock.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { find, say } from "./dom.js";
import { Drafts } from "./drafts.js";
import { hearDrops } from "./dropping.js";
import { reveal } from "./found.js";
import { SocketFollower, StreamFollower } from "./follow.js";
import { Outbox } from "./outbox.js";
import { Picker } from "./picker.js";
import { prepare } from "./prose.js";
import { Quote } from "./quote.js";
import { Rating } from "./rating.js";
import { hearButtons } from "./reading.js";
import { Scroll } from "./scroll.js";
import { Starters } from "./starters.js";
import { Thread } from "./thread.js";
import { Viewer } from "./viewer.js";
import { words } from "./words.js";

const PAUSE = 3_000 // ms until older messages that did not come are asked for again

export class Talk {
  #api
  #hooks
  #wantsTemporary
  #drafts
  #row = null // the open conversation as the server has it
  #conversation
  #composer
  #outbox
  #connection
  #picker
  #thread
  #scroll
  #quote
  #starters
  #announcer = new Announcer(find("live"))
  #unstopped = null // a run whose stop did not reach the server, and is sent again with the connection
  #isDrawing = false
  #rest = 0 // ms, after a frame that cost much

  // `likes()`: {transport, send_key}; `isTemporary()`: whether a new chat is to be one. Hooks: onKnown(row), the open
  // conversation as the server has it; onCreated(row), the one that was new has its id; onTouched(id), something happened
  // in a conversation by this page; onAnonymous().
  constructor({ user, limit, likes, isTemporary }, api, hooks) {
    this.#api = api
    this.#hooks = hooks
    this.#wantsTemporary = isTemporary
    this.#conversation = new Conversation(api, makers[likes().transport](api), {
      onChange: () => this.#drawSoon(),
      onKnown: (row) => this.#know(row),
      onStarted: () => this.#started(),
      onEnded: (reply) => this.#ended(reply),
      onAnonymous: hooks.onAnonymous,
      whenSent: () => this.#outbox.whenSent(),
    })
    this.#outbox = new Outbox(api, {
      onChange: () => this.#drawSoon(),
      onOpened: () => this.#foundInOutbox(),
      onSent: (entry, accepted) => this.#sent(entry, accepted),
      onRefused: (entry, error) => this.#refused(entry, error),
    }, { user })
    this.#connection = new Connection({
      onChange: () => this.#drawSoon(),
      onBack: () => {
        this.#composer.reached()
        this.#outbox.nudge()
        if (this.#unstopped) this.#stop(this.#unstopped)
      },
    }, { reach: api.reach })
    api.hearOfContact((isUp) => this.#connection.hear(isUp))

    const viewer = new Viewer(find("viewer"))
    const nameOf = ({ assistant }) => this.#picker.nameOf(assistant) ?? assistant ?? words.assistant
    this.#picker = new Picker(find("picker"), document.getElementById("assistants"), () => {
      this.#composer.startAnew()
      this.#composer.keep()
      this.#composer.problem("")
      this.#composer.focus()
      this.#drawSoon()
    })
    this.#drafts = new Drafts(user)
    this.#composer = new Composer(find("composer"), {
      drafts: this.#drafts,
      limit,
      viewer,
      upload: api.upload,
      sendKey: () => likes().send_key,
      assistant: () => this.#picker.chosen,
      picked: () => this.#picker.picked,
      isKept: () => !this.#isTemporary,
      onSend: (said) => this.#send(said),
      onStop: () => this.#stop(),
    })
    this.#thread = new Thread(find("thread"), {
      nameOf,
      versionsOf: (turn) => this.#conversation.versionsOf(turn),
      sendKey: () => likes().send_key,
      onEdit: (message, text) => this.#edit(message, text),
      editOf: (id) => this.#editOf(id),
      keepEdit: (id, text) => this.#keepEdit(id, text),
      onAnswer: (runId, resume) => this.#answer(runId, resume),
      onUnsent: (text) => this.#foundUnsent(text),
      onLeave: () => this.#settle(),
      onAct: (...pressed) => act(...pressed),
    })
    this.#scroll = new Scroll(find("scroller"), find("thread"), (isAtEnd) => {
      find("to-end").hidden = isAtEnd
      if (!isAtEnd) return
      this.#thread.showEnd()
      this.#showWhetherThereIsMore()
    })
    this.#quote = new Quote(find("thread"), find("quote"), (passage) => this.#composer.quote(passage))
    this.#starters = new Starters(find("starters"), (text) => {
      this.#send({ key: api.newKey(), text, images: [], documents: [] })
      this.#composer.focus()
    })
    const act = actionsOn({
      conversation: this.#conversation,
      outbox: this.#outbox,
      composer: this.#composer,
      rating: new Rating(find("rating"), async ({ dataset }, feedback) => {
        await this.#conversation.rate(dataset.rated, feedback)
        this.announce(feedback.rating ? words.rated : words.ratingTakenBack)
      }),
      about: new About(find("about-popover"), { ask: api.run, nameOf }),
      viewer,
      turnTo: (view, leafId, name) => this.#turnTo(view, leafId, name),
      assistant: () => this.#picker.slug,
      announce: (sentence) => this.announce(sentence),
      settle: () => this.#settle(),
    })
    this.#listen()
    this.#askForAssistants()
  }

  get id() {
    return this.#conversation.id
  }

  // `id` null is a new one.
  async show(id, { hasFocus = matchMedia("(pointer: fine)").matches } = {}) {
    if (id) prepare()
    this.#thread.clear()
    const opened = this.#conversation.open(id)
    this.#composer.open(this.#conversation.place)
    this.#announcer.hush()
    this.#row = null
    if (!id) this.#picker.slug = this.#drafts.of(this.#conversation.place).assistant
    if (hasFocus) this.#composer.focus()
    this.#scroll.toEnd()
    await opened
  }

  // Something happened in a conversation elsewhere; `row` is what the server has of it.
  hear(row) {
    return this.#conversation.hear(row)
  }

  // Something may have happened that nobody told.
  refresh() {
    return this.#conversation.refresh()
  }

  // Show that message, and the words in it that were looked for.
  async reveal(messageId, search) {
    if (!(await this.#conversation.find(messageId).catch(() => false))) return
    if (!this.#conversation.shows(messageId)) await this.#conversation.turnTo(this.#conversation.endBehind(messageId)).catch(() => {})
    this.#draw()
    const element = this.#thread.elementOf(messageId)
    if (element) reveal(element, search, (top) => this.#scroll.bringTo(top))
  }

  // Tells whether there was something to stop.
  stop() {
    if (!this.#conversation.live) return false
    this.#stop()
    return true
  }

  quote() {
    return this.#quote.take()
  }

  focus() {
    this.#composer.focus()
  }

  problem(sentence) {
    this.#composer.problem(sentence)
  }

  announce(sentence) {
    this.#announcer.say(sentence)
  }

  // They have changed.
  liked({ transport }) {
    this.#conversation.rewire(makers[transport](this.#api))
  }

  // A stream is open only while somebody may be looking.
  look(isVisible) {
    if (isVisible) this.#conversation.resume()
    else this.#conversation.pause()
  }

  // Nothing of what was being written stays in this browser.
  forget() {
    this.#composer.forget()
    this.#outbox.forget()
  }

  // Sending

  #send(said) {
    const { messages, place } = this.#conversation
    const isFirst = !this.#outbox.of(place).length
    const parent_id = isFirst ? messages.findLast(({ role }) => role === "assistant")?.id : undefined
    const assistant = this.#picker.slug
    this.#outbox.put({ ...said, place, parent_id, assistant, is_temporary: this.#isTemporary, at: now() })
    this.#scroll.toEnd()
  }

  #sent(entry, accepted) {
    this.#thread.rename(entry.key, accepted.message_id)
    const wasNew = !this.#conversation.id
    const isShown = this.#conversation.take(entry, accepted)
    if (isShown && wasNew) {
      this.#row = accepted.created
      this.#composer.moveTo(accepted.conversation_id)
      this.#hooks.onCreated(accepted.created)
    }
    if (!isShown) this.#hooks.onTouched(accepted.conversation_id)
  }

  // The server does not want it: back to where it was written, unless something else is there.
  #refused(entry, { message }) {
    if (entry.place !== this.#conversation.place || !this.#composer.isEmpty) return false
    this.#composer.restore({ ...entry, key: null })
    this.#composer.problem(message)
    return true
  }

  // What this tab did not get rid of before it was loaded anew.
  #foundInOutbox() {
    const place = this.#outbox.newPlace
    if (place && !this.#conversation.id && !this.#outbox.of(this.#conversation.place).length) {
      this.#conversation.open(null, place)
      this.#composer.open(place)
    }
    this.#drawSoon()
  }

  // Unless it has arrived after all.
  #foundUnsent(text) {
    this.#drafts.keepEdit(this.#conversation.place, null)
    if (this.#conversation.messages.some((message) => message.text === text)) return
    this.#composer.restore({ text, images: [], documents: [] })
  }

  #editOf(id) {
    const edit = this.#drafts.editOf(this.#conversation.place)
    return edit?.id === id ? edit.text : null
  }

  #keepEdit(id, text) {
    if (text === null && this.#editOf(id) === null) return // another one is kept
    if (!this.#isTemporary) this.#drafts.keepEdit(this.#conversation.place, text === null ? null : { id, text })
  }

  async #edit({ id, parts }, text) {
    const of = (type) => parts.filter((part) => part.type === type).map(({ type, ...rest }) => rest)
    const fields = { text, assistant: this.#picker.slug, images: of("image"), documents: of("document"), at: now() }
    await this.#conversation.edit(id, fields)
    this.#composer.focus()
  }

  async #answer(runId, resume) {
    this.#composer.problem("")
    try {
      await this.#conversation.answer(runId, resume)
      return true
    } catch ({ message }) {
      this.#composer.problem(message)
      return false
    }
  }

  async #stop(runId = this.#conversation.live?.run_id) {
    if (!runId) return
    this.#unstopped = null
    try {
      await this.#api.cancel(runId)
    } catch ({ message, status }) {
      if (!status) this.#unstopped = runId
      this.#composer.stopFailed(message)
    }
  }

  // What happens

  // What the person picked stays picked.
  #know(row) {
    if (this.#row?.id !== row.id) this.#picker.slug = row.assistant
    this.#row = row
    this.#hooks.onKnown(row)
  }

  get #isTemporary() {
    return this.id ? Boolean(this.#row?.is_temporary) : this.#wantsTemporary()
  }

  #started() {
    this.#scroll.toEnd()
    this.#announcer.begin(words.answering)
    this.#hooks.onTouched(this.id)
  }

  #ended({ id, status, error, interrupts }) {
    const sentence = error?.message || words[status] || (interrupts.length ? words.asking : words.answered)
    this.#announcer.end(sentence, () => this.#thread.elementOf(id))
    this.#hooks.onTouched(this.id)
  }

  // Show another version, with its message where the one before was; the keyboard stays on the arrow.
  async #turnTo(view, leafId, name) {
    const turned = this.#conversation.turnTo(leafId)
    const index = [...find("thread").children].indexOf(view.element)
    let element
    this.#scroll.keep(view.element, () => {
      this.#draw()
      return (element = find("thread").children[index])
    })
    if (element) find(name, element).focus({ preventScroll: true })
    await turned
  }

  // Where the keyboard goes when what it was on has gone. A phone shows its keyboard for a field that has it.
  #settle() {
    const { activeElement } = document
    if (activeElement && activeElement !== document.body && activeElement.checkVisibility?.() !== false) return
    if (matchMedia("(pointer: fine)").matches) this.#composer.focus()
    else find("thread").focus({ preventScroll: true })
  }

  async #askForAssistants() {
    try {
      this.#picker.items = await this.#api.assistants()
      this.#drawSoon()
    } catch ({ message }) {
      this.#composer.problem(message)
    }
  }

  #listen() {
    hearButtons(find("thread"))
    find("composer").addEventListener("input", prepare) // an answer is to come
    hearDrops(find("main"), (files) => {
      this.#composer.problem("")
      this.#composer.addFiles(files)
      this.#composer.focus()
    })
    find("to-end").addEventListener("click", () => {
      this.#scroll.toEnd()
      this.#settle()
    })
    document.documentElement.classList.toggle("no-clipboard", !navigator.clipboard)
    setInterval(() => this.#tick(), 500)
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#connection.look())
    const watcher = new IntersectionObserver(([{ isIntersecting }]) => {
      if (isIntersecting) this.#showEarlier(watcher)
    }, { root: find("scroller"), rootMargin: "600px 0px 0px" })
    watcher.observe(find("beginning"))
  }

  #tick() {
    const { live } = this.#conversation
    this.#thread.tick(now())
    this.#announcer.tick(live ? this.#thread.elementOf(live.id) : null)
  }

  async #showEarlier(watcher) {
    const beginning = find("beginning")
    watcher.unobserve(beginning)
    try {
      if (!this.#thread.hasEarlier) await this.#conversation.askForOlder()
      this.#draw()
      const first = find("thread").firstElementChild
      this.#scroll.keep(first, () => {
        this.#thread.showEarlier()
        return first
      })
      this.#showWhetherThereIsMore()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
    watcher.observe(beginning) // it may be in sight still, and then more of them are wanted
  }

  #showWhetherItIsGone(isGone) {
    const [gone, form] = [find("gone"), find("composer")]
    if (form.hidden === isGone) return
    const hadFocus = [gone, form].some((element) => element.contains(document.activeElement))
    gone.hidden = !isGone
    form.hidden = isGone
    if (!hadFocus) return
    if (isGone) gone.querySelector("a").focus()
    else this.#composer.focus()
  }

  #showWhetherThereIsMore() {
    find("beginning").hidden = !this.#thread.hasEarlier && !this.#conversation.hasOlder
  }

  // Drawing: at most once a frame, and with a rest after a frame that cost much

  #drawSoon() {
    if (this.#isDrawing) return
    this.#isDrawing = true
    const atNextFrame = () => requestAnimationFrame(() => this.#draw())
    if (this.#rest > 8) setTimeout(atNextFrame, this.#rest)
    else atNextFrame()
  }

  #draw() {
    this.#isDrawing = false
    const began = performance.now()
    const { id, messages, place, live, isGone, isConnected } = this.#conversation
    const waiting = this.#outbox.of(place)
    const isEmpty = !id && !messages.length && !waiting.length
    this.#thread.show(messages, waiting)
    this.#composer.live(live?.id ?? null)
    this.#starters.show(isEmpty ? this.#picker.chosen?.starters ?? [] : [])
    find("main").classList.toggle("main--empty", isEmpty)
    this.#showWhetherItIsGone(isGone)
    this.#showWhetherThereIsMore()
    this.#connection.hear(isConnected, "stream")
    this.#showConnection(this.#connection.state)
    this.#rest = 2 * (performance.now() - began)
  }

  // While it is lost, nobody knows what an answer waits for.
  #showConnection(state) {
    say(find("connection"), words.connection[state] ?? "")
    find("connection").dataset.state = state
    find("thread").classList.toggle("thread--unheard", state === "reconnecting" || state === "offline")
  }
}

const makers = {
  sse: (api) => (id, listener) => new StreamFollower(listener, { ask: api.run }),
  websocket: (api) => (conversationId, listener) => new SocketFollower(listener, { conversationId, ask: api.run }),
}
