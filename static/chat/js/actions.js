// What the buttons of a message do.

import { say } from "./dom.js";
import { words } from "./words.js";

// `parts` are what they work on: conversation, outbox, composer, rating, about, viewer; turnTo(view, leafId, act), which
// keeps the place; assistant(), the slug of the chosen one; announce(sentence); settle(), which gives the keyboard a place
// if its button has gone.
export const actionsOn = ({ conversation, outbox, composer, rating, about, viewer, turnTo, assistant, announce, settle }) => {
  const actions = {
    async copy({ text }, button) {
      await navigator.clipboard.writeText(text)
      const label = button.querySelector("span")
      say(label, words.copied)
      button.classList.add("is-done")
      setTimeout(() => {
        say(label, words.copy)
        button.classList.remove("is-done")
      }, 1500)
      announce(words.copied)
    },

    edit: (view) => view.edit(),
    earlier: (view) => turnTo(view, view.versions.ends[view.versions.index - 1], "earlier"),
    later: (view) => turnTo(view, view.versions.ends[view.versions.index + 1], "later"),

    retry: ({ replies }) => conversation.regenerate(replies.at(-1).id, { assistant: assistant() }),
    regenerate: ({ replies }) => conversation.regenerate(replies[0].id, { assistant: assistant() }),
    continue: ({ replies }) => conversation.goOn(replies.at(-1).id),

    "send-again": ({ message }) => outbox.again(message.key),
    async "take-back"({ message, enclosed }) {
      const { text, key = null } = message
      if (key ? !outbox.takeBack(key) : !(await conversation.takeBack(message.id))) return
      const of = (type) => enclosed.filter((part) => part.type === type).map(({ type, ...rest }) => rest)
      composer.restore({ text, images: of("image"), documents: of("document"), key: message.isRefused ? null : key })
      composer.focus()
      announce(words.takenBack)
    },

    up: (view, button) => rate(view, button, "up"),
    down: (view, button) => rate(view, button, "down"),
    about: ({ replies }, button) => about.open(button, replies),

    "show-image": ({ enclosed }, { dataset }) => viewer.showImage(enclosed[dataset.index]),
    "show-document": ({ enclosed }, { dataset }) => viewer.showDocument(enclosed[dataset.index]),
  }

  // The thumb counts at once, and why is asked afterwards. A second press takes it back.
  const rate = async ({ rated: { id, feedback } }, button, value) => {
    if (feedback?.rating === value) {
      await conversation.rate(id, { rating: null })
      return announce(words.ratingTakenBack)
    }
    button.dataset.rated = id
    rating.open(button, value)
    await conversation.rate(id, { rating: value, reason: "", comment: "" })
  }

  return async (act, view, button) => {
    if (button.ariaBusy === "true") return
    button.ariaBusy = "true"
    composer.problem("")
    try {
      await actions[act](view, button)
    } catch ({ message }) {
      composer.problem(message)
    } finally {
      button.ariaBusy = null
      settle()
    }
  }
}
