// Two readers of runs with one interface: `follow(runId, position)`, `leave`, `pause`, `resume`, `close`.
//
// Both tell a listener the same: onEvent(runId, event, seq) · onOver(runId): it ended without this reader seeing how ·
// onGone(): no such run or conversation, or not yours · onConnection(isUp) · and, over the socket only,
// onAnnounce(run): somebody started a run here · onAnonymous(): the session ended.
// `position` says which event was the last one applied; `ask(runId)` fetches the run.

import { isEnd, isOpen } from "./state.js";

// The server breathes every 15 s, but a page cannot see that, nor tell a dead connection from a quiet one.
const SILENCE = 45_000 // ms
const LONGEST_PAUSE = 20_000 // ms
const CLOSED = 2 // readyState of an EventSource that gave up
const ANONYMOUS = 4401
const STRANGER = 4404

export const pauseBefore = (attempt, random = Math.random) =>
  Math.min(LONGEST_PAUSE, 500 * 2 ** attempt) * (0.5 + random() / 2)

// One EventSource per run. It reconnects by itself after a cut; when it gives up, this opens a new one.
export class StreamFollower {
  #listener
  #ask
  #EventSource
  #runs = new Map()
  #isPaused = false

  constructor(listener, { ask, EventSource = globalThis.EventSource }) {
    this.#listener = listener
    this.#ask = ask
    this.#EventSource = EventSource
  }

  follow(runId, position) {
    if (this.#runs.has(runId)) return
    const run = { id: runId, position, attempt: 0, turn: 0 }
    this.#runs.set(runId, run)
    if (!this.#isPaused) this.#open(run)
  }

  leave(runId) {
    const run = this.#runs.get(runId)
    if (!run) return
    this.#shut(run)
    this.#runs.delete(runId)
  }

  pause() {
    this.#isPaused = true
    for (const run of this.#runs.values()) this.#shut(run)
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
    this.#shut(run)
    const source = new this.#EventSource(`/api/runs/${run.id}/events?after=${run.position()}`)
    run.source = source
    this.#watch(run)
    source.onopen = () => this.#listener.onConnection(true)
    source.onmessage = ({ data, lastEventId }) => {
      const event = JSON.parse(data)
      run.attempt = 0
      this.#watch(run)
      if (isEnd(event)) this.leave(run.id)
      this.#listener.onEvent(run.id, event, Number(lastEventId))
    }
    source.onerror = () => {
      this.#listener.onConnection(false)
      if (source.readyState === CLOSED) this.#tryAgain(run)
    }
  }

  #shut(run) {
    run.source?.close()
    run.source = null
    run.turn += 1 // whoever still waits for an answer about the connection before has waited in vain
    clearTimeout(run.timer)
  }

  #watch(run) {
    clearTimeout(run.timer)
    run.timer = setTimeout(() => this.#open(run), SILENCE)
  }

  async #tryAgain(run) {
    this.#shut(run)
    const turn = run.turn
    const isWanted = await stillRunning(run.id, this.#ask, this.#listener)
    if (turn !== run.turn) return
    if (isWanted) run.timer = setTimeout(() => this.#open(run), pauseBefore(run.attempt++))
    else this.leave(run.id)
  }
}

// One WebSocket per conversation, which also hears of runs that others start in it.
export class SocketFollower {
  #listener
  #ask
  #WebSocket
  #url
  #socket = null
  #runs = new Map()
  #attempt = 0
  #timer
  #isPaused = false

  constructor(listener, { conversationId, ask, WebSocket = globalThis.WebSocket, origin = globalThis.location?.origin }) {
    this.#listener = listener
    this.#ask = ask
    this.#WebSocket = WebSocket
    this.#url = `${origin.replace(/^http/, "ws")}/ws/conversations/${conversationId}`
    this.#open()
  }

  follow(runId, position) {
    if (this.#runs.has(runId)) return
    this.#runs.set(runId, position)
    this.#read(runId)
  }

  leave(runId) {
    this.#runs.delete(runId)
  }

  pause() {
    this.#isPaused = true
    this.#shut()
  }

  resume() {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#open()
  }

  close() {
    this.#runs.clear()
    this.pause()
  }

  #open() {
    this.#shut()
    const socket = new this.#WebSocket(this.#url)
    this.#socket = socket
    this.#watch()
    socket.onopen = () => {
      this.#listener.onConnection(true)
      for (const runId of this.#runs.keys()) this.#read(runId)
    }
    socket.onmessage = ({ data }) => {
      this.#attempt = 0
      this.#watch()
      this.#hear(JSON.parse(data))
    }
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code)
    }
  }

  #read(runId) {
    if (this.#socket?.readyState !== 1) return // onopen will ask for it
    this.#socket.send(JSON.stringify({ type: "run.follow", run_id: runId, after: this.#runs.get(runId)() }))
  }

  #hear(event) {
    if (event.type === "run.created") return this.#listener.onAnnounce(event)
    const { runId, seq } = event
    if (!this.#runs.has(runId) || !seq) return
    if (isEnd(event)) this.leave(runId)
    this.#listener.onEvent(runId, event, seq)
  }

  #shut() {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }

  #watch() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => (this.#runs.size ? this.#open() : this.#watch()), SILENCE)
  }

  async #lost(code) {
    this.#shut()
    this.#listener.onConnection(false)
    if (code === STRANGER) return this.#listener.onGone()
    if (code === ANONYMOUS) return this.#listener.onAnonymous()
    this.#timer = setTimeout(() => this.#open(), pauseBefore(this.#attempt++))
    for (const runId of this.#runs.keys()) {
      if (!(await stillRunning(runId, this.#ask, this.#listener))) this.leave(runId)
    }
  }
}

// Is there anything left to read? Tells the listener where there is not; without an answer the reader goes on trying.
async function stillRunning(runId, ask, listener) {
  try {
    if (isOpen(await ask(runId))) return true
    listener.onOver(runId)
    return false
  } catch (error) {
    if (error.status === 404) listener.onGone()
    return ![401, 403, 404].includes(error.status)
  }
}
