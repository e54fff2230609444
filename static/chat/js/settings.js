// What this browser remembers about how the page works.

const NAME = "chat.transport"

export const transport = () => {
  try {
    return localStorage.getItem(NAME) === "websocket" ? "websocket" : "sse"
  } catch {
    return "sse"
  }
}

export const setTransport = (value) => {
  try {
    localStorage.setItem(NAME, value)
  } catch {
    // without storage the choice lasts as long as the page
  }
}
