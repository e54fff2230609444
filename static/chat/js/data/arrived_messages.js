// Messages that the server has, although the responses to their requests were lost. The answers to them have the idempotency
// keys of these requests. No DOM.

import { strings } from "../i18n/strings.js"
import { isInProgress } from "./reducer.js"

export class ArrivedMessages {
  #conversation
  #outbox
  #composer
  #isTakingBack = false

  constructor(conversation, outbox, composer) {
    this.#conversation = conversation
    this.#outbox = outbox
    this.#composer = composer
  }

  /** Looks for them among the messages of the open conversation. */
  update() {
    for (const { key, isSending } of this.#outbox.entriesOf(this.#conversation.key)) {
      const reply = !isSending && this.#replyFor(key)
      if (reply) this.#outbox.arrive(key, reply)
    }
    const reply = this.#replyFor(this.#composer.key)
    if (reply && !this.#isTakingBack) this.#takeBack(reply)
  }

  #replyFor(key) {
    return key ? this.#conversation.messages.find(({ idempotency_key }) => idempotency_key === key) : undefined
  }

  // The user has taken this message back while the server could not be reached.
  async #takeBack(reply) {
    const { key } = this.#composer
    this.#isTakingBack = true
    try {
      const isWaiting = isInProgress(reply) && reply !== this.#conversation.live
      if (isWaiting) await this.#conversation.withdraw(reply.parent_id)
      if (this.#composer.key !== key) return
      if (isWaiting) this.#composer.resetKey()
      else this.#sayItWasSent()
    } catch ({ isRefusal }) {
      if (isRefusal && this.#composer.key === key) this.#sayItWasSent()
    } finally {
      this.#isTakingBack = false
    }
  }

  #sayItWasSent() {
    this.#composer.discard()
    this.#composer.showProblem(strings.alreadySent)
  }
}
