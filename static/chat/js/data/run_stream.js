// Two ways to follow runs, with one interface: `follow(runId, position)`, `leave(runId)`, `pause`, `resume`, `close`.
// `position()` returns the `seq` of the last event that was applied.
//
// Both call a listener: `onEvent(runId, event, seq)`; `onRunEnded(runId)` when a run ended without its events being seen;
// `onNotFound()` when the run or the conversation does not exist (any more); `onConnection(isUp)`. The socket also calls
// `onRunCreated(run)` when a run was started here from elsewhere, and `onSignedOut()`. `getRun(runId)` fetches a run.

import { retryDelay } from "./backoff.js"
import { withUser } from "./page_user.js"
import { NOT_FOUND, ReconnectingSocket, SIGNED_OUT } from "./reconnecting_socket.js"
import { isInProgress, isTerminal } from "./reducer.js"

// The server sends a comment every 15 s, but scripts cannot see it, so a dead connection looks like a quiet one.
const SILENCE_TIMEOUT = 45_000 // ms
const EVENT_SOURCE_CLOSED = 2 // readyState of an EventSource that gave up

/** One EventSource per run. It reconnects by itself after a cut; when it gives up, a new one is opened. */
export class EventSourceStream {
  #listener
  #getRun
  #EventSource
  #runs = new Map() // by id: { id, position, source, timer, attempt, connection }
  #isPaused = false

  constructor(listener, { getRun, EventSource = globalThis.EventSource }) {
    this.#listener = listener
    this.#getRun = getRun
    this.#EventSource = EventSource
  }

  follow(runId, position) {
    if (this.#runs.has(runId)) return
    const run = { id: runId, position, attempt: 0, connection: 0 }
    this.#runs.set(runId, run)
    if (!this.#isPaused) this.#open(run)
  }

  leave(runId) {
    const run = this.#runs.get(runId)
    if (!run) return
    this.#close(run)
    this.#runs.delete(runId)
  }

  pause() {
    this.#isPaused = true
    for (const run of this.#runs.values()) this.#close(run)
  }

  resume() {
    if (!this.#isPaused) return
    this.#isPaused = false
    for (const run of this.#runs.values()) this.#open(run)
  }

  close() {
    for (const runId of [...this.#runs.keys()]) this.leave(runId)
  }

  #open(run) {
    this.#close(run)
    const source = new this.#EventSource(withUser(`/api/runs/${run.id}/events?after=${run.position()}`))
    run.source = source
    this.#restartSilenceTimer(run)
    source.onopen = () => this.#listener.onConnection(true)
    source.onmessage = ({ data, lastEventId }) => {
      const event = JSON.parse(data)
      run.attempt = 0
      this.#restartSilenceTimer(run)
      if (isTerminal(event)) this.leave(run.id)
      this.#listener.onEvent(run.id, event, Number(lastEventId))
    }
    source.onerror = () => {
      this.#listener.onConnection(false)
      if (source.readyState === EVENT_SOURCE_CLOSED) this.#reopenLater(run)
    }
  }

  #close(run) {
    run.source?.close()
    run.source = null
    run.connection += 1 // outdates requests that were made for the previous connection
    clearTimeout(run.timer)
  }

  #restartSilenceTimer(run) {
    clearTimeout(run.timer)
    run.timer = setTimeout(() => this.#open(run), SILENCE_TIMEOUT)
  }

  async #reopenLater(run) {
    this.#close(run)
    const connection = run.connection
    const isWanted = await isStillRunning(run.id, this.#getRun, this.#listener)
    if (connection !== run.connection) return
    if (isWanted) {
      run.timer = setTimeout(() => this.#open(run), retryDelay(run.attempt))
      run.attempt += 1
    } else this.leave(run.id)
  }
}

/** One WebSocket per conversation, which also announces runs that are started elsewhere. */
export class WebSocketStream {
  #listener
  #getRun
  #socket
  #positions = new Map() // by run id
  #silenceTimer
  #isPaused = false

  constructor(listener, { conversationId, getRun, ...options }) {
    this.#listener = listener
    this.#getRun = getRun
    this.#socket = new ReconnectingSocket(
      `/ws/conversations/${conversationId}`,
      {
        onOpen: () => this.#onOpen(),
        onMessage: (message) => this.#onMessage(message),
        onClose: (code) => this.#onClose(code),
      },
      options,
    )
    this.#open()
  }

  follow(runId, position) {
    if (this.#positions.has(runId)) return
    this.#positions.set(runId, position)
    if (this.#socket.isOpen) this.#sendFollow(runId)
  }

  leave(runId) {
    this.#positions.delete(runId)
  }

  pause() {
    this.#isPaused = true
    clearTimeout(this.#silenceTimer)
    this.#socket.close()
  }

  resume() {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#open()
  }

  close() {
    this.#positions.clear()
    this.pause()
  }

  #open() {
    this.#socket.open()
    this.#restartSilenceTimer()
  }

  #onOpen() {
    this.#restartSilenceTimer()
    this.#listener.onConnection(true)
    for (const runId of this.#positions.keys()) this.#sendFollow(runId)
  }

  #onMessage(message) {
    this.#socket.resetDelay()
    this.#restartSilenceTimer()
    if (message.type === "run.created") return this.#listener.onRunCreated(message)
    const { runId, seq } = message
    if (!this.#positions.has(runId) || !seq) return
    if (isTerminal(message)) this.leave(runId)
    this.#listener.onEvent(runId, message, seq)
  }

  async #onClose(code) {
    clearTimeout(this.#silenceTimer)
    this.#listener.onConnection(false)
    if (code === NOT_FOUND) return this.#listener.onNotFound()
    if (code === SIGNED_OUT) return this.#listener.onSignedOut()
    for (const runId of this.#positions.keys()) {
      if (!(await isStillRunning(runId, this.#getRun, this.#listener))) this.leave(runId)
    }
  }

  #sendFollow(runId) {
    this.#socket.send({ type: "run.follow", run_id: runId, after: this.#positions.get(runId)() })
  }

  // While nothing is followed, silence is no sign of a dead connection.
  #restartSilenceTimer() {
    clearTimeout(this.#silenceTimer)
    this.#silenceTimer = setTimeout(() => {
      if (this.#positions.size) this.#open()
      else this.#restartSilenceTimer()
    }, SILENCE_TIMEOUT)
  }
}

/** Returns what makes a stream for a conversation, over the transport that the user prefers: sse or websocket. */
export const streamFactory = (transport, getRun) => (conversationId, listener) =>
  transport === "websocket"
    ? new WebSocketStream(listener, { conversationId, getRun })
    : new EventSourceStream(listener, { getRun })

// Returns whether there are events left to read; informs the listener if not. Without a response, it keeps trying.
async function isStillRunning(runId, getRun, listener) {
  try {
    if (isInProgress(await getRun(runId))) return true
    listener.onRunEnded(runId)
    return false
  } catch (error) {
    if (error.status === 404) listener.onNotFound()
    return ![401, 403, 404].includes(error.status)
  }
}
