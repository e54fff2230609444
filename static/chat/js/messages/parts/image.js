import { strings } from "../../i18n/strings.js"
import { cloneTemplate, find } from "../../ui/dom.js"

export const sentImage = ({ id, width, height }) => {
  const item = cloneTemplate("sent-image-template")
  const picture = find("picture", item)
  picture.width = width
  picture.height = height
  picture.src = `/api/attachments/${id}`
  picture.alt = strings.sentImage
  return item
}

/** An image that the assistant made, in its answer. */
export class GeneratedImageView {
  type = "image"
  element = cloneTemplate("generated-image-template")

  constructor(container) {
    container.append(this.element)
  }

  show({ id, width, height }) {
    if (this.element.dataset.attachmentId === id) return
    this.element.dataset.attachmentId = id
    const picture = find("picture", this.element)
    picture.width = width
    picture.height = height
    picture.src = `/api/attachments/${id}`
    picture.alt = strings.generatedImage
  }
}
