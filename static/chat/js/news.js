// Hears what becomes of the person's conversations, in whatever window or browser it happens: one socket for the page.
//
// Tells a listener: onChanged(conversation) · onDeleted(id) · onReady(): from now on it hears · onAgain(): it hears again,
// and there may have been news that nobody heard · onAnonymous(): the session ended.

import { pauseBefore } from "./follow.js";

const ANONYMOUS = 4401
const ABSENCE = 30_000 // ms in the background after which a socket may be dead without anybody having noticed

export class News {
  #listener
  #WebSocket
  #now
  #url
  #socket = null
  #isFirst = true
  #attempt = 0
  #timer
  #hiddenSince = null

  constructor(listener, { WebSocket = globalThis.WebSocket, origin = globalThis.location?.origin, now = Date.now } = {}) {
    this.#listener = listener
    this.#WebSocket = WebSocket
    this.#now = now
    this.#url = `${origin.replace(/^http/, "ws")}/ws/news`
    this.open()
  }

  get isConnected() {
    return this.#socket?.readyState === 1
  }

  open() {
    this.close()
    const socket = new this.#WebSocket(this.#url)
    const isFirst = this.#isFirst
    this.#socket = socket
    this.#isFirst = false
    socket.onopen = () => {
      this.#attempt = 0
      if (isFirst) this.#listener.onReady()
      else this.#listener.onAgain()
    }
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data))
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code)
    }
  }

  close() {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }

  // The page goes to the back.
  hide() {
    this.#hiddenSince = this.#now()
  }

  // It comes to the front again: whoever looks sees how things are.
  show() {
    const absence = this.#now() - (this.#hiddenSince ?? this.#now())
    this.#hiddenSince = null
    if (!this.#socket || this.#socket.readyState > 1 || absence > ABSENCE) this.open() // which tells it, once it is open
    else if (this.isConnected) this.#listener.onAgain()
  }

  #hear({ type, conversation, id }) {
    if (type === "conversation.changed") this.#listener.onChanged(conversation)
    if (type === "conversation.deleted") this.#listener.onDeleted(id)
  }

  #lost(code) {
    this.close()
    if (code === ANONYMOUS) return this.#listener.onAnonymous()
    this.#timer = setTimeout(() => this.open(), pauseBefore(this.#attempt++))
  }
}
