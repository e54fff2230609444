// The server's JSON calls. What fails throws a Failure that carries a sentence for the person.

import { hear } from "./clock.js";
import { words } from "./words.js";

const PATIENCE = 30_000 // ms; what is sent with a key may be sent again

export class Failure extends Error {
  constructor(message, { status = 0, code = "unreachable" } = {}) {
    super(message)
    this.status = status // 0: no answer came
    this.code = code
  }

  // The server said no. After anything else nobody knows whether it did what it was asked.
  get isRefusal() {
    return this.status >= 400 && this.status < 500
  }
}

export const assistants = async () => (await call("GET", "/api/assistants")).items

// `pinned` and `archived` are left out where both kinds are wanted.
export const conversations = ({ cursor, q, pinned, archived } = {}) => {
  const wanted = Object.entries({ cursor, q, pinned, archived, limit: cursor ? 100 : 50 })
  const query = new URLSearchParams(wanted.filter(([, value]) => value !== undefined && value !== null && value !== ""))
  return call("GET", `/api/conversations?${query}`)
}
export const conversation = (id) => call("GET", `/api/conversations/${id}`)
export const createConversation = (fields, key) => call("POST", "/api/conversations", fields, { key, patience: PATIENCE })
export const changeConversation = (id, fields) => call("PATCH", `/api/conversations/${id}`, fields)
export const deleteConversation = (id) => call("DELETE", `/api/conversations/${id}`)
export const restoreConversation = (id) => call("POST", `/api/conversations/${id}/restore`)
export const exportAddress = (id, format) => `/api/conversations/${id}/export?format=${format}`

export const shares = async (id) => (await call("GET", `/api/conversations/${id}/shares`)).items
export const share = (id) => call("POST", `/api/conversations/${id}/shares`)
export const revokeShare = (token) => call("DELETE", `/api/shares/${token}`)

export const me = () => call("GET", "/api/me")
export const changeMe = (likes) => call("PATCH", "/api/me", likes)

// Gives how many { conversations, messages } are new, and how many conversations were `known` already.
export const importFile = (file) => {
  const form = new FormData()
  form.append("file", file)
  return call("POST", "/api/import", form)
}

// Oldest first: those that came `after` or `before` one of them, and of these the newest, as many as `limit` tells.
export const messages = async (id, wanted = {}) => {
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value))
  return (await call("GET", `/api/conversations/${id}/messages?${query}`)).items
}
export const send = (id, fields, key) =>
  call("POST", `/api/conversations/${id}/messages`, { ...fields, time_zone: timeZone() }, { key, patience: PATIENCE })
export const edit = (messageId, fields, key) =>
  call("POST", `/api/messages/${messageId}/edit`, { ...fields, time_zone: timeZone() }, { key })
export const regenerate = (messageId, fields, key) => call("POST", `/api/messages/${messageId}/regenerate`, fields, { key })
export const goOn = (messageId, key) => call("POST", `/api/messages/${messageId}/continue`, undefined, { key })
export const takeBack = (messageId) => call("DELETE", `/api/messages/${messageId}`)
export const rate = (messageId, feedback) => call("PUT", `/api/messages/${messageId}/feedback`, feedback)

export const run = (id) => call("GET", `/api/runs/${id}`)
export const resume = (id, resume) => call("POST", `/api/runs/${id}/resume`, { resume })
export const cancel = (id) => call("POST", `/api/runs/${id}/cancel`, {})

// Back to this page after the login; what was typed waits in the draft.
export const goToLogin = () =>
  location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`)

// `key` names what is asked, so that the server does it once. An answer is awaited for `patience` ms.
async function call(method, url, body, { key, patience } = {}) {
  const options = { method, headers: { Accept: "application/json" }, credentials: "same-origin" }
  if (method !== "GET") options.headers["X-CSRFToken"] = csrfToken()
  if (key) options.headers["Idempotency-Key"] = key
  if (patience) options.signal = AbortSignal.timeout(patience)
  if (body instanceof FormData) options.body = body
  else if (body) {
    options.headers["Content-Type"] = "application/json"
    options.body = JSON.stringify(body)
  }
  let response
  try {
    response = await fetch(url, options)
  } catch {
    onContact(false)
    throw new Failure(words.unreachable)
  }
  onContact(true)
  hear(response.headers.get("Date"))
  if (!response.ok) throw await failure(response)
  if (response.status === 204) return null
  try {
    return await response.json()
  } catch {
    throw new Failure(words.unreachable)
  }
}

let onContact = () => {}

// `hear(isUp)` is called whenever a call was answered, or could not be.
export const hearOfContact = (hear) => {
  onContact = hear
}

// Is there a server?
export const reach = () => call("GET", "/health", undefined, { patience: 5_000 })

// An image for a message that is being written. `onProgress` is told the part that has been sent, from 0 to 1.
export const upload = (file, { onProgress, signal }) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest() // fetch does not tell how far it is
    const form = new FormData()
    form.append("file", file, "image")
    request.open("POST", "/api/attachments")
    request.setRequestHeader("X-CSRFToken", csrfToken())
    request.setRequestHeader("Accept", "application/json")
    request.responseType = "text"
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total)
    request.onload = async () => {
      const response = new Response(request.responseText, { status: request.status })
      if (response.ok) resolve(await response.json())
      else reject(await failure(response))
    }
    request.onerror = request.onabort = () => reject(new Failure(words.unreachable))
    signal?.addEventListener("abort", () => request.abort())
    request.send(form)
  })

// A proxy's error page is no JSON; it still becomes a sentence. Without a session the page leaves, but not before whoever
// asked has put down what was typed.
async function failure(response) {
  const { error } = await response.json().catch(() => ({}))
  if (response.status === 401) setTimeout(goToLogin)
  return new Failure(error?.message ?? words.serverFailed(response.status), { status: response.status, code: error?.code })
}

// Browsers offer randomUUID in secure contexts only; a site in the local network may not be one.
export const newKey = () => crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-")

const csrfToken = () => document.cookie.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? ""

// What the person's clock shows, for the tools that need to know. A browser that does not know either says so.
const timeZone = () => {
  const { timeZone: name } = Intl.DateTimeFormat().resolvedOptions()
  return name === "Etc/Unknown" ? undefined : name
}
