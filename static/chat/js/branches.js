// The versions of what was said: edits of a question, other answers to it. Knows no DOM, so Node can test it.

// Of the messages of a conversation, oldest first.
export class Branches {
  #place // id -> index
  #children = new Map() // parent id -> messages, oldest first
  #newest = new Map() // id -> the newest of what follows that message, itself at least
  #told = new Map() // id of a turn's last message -> its versions

  constructor(messages) {
    this.#place = new Map(messages.map(({ id }, index) => [id, index]))
    for (const message of messages) this.#at(this.#parentOf(message)).push(message)
    for (const message of messages.toReversed()) {
      this.#newest.set(message.id, this.#newestOf([message, ...this.#at(message.id).map(({ id }) => this.#newest.get(id))]))
    }
  }

  // What a turn of the page (see `turns`) is one of: its index, and the id of the message in which each version's branch
  // ends.
  of(turn) {
    const { id } = turn.at(-1)
    if (!this.#told.has(id)) this.#told.set(id, this.#of(turn))
    return this.#told.get(id)
  }

  // The newest of all that follows this message, itself at least.
  endOf(id) {
    return this.#newest.get(id).id
  }

  #of(turn) {
    const versions = turn[0].role === "user" ? this.#edits(turn[0]) : this.#answers(turn[0])
    const index = versions.findIndex((version) => turn.every((message, place) => version[place]?.id === message.id))
    return { index: Math.max(0, index), ends: versions.map((version) => this.#endOf(version.at(-1))) }
  }

  #edits(message) {
    return this.#at(this.#parentOf(message)).filter(({ role }) => role === "user").map((edit) => [edit])
  }

  #answers(message) {
    return this.#following(this.#parentOf(message), "assistant").flatMap((reply) => this.#chains(reply))
  }

  // An answer may have gone on in another reply, and in several.
  #chains(reply) {
    const longer = this.#following(reply.id, "assistant").flatMap((next) => this.#chains(next).map((chain) => [reply, ...chain]))
    return !longer.length || this.#following(reply.id, "user").length ? [[reply], ...longer] : longer
  }

  #endOf(last) {
    const behind = last.role === "user" ? [last] : this.#following(last.id, "user")
    return behind.length ? this.#newestOf(behind.map(({ id }) => this.#newest.get(id))).id : last.id
  }

  #newestOf(messages) {
    return messages.reduce((one, other) => (this.#place.get(one.id) < this.#place.get(other.id) ? other : one))
  }

  #following(id, role) {
    return this.#at(id).filter((message) => message.role === role)
  }

  #at(id) {
    if (!this.#children.has(id)) this.#children.set(id, [])
    return this.#children.get(id)
  }

  // A parent comes before its children; one that does not is none. It may be one of those that are not here yet.
  #parentOf({ id, parent_id }) {
    return this.#place.get(parent_id) >= this.#place.get(id) ? null : parent_id
  }
}
