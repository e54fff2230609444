// A dot on the icon of the page.

const SIZE = 64 // pixels
const COLOR = "#d93025"

let original = null

export const markIcon = async (isMarked) => {
  const link = document.querySelector("link[rel=icon]")
  original ??= { href: link.href, type: link.type }
  const marked = isMarked && (await draw(original.href).catch(() => null))
  link.type = marked ? "image/png" : original.type
  link.href = marked || original.href
}

const draw = async (href) => {
  const image = new Image(SIZE, SIZE)
  image.src = href
  await image.decode()
  const canvas = document.createElement("canvas")
  canvas.width = SIZE
  canvas.height = SIZE
  const context = canvas.getContext("2d")
  context.drawImage(image, 0, 0, SIZE, SIZE)
  context.fillStyle = COLOR
  context.arc(SIZE * 0.75, SIZE * 0.25, SIZE * 0.25, 0, 2 * Math.PI)
  context.fill()
  return canvas.toDataURL()
}
