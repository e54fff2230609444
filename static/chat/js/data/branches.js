// The versions of a turn: edits of a question, and other answers to it. No DOM.

/** The tree of a conversation, built from its loaded messages, oldest first. */
export class Branches {
  #index // by id
  #children = new Map() // lists of messages, oldest first, by the id of their parent
  #newest = new Map() // by id: the newest message of the subtree that begins with this one
  #versions = new Map() // by the id of the last message of a turn

  constructor(messages) {
    this.#index = new Map(messages.map(({ id }, index) => [id, index]))
    for (const message of messages) this.#childrenOf(this.#parentOf(message)).push(message)
    for (const message of messages.toReversed()) {
      this.#newest.set(
        message.id,
        this.#newestOf([message, ...this.#childrenOf(message.id).map(({ id }) => this.#newest.get(id))]),
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
    return this.#childrenOf(this.#parentOf(message))
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
    const next = last.role === "user" ? [last] : this.#following(last.id, "user")
    return next.length ? this.#newestOf(next.map(({ id }) => this.#newest.get(id))).id : last.id
  }

  #newestOf(messages) {
    return messages.reduce((a, b) => (this.#index.get(a.id) < this.#index.get(b.id) ? b : a))
  }

  #following(id, role) {
    return this.#childrenOf(id).filter((message) => message.role === role)
  }

  #childrenOf(id) {
    if (!this.#children.has(id)) this.#children.set(id, [])
    return this.#children.get(id)
  }

  // A parent that does not come before its child is ignored. It may be a message that is not loaded yet.
  #parentOf({ id, parent_id }) {
    return this.#index.get(parent_id) >= this.#index.get(id) ? null : parent_id
  }
}
