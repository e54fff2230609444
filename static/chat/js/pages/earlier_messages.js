import { find } from "../ui/dom.js"

const RETRY_DELAY = 3_000 // ms until older messages are requested again after a failure
const MARGIN = "600px 0px 0px" // above what is visible, so that they are there in time

/** Shows earlier messages when the user scrolls up to the beginning of what is on the page. */
export class EarlierMessages {
  #list
  #conversation
  #scroll
  #draw
  #beginning = find("beginning")
  #observer

  constructor({ list, conversation, scroll, draw }) {
    this.#list = list
    this.#conversation = conversation
    this.#scroll = scroll
    this.#draw = draw
    this.#observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#show(), {
      root: find("scroller"),
      rootMargin: MARGIN,
    })
    this.#observer.observe(this.#beginning)
  }

  /** Updates whether there is a beginning to scroll to. */
  update() {
    this.#beginning.hidden = !this.#list.isReady || (!this.#list.hasEarlier && !this.#conversation.hasOlder)
  }

  async #show() {
    this.#observer.unobserve(this.#beginning)
    try {
      if (!this.#list.hasEarlier) await this.#conversation.loadOlder()
      this.#draw()
      const first = find("thread").firstElementChild
      this.#scroll.keepPosition(first, () => {
        this.#list.showEarlier()
        return first
      })
      this.update()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY))
    }
    this.#observer.observe(this.#beginning) // if it is still visible, this shows more of them
  }
}
