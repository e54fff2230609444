// What the buttons of a message do.

import { strings } from "../i18n/strings.js"
import { copyRichWithFeedback } from "../ui/copy_feedback.js"
import { rememberFocus } from "../ui/focus.js"
import { htmlOfMessage } from "./copy.js"

/**
 * Returns `act(name, view, button)`, which runs the action of a button and shows its failure.
 *
 * It works on `conversation`, `outbox`, `composer`, `popovers` and `viewer`. `switchVersion(view, leafId, name)` keeps
 * the place on the screen; `viewOf(id)` is the view of a message; `openNewChat()`; `assistant()` is the slug of the chosen
 * assistant; `announce(sentence)`; `restoreFocus()` is called in case the button has gone.
 */
export const createActions = (page) => {
  const { conversation, outbox, composer, popovers, viewer, switchVersion, assistant, announce, restoreFocus } = page
  const questionOf = ({ replies }) => conversation.messages.find(({ id }) => id === replies[0].parent_id)

  // The rating is saved at once, and the form asks for a reason afterwards. A second press removes the rating.
  const rate = async ({ ratedReply: { id, feedback } }, button, value) => {
    if (feedback?.rating === value) {
      await conversation.rate(id, { rating: null })
      return announce(strings.ratingRemoved)
    }
    button.dataset.rated = id
    await Promise.all([
      popovers.openRating(button, value),
      conversation.rate(id, { rating: value, reason: "", comment: "" }),
    ])
  }

  const actions = {
    async copy({ text, element }, button) {
      await copyRichWithFeedback({ text, html: htmlOfMessage(element) }, button)
      announce(strings.copied)
    },

    edit: (view) => view.edit(),
    earlier: (view) => switchVersion(view, view.versions.leafIds[view.versions.index - 1], "earlier"),
    later: (view) => switchVersion(view, view.versions.leafIds[view.versions.index + 1], "later"),

    retry: ({ replies }) => conversation.regenerate(replies.at(-1).id, { assistant: assistant() }),
    regenerate: ({ replies }) => conversation.regenerate(replies[0].id, { assistant: assistant() }),
    "regenerate-menu": ({ replies }, button) =>
      popovers.openRegenerate(button, (choice) => {
        conversation
          .regenerate(replies[0].id, { assistant: assistant(), ...choice })
          .catch(({ message }) => composer.showProblem(message))
      }),
    // After an error
    "other-assistant": ({ replies }, button) =>
      popovers.openAssistants(button, replies.at(-1).assistant, (choice) => {
        conversation.regenerate(replies.at(-1).id, choice).catch(({ message }) => composer.showProblem(message))
      }),
    shorten: (view) => page.viewOf(questionOf(view).id).edit(),
    async "new-chat"(view) {
      const { text } = questionOf(view)
      await page.openNewChat()
      composer.restore({ text, attachments: [] })
      composer.focus()
    },

    continue: ({ replies }) => conversation.continueReply(replies.at(-1).id),

    "send-again": ({ message }) => outbox.retryEntry(message.key),
    async "take-back"({ message, attachments }) {
      const { text, key = null } = message
      const isFocusKept = rememberFocus()
      const isWithdrawn = key ? outbox.withdraw(key) : await conversation.withdraw(message.id)
      if (!isWithdrawn) return
      composer.restore({ text, attachments, key: message.isRefused ? null : key })
      if (isFocusKept()) composer.focus()
      announce(strings.messageTakenBack)
    },

    up: (view, button) => rate(view, button, "up"),
    down: (view, button) => rate(view, button, "down"),
    about: ({ replies }, button) => popovers.openInfo(button, replies),

    "show-attachment": ({ attachments }, { dataset }) => viewer.show(attachments[dataset.index]),
    "show-generated-image": ({ images }, { dataset }) => viewer.show(images.get(dataset.attachmentId)),
  }

  return async (name, view, button) => {
    if (button.ariaBusy === "true") return
    button.ariaBusy = "true"
    composer.showProblem("")
    try {
      await actions[name](view, button)
    } catch ({ message }) {
      composer.showProblem(message)
    } finally {
      button.ariaBusy = null
      restoreFocus()
    }
  }
}
