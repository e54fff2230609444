// The server's JSON calls. A call that fails throws a Failure with a sentence for the user.

import { strings } from "../i18n/strings.js"
import { pageUser, reportAnotherUser, withUser } from "./page_user.js"
import { setClock } from "./server_clock.js"

const SEND_TIMEOUT = 30_000 // ms; a send with an idempotency key can be repeated
const PING_TIMEOUT = 5_000 // ms
const UPLOAD_TIMEOUT = 30_000 // ms without progress of an upload
const READ_TIMEOUT = 180_000 // ms that the server may take to read what was uploaded, and to wait for its turn

export class Failure extends Error {
  constructor(message, { status = 0, code = "unreachable", retryAfter = 0 } = {}) {
    super(message)
    this.status = status // 0: there was no response
    this.code = code
    this.retryAfter = retryAfter // s after which the same request may succeed; 0 if the server does not say
  }

  /**
   * Whether the server refused. After any other failure it is unknown whether it did what it was asked. What another user's
   * session refuses is kept for its own user.
   */
  get isRefusal() {
    return this.code !== "another_user" && this.status >= 400 && this.status < 500
  }
}

export const assistants = async () => (await call("GET", "/api/assistants")).items

// Leave out `pinned` and `archived` for both kinds.
export const conversations = ({ cursor, q, pinned, archived } = {}) => {
  const fields = Object.entries({ cursor, q, pinned, archived, limit: cursor ? 100 : 50 })
  const query = new URLSearchParams(fields.filter(([, value]) => value !== undefined && value !== null && value !== ""))
  return call("GET", `/api/conversations?${query}`)
}
export const conversation = (id) => call("GET", `/api/conversations/${id}`)
export const createConversation = (fields, key) =>
  call("POST", "/api/conversations", fields, { key, timeout: SEND_TIMEOUT })
export const changeConversation = (id, fields) => call("PATCH", `/api/conversations/${id}`, fields)
export const deleteConversation = (id) => call("DELETE", `/api/conversations/${id}`)
export const restoreConversation = (id) => call("POST", `/api/conversations/${id}/restore`)
export const keepConversation = (id) => call("POST", `/api/conversations/${id}/keep`)
export const exportAddress = (id, format) => withUser(`/api/conversations/${id}/export?format=${format}`)

export const shares = async (id) => (await call("GET", `/api/conversations/${id}/shares`)).items
export const share = (id) => call("POST", `/api/conversations/${id}/shares`)
export const copyShare = (token, key) => call("POST", `/api/shares/${token}/copies`, undefined, { key })
export const revokeShare = (token) => call("DELETE", `/api/shares/${token}`)

export const me = () => call("GET", "/api/me")
export const changeMe = (preferences) => call("PATCH", "/api/me", preferences)

/**
 * Imports a file. Returns how many { conversations, messages } are new, how many conversations were `known` or `updated`, and
 * `left_out`: the { title, reason } of what could not be read, at most a hundred of `left_out_count`. `onProgress` takes the
 * part that was sent, from 0 to 1.
 */
export const importFile = (file, onProgress) => sendFile("/api/import", file, { onProgress })

/** Returns how far the newest import is: { state, name, done, total, result, problem }. */
export const newestImport = () => call("GET", "/api/import")

/** Returns the newest messages, oldest first, at most `limit`; only those `after` or `before` the message of that id. */
export const messages = async (id, { after, before, limit } = {}) => {
  const fields = Object.entries({ after, before, limit })
  const query = new URLSearchParams(fields.filter(([, value]) => value))
  return (await call("GET", `/api/conversations/${id}/messages?${query}`)).items
}
export const send = (id, fields, key) =>
  call(
    "POST",
    `/api/conversations/${id}/messages`,
    { ...fields, time_zone: timeZone() },
    { key, timeout: SEND_TIMEOUT },
  )
export const edit = (messageId, fields, key) =>
  call("POST", `/api/messages/${messageId}/edit`, { ...fields, time_zone: timeZone() }, { key })
export const regenerate = (messageId, fields, key) =>
  call("POST", `/api/messages/${messageId}/regenerate`, fields, { key })
export const continueReply = (messageId, key) => call("POST", `/api/messages/${messageId}/continue`, undefined, { key })
export const deleteMessage = (messageId) => call("DELETE", `/api/messages/${messageId}`)
export const rate = (messageId, feedback) => call("PUT", `/api/messages/${messageId}/feedback`, feedback)

