// A WebSocket that reconnects, with growing delays, until it is closed or the server refuses it.

import { retryDelay } from "./backoff.js"
import { ANOTHER_USER, reportAnotherUser, withUser } from "./page_user.js"

export const SIGNED_OUT = 4401 // close codes of the server
export const NOT_FOUND = 4404

export class ReconnectingSocket {
  #url
  #listener
  #WebSocket
  #socket = null
  #attempt = 0
  #timer

  /**
   * Listener: `onOpen()`, `onMessage(message)` and `onClose(code)` when the connection was lost. After SIGNED_OUT and
   * NOT_FOUND it does not reconnect.
   */
  constructor(path, listener, { WebSocket = globalThis.WebSocket, origin = globalThis.location?.origin } = {}) {
    this.#url = origin.replace(/^http/, "ws") + withUser(path)
    this.#listener = listener
    this.#WebSocket = WebSocket
  }

  get isOpen() {
    return this.#socket?.readyState === 1
  }

  /** Whether there is neither a connection nor one on its way. */
  get isClosed() {
    return !this.#socket || this.#socket.readyState > 1
  }

  /** Connects. A connection that exists is replaced. */
  open() {
    this.close()
    const socket = new this.#WebSocket(this.#url)
    this.#socket = socket
    socket.onopen = () => this.#listener.onOpen()
    socket.onmessage = ({ data }) => this.#listener.onMessage(JSON.parse(data))
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#onClose(code)
    }
  }

  /** Closes the connection for good; `open()` connects again. */
  close() {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }

  send(message) {
    this.#socket.send(JSON.stringify(message))
  }

  /** The connection works: the next delay is the shortest again. */
  resetDelay() {
    this.#attempt = 0
  }

  #onClose(code) {
    this.close()
    if (code === ANOTHER_USER) return reportAnotherUser()
    if (code !== SIGNED_OUT && code !== NOT_FOUND) {
      this.#timer = setTimeout(() => this.open(), retryDelay(this.#attempt))
      this.#attempt += 1
    }
    this.#listener.onClose(code)
  }
}
