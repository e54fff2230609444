// The user that this page was made for. Another may have logged in in this browser since, in another tab: the server refuses
// calls, streams and sockets that name a user who is not the one of the session. No DOM.

export const ANOTHER_USER = 4409 // close code of a socket; of calls, it is the code "another_user"

let id = null
let onAnother = () => {}
let hasLeft = false

/** Names the user from now on; `listener()` is called once, when another one has logged in. */
export const setPageUser = (userId, listener) => {
  id = userId
  onAnother = listener
}

export const pageUser = () => id

/** Returns the address with the user in its query, for what cannot send a header. */
export const withUser = (address) => (id ? `${address}${address.includes("?") ? "&" : "?"}user=${id}` : address)

/** Another user has logged in. */
export const reportAnotherUser = () => {
  if (hasLeft) return
  hasLeft = true
  onAnother()
}

/** Tells the other pages of this browser who this page is for, and listens to what they say. */
export const announcePageUser = (channel = new BroadcastChannel("user")) => {
  channel.onmessage = ({ data }) => data !== id && reportAnotherUser()
  channel.postMessage(id)
}