export const run = (id) => call("GET", `/api/runs/${id}`)
export const resume = (id, resume) => call("POST", `/api/runs/${id}/resume`, { resume })
export const cancel = (id) => call("POST", `/api/runs/${id}/cancel`, {})

/** Leaves for the login page, which leads back here. Typed text is kept as a draft. */
export const goToLogin = () =>
  location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`)

// `key` is an idempotency key: repeated calls have the effect of one. `timeout` is in ms.
async function call(method, url, body, { key, timeout } = {}) {
  const options = { method, headers: { Accept: "application/json" }, credentials: "same-origin" }
  if (pageUser()) options.headers["X-User"] = pageUser()
  if (method !== "GET") options.headers["X-CSRFToken"] = csrfToken()
  if (key) options.headers["Idempotency-Key"] = key
  if (timeout) options.signal = AbortSignal.timeout(timeout)
  if (body instanceof FormData) options.body = body
  else if (body) {
    options.headers["Content-Type"] = "application/json"
    options.body = JSON.stringify(body)
  }
  let response
  try {
    response = await fetch(url, options)
  } catch {
    onReachability(false)
    throw new Failure(strings.unreachable)
  }
  onReachability(true)
  setClock(response.headers.get("Date"))
  if (!response.ok) throw await failure(response)
  if (response.status === 204) return null
  try {
    return await response.json()
  } catch {
    throw new Failure(strings.unreachable)
  }
}

let onReachability = () => {}

/** Calls `listener(isUp)` after each call: whether it was answered. */
export const watchReachability = (listener) => {
  onReachability = listener
}

/** Asks whether the server can be reached. */
export const ping = () => call("GET", "/health", undefined, { timeout: PING_TIMEOUT })

/** Uploads a file for a message that is being written. `onProgress` takes the part that was sent, from 0 to 1. */
export const upload = (file, options) => sendFile("/api/attachments", file, { ...options, readTimeout: READ_TIMEOUT })

/** Returns the ids of those of these uploads that can still be sent. */
export const unsentUploads = async (ids) =>
  (await call("GET", `/api/attachments?${ids.map((id) => `id=${id}`).join("&")}`)).ids

const sendFile = (url, file, { onProgress, signal, readTimeout }) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest() // fetch has no progress for uploads
    const form = new FormData()
    form.append("file", file, file.name || "image")
    request.open("POST", url)
    request.setRequestHeader("X-CSRFToken", csrfToken())
    request.setRequestHeader("Accept", "application/json")
    if (pageUser()) request.setRequestHeader("X-User", pageUser())
    request.responseType = "text"
    const lose = () => {
      if (!signal?.aborted) onReachability(false)
      reject(new Failure(strings.unreachable))
    }
    let timer
    const expectWithin = (time) => {
      clearTimeout(timer)
      timer = time && setTimeout(() => request.abort(), time)
    }
    expectWithin(UPLOAD_TIMEOUT)
    request.upload.onprogress = ({ loaded, total }) => {
      expectWithin(loaded < total ? UPLOAD_TIMEOUT : readTimeout)
      onProgress(loaded / total)
    }
    request.onload = async () => {
      onReachability(true)
      const headers = { "Retry-After": request.getResponseHeader("Retry-After") ?? "" }
      const response = new Response(request.responseText, { status: request.status, headers })
      if (response.ok) response.json().then(resolve, lose)
      else reject(await failure(response))
    }
    request.onerror = request.onabort = lose
    request.onloadend = () => clearTimeout(timer)
    signal?.addEventListener("abort", () => request.abort())
    request.send(form)
  })

// Makes a sentence even of a proxy's error page, which is not JSON. Without a session the page leaves, after the caller has
// saved what was typed.
async function failure(response) {
  const { error } = await response.json().catch(() => ({}))
  if (response.status === 401) setTimeout(goToLogin)
  if (error?.code === "another_user") reportAnotherUser()
  return new Failure(error?.message ?? strings.serverFailed(response.status), {
    status: response.status,
    code: error?.code,
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
  })
}

/** Returns what was read from an uploaded file: its pages, sheets or slides as { label, text }. */
export const fileText = async (id) => (await call("GET", `/api/attachments/${id}/text`)).units

/** Returns a random key. `randomUUID` is missing in insecure contexts, such as a site in the local network. */
export const newKey = () => crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-")

const csrfToken = () => document.cookie.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? ""

// The user's time zone, for tools that need it. A browser that does not know it says "Etc/Unknown".
const timeZone = () => {
  const { timeZone: name } = Intl.DateTimeFormat().resolvedOptions()
  return name === "Etc/Unknown" ? undefined : name
}
