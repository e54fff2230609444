// Changes to the user's conversations that happen in other windows and browsers: one socket for the page. It also tells the
// server which temporary conversation the page shows, and is asked every few seconds whether it still does: a browser answers
// a socket at once even where timers of a page in the background come once a minute.
//
// Listener: `onChanged(conversation)`; `onDeleted(id)`; `onReady()` once changes are received; `onMissed()` when they are
// received again, and some may have been missed; `onSignedOut()`.

import { ReconnectingSocket, SIGNED_OUT } from "./reconnecting_socket.js"

const SILENCE_TIMEOUT = 15_000 // ms without a question of the server, of which there is one every 5 s
const MAX_ABSENCE = 30_000 // ms in the background after which a socket may be dead without a sign

export class Updates {
  #listener
  #now
  #socket
  #mayHaveMissed = false // changes, because the first connection failed or was lost
  #hiddenSince = null
  #kept = null // id of the temporary conversation that the page shows
  #silenceTimer

  constructor(listener, { now = Date.now, ...options } = {}) {
    this.#listener = listener
    this.#now = now
    this.#socket = new ReconnectingSocket(
      "/ws/news",
      {
        onOpen: () => this.#onOpen(),
        onMessage: (message) => this.#onMessage(message),
        onClose: (code) => this.#onClose(code),
      },
      options,
    )
    this.#socket.open()
  }

  get isConnected() {
    return this.#socket.isOpen
  }

  /** The page shows this temporary conversation, until this is called again; null: it shows none. */
  keep(id) {
    if (id === this.#kept) return
    this.#kept = id
    if (this.isConnected) this.#sayKept()
    this.#restartSilenceTimer()
  }

  /** The user sees the last answer of this conversation. Returns whether the server is told. */
  see(id) {
    if (this.isConnected) this.#socket.send({ type: "conversation.seen", conversation_id: id })
    return this.isConnected
  }

  close() {
    clearTimeout(this.#silenceTimer)
    this.#socket.close()
  }

  /** The page goes to the background. */
  hide() {
    this.#hiddenSince = this.#now()
  }

  /** The page is visible again, and shows the current state. */
  show() {
    const absence = this.#now() - (this.#hiddenSince ?? this.#now())
    this.#hiddenSince = null
    if (this.#socket.isClosed || absence > MAX_ABSENCE) {
      this.#mayHaveMissed = true
      this.#socket.open()
    } else if (this.isConnected) this.#listener.onMissed()
  }

  #onOpen() {
    this.#socket.resetDelay()
    if (this.#mayHaveMissed) this.#listener.onMissed()
    else this.#listener.onReady()
    this.#mayHaveMissed = true
    if (this.#kept) this.#sayKept()
    this.#restartSilenceTimer()
  }

  #onClose(code) {
    clearTimeout(this.#silenceTimer)
    this.#mayHaveMissed = true
    if (code === SIGNED_OUT) this.#listener.onSignedOut()
  }

  #onMessage({ type, conversation, id, error }) {
    this.#restartSilenceTimer()
    if (type === "conversation.show_again") this.#sayKept()
    if (type === "error" && error.code === "not_found" && this.#kept) this.#listener.onDeleted(this.#kept)
    if (type === "conversation.changed") this.#listener.onChanged(conversation)
    if (type === "conversation.deleted") this.#listener.onDeleted(id)
  }

  #sayKept() {
    this.#socket.send({ type: "conversation.show", conversation_id: this.#kept })
  }

  // A connection that died without a sign would let the server delete what this page shows.
  #restartSilenceTimer() {
    clearTimeout(this.#silenceTimer)
    if (!this.#kept) return
    this.#silenceTimer = setTimeout(() => {
      this.#mayHaveMissed = true
      this.#socket.open()
    }, SILENCE_TIMEOUT)
  }
}
