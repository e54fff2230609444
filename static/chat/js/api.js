// The server's JSON calls. What fails throws a Failure that carries a sentence for the person.

import { words } from "./words.js";

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

export const conversations = ({ cursor, q } = {}) => {
  const query = new URLSearchParams(Object.entries({ cursor, q, limit: 40 }).filter(([, value]) => value))
  return call("GET", `/api/conversations?${query}`)
}
export const conversation = (id) => call("GET", `/api/conversations/${id}`)
export const createConversation = (fields) => call("POST", "/api/conversations", fields)
export const changeConversation = (id, fields) => call("PATCH", `/api/conversations/${id}`, fields)
export const deleteConversation = (id) => call("DELETE", `/api/conversations/${id}`)

export const messages = async (id) => (await call("GET", `/api/conversations/${id}/messages`)).items
export const send = (id, fields, key) =>
  call("POST", `/api/conversations/${id}/messages`, fields, { "Idempotency-Key": key })
export const regenerate = (messageId, fields) => call("POST", `/api/messages/${messageId}/regenerate`, fields)

export const run = (id) => call("GET", `/api/runs/${id}`)
export const cancel = (id) => call("POST", `/api/runs/${id}/cancel`, {})

// Back to this page after the login; what was typed waits in the draft.
export const goToLogin = () =>
  location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`)

async function call(method, url, body, headers = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, credentials: "same-origin" }
  if (method !== "GET") options.headers["X-CSRFToken"] = csrfToken()
  if (body) {
    options.headers["Content-Type"] = "application/json"
    options.body = JSON.stringify(body)
  }
  let response
  try {
    response = await fetch(url, options)
  } catch {
    throw new Failure(words.unreachable)
  }
  if (response.status === 401) goToLogin()
  if (!response.ok) throw await failure(response)
  if (response.status === 204) return null
  try {
    return await response.json()
  } catch {
    throw new Failure(words.unreachable)
  }
}

// A proxy's error page is no JSON; it still becomes a sentence.
async function failure(response) {
  const { error } = await response.json().catch(() => ({}))
  return new Failure(error?.message ?? words.serverFailed(response.status), { status: response.status, code: error?.code })
}

const csrfToken = () => document.cookie.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? ""
