// Images before they are sent: none larger than a model looks at, and a small one to show.

const LONGEST = 2048 // px; the server makes it no larger either
const HEAVY = 2_000_000 // bytes

// The image, made smaller where it is large. What the browser cannot read stays as it is: the server will say so.
export const smaller = async (file) => {
  if (!/^image\/(?:png|jpeg|webp)$/.test(file.type)) return file
  const image = await createImageBitmap(file).catch(() => null)
  if (!image) return file
  const scale = Math.min(1, LONGEST / Math.max(image.width, image.height))
  if (scale === 1 && file.size <= HEAVY) return file
  const canvas = document.createElement("canvas")
  canvas.width = Math.max(1, Math.round(image.width * scale))
  canvas.height = Math.max(1, Math.round(image.height * scale))
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height)
  image.close()
  const made = await new Promise((resolve) => canvas.toBlob(resolve, file.type === "image/jpeg" ? file.type : "image/png", 0.9))
  return made && made.size < file.size ? made : file
}

// Draws the middle of an image, of a file or at an address, into a square canvas.
export const thumbnail = async (source, canvas) => {
  try {
    const image = await createImageBitmap(typeof source === "string" ? await (await fetch(source)).blob() : source)
    const side = Math.min(image.width, image.height)
    const [x, y] = [(image.width - side) / 2, (image.height - side) / 2]
    canvas.getContext("2d").drawImage(image, x, y, side, side, 0, 0, canvas.width, canvas.height)
    image.close()
  } catch {
    // no image that this browser reads
  }
}
