// The versions of a turn: edits of a question, and other answers to it. No DOM.

/** Made of the messages of a conversation, oldest first. */
export class Branches {
  #index // by id
  #children = new Map() // lists of messages, oldest first, by the id of their parent
  #newest = new Map() // by id: the newest message of the subtree, at least the message itself
  #versions = new Map() // by the id of the last message of a turn

  constructor(messages) {
    this.#index = new Map(messages.map(({ id }, index) => [id, index]))
    for (const message of messages) this.#at(this.#parentOf(message)).push(message)
    for (const message of messages.toReversed()) {
      this.#newest.set(
        message.id,
        this.#newestOf([message, ...this.#at(message.id).map(({ id }) => this.#newest.get(id))]),
      )
    }
  }

  /**
   * Returns the versions of a turn (see `turns`) as { index, leafIds }: which of them the turn is, and for each version the
   * id of the message in which its newest branch ends.
   */
  versionsOf(turn) {
    const { id } = turn.at(-1)
    if (!this.#versions.has(id)) this.#versions.set(id, this.#compute(turn))
    return this.#versions.get(id)
  }

  /** Returns the id of the message in which the newest branch through this message ends. */
  leafBehind(id) {
    return this.#newest.get(id).id
  }

  #compute(turn) {
    const versions = turn[0].role === "user" ? this.#edits(turn[0]) : this.#answers(turn[0])
    const index = versions.findIndex((version) => turn.every((message, i) => version[i]?.id === message.id))
    return { index: Math.max(0, index), leafIds: versions.map((version) => this.#leafOf(version.at(-1))) }
  }

  #edits(message) {
    return this.#at(this.#parentOf(message))
      .filter(({ role }) => role === "user")
      .map((edit) => [edit])
  }

  #answers(message) {
    return this.#following(this.#parentOf(message), "assistant").flatMap((reply) => this.#chains(reply))
  }

  // A reply may have been continued by another one, or by several; each way through them is a version.
  #chains(reply) {
    const longer = this.#following(reply.id, "assistant").flatMap((next) =>
      this.#chains(next).map((chain) => [reply, ...chain]),
    )
    return !longer.length || this.#following(reply.id, "user").length ? [[reply], ...longer] : longer
  }

  #leafOf(last) {
    const behind = last.role === "user" ? [last] : this.#following(last.id, "user")
    return behind.length ? this.#newestOf(behind.map(({ id }) => this.#newest.get(id))).id : last.id
  }

  #newestOf(messages) {
    return messages.reduce((a, b) => (this.#index.get(a.id) < this.#index.get(b.id) ? b : a))
  }

  #following(id, role) {
    return this.#at(id).filter((message) => message.role === role)
  }

  #at(id) {
    if (!this.#children.has(id)) this.#children.set(id, [])
    return this.#children.get(id)
  }

  // A parent comes before its children, or it is ignored. It may also be a message that is not loaded yet.
  #parentOf({ id, parent_id }) {
    return this.#index.get(parent_id) >= this.#index.get(id) ? null : parent_id
  }
}
