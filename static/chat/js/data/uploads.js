// Uploads the files of the message that is being written: a few at a time, and again after the connection was lost. No DOM.
//
// An item is { file, state, progress, problem, canRetry, part }. `state` is "waiting", "delayed" (the server asked to wait),
// "offline" (waiting for the connection), "uploading", "reading" (the server has it and reads it), "done" or "failed"; `progress` is the
// part that was sent, from 0 to 1; `part` is the message's part, once it is known.

const MAX_CONCURRENT = 3 // the server works on four calls of a user at a time
const MAX_ATTEMPTS = 5 // that end without a response while the server can be reached, or with a request to wait
const MAX_WAIT = 60 // s that the server may ask to wait
const LASTING_CODES = ["storage_full", "too_many_images"] // refusals that the user can do something about

export class Uploads {
  #upload
  #onChange
  #items = [] // that have not arrived

  /** `upload(file, { onProgress, signal })` resolves to the server's answer; `onChange(item)` is called after each change. */
  constructor(upload, onChange) {
    this.#upload = upload
    this.#onChange = onChange
  }

  add(item) {
    Object.assign(item, { state: "waiting", progress: 0, problem: "", canRetry: false, attempts: 0 })
    this.#items.push(item)
    this.#startNext()
  }

  /** The user has removed the item. */
  remove(item) {
    this.#forget(item)
    item.abort?.abort()
    this.#startNext()
  }

  retry(item) {
    this.#forget(item)
    this.add(item)
  }

  /** The server can be reached again. */
  resume() {
    for (const item of this.#items) if (item.state === "offline") this.#change(item, { state: "waiting" })
    this.#startNext()
  }

  #startNext() {
    const running = this.#items.filter(({ abort }) => abort).length
    const waiting = this.#items.filter(({ state }) => state === "waiting")
    for (const item of waiting.slice(0, Math.max(0, MAX_CONCURRENT - running))) this.#run(item)
  }

  async #run(item) {
    const abort = new AbortController()
    item.abort = abort
    this.#change(item, { state: "uploading", progress: 0 })
    try {
      const onProgress = (progress) => {
        if (!abort.signal.aborted) this.#change(item, { progress, state: progress < 1 ? "uploading" : "reading" })
      }
      const answer = await this.#upload(item.file, { onProgress, signal: abort.signal })
      if (abort.signal.aborted) return
      this.#forget(item)
      this.#change(item, { state: "done", part: partOf(answer) })
    } catch (error) {
      if (!abort.signal.aborted) this.#onFailure(item, error)
    } finally {
      if (item.abort === abort) item.abort = null
      this.#startNext()
    }
  }

  #onFailure(item, { message, status, code, retryAfter, isRefusal }) {
    item.attempts += 1
    const isLast = item.attempts >= MAX_ATTEMPTS
    if (!status && !isLast) return this.#change(item, { state: "offline" })
    if (retryAfter && retryAfter <= MAX_WAIT && !isLast) return this.#retryAfter(item, retryAfter)
    const canRetry = !isRefusal || Boolean(retryAfter) || LASTING_CODES.includes(code)
    this.#change(item, { state: "failed", problem: message, canRetry })
  }

  // Its place is free for the others meanwhile.
  #retryAfter(item, seconds) {
    this.#change(item, { state: "delayed" })
    setTimeout(() => {
      if (item.state === "delayed" && this.#items.includes(item)) this.#change(item, { state: "waiting" })
      this.#startNext()
    }, seconds * 1000)
  }

  #forget(item) {
    this.#items = this.#items.filter((other) => other !== item)
  }

  #change(item, fields) {
    Object.assign(item, fields)
    this.#onChange(item)
  }
}

const partOf = ({ kind, url, ...fields }) => ({ type: kind, ...fields })
