// Images before they are sent: scaled down to the size that models look at, and as thumbnails.

const MAX_SIDE = 2048 // px; the server scales to the same size
const MAX_UNSCALED_SIZE = 2_000_000 // bytes; a larger file is encoded again even if its sides are short enough

/** Returns the image, scaled down if it is large. An animation stays as it is: the server says what becomes of it. A file that the browser cannot read is returned as it is: the server refuses it. */
export const scaleDown = async (file) => {
  if (!/^image\/(?:png|jpeg|webp)$/.test(file.type) || (await isAnimated(file))) return file
  const image = await createImageBitmap(file).catch(() => null)
  if (!image) return file
  const scale = Math.min(1, MAX_SIDE / Math.max(image.width, image.height))
  if (scale === 1 && file.size <= MAX_UNSCALED_SIZE) return file
  const canvas = document.createElement("canvas")
  canvas.width = Math.max(1, Math.round(image.width * scale))
  canvas.height = Math.max(1, Math.round(image.height * scale))
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height)
  image.close()
  const scaled = await new Promise((resolve) =>
    canvas.toBlob(resolve, file.type === "image/jpeg" ? file.type : "image/png", 0.9),
  )
  return scaled && scaled.size < file.size ? scaled : file
}

// The chunks that say so come first in PNG and WebP.
const isAnimated = async (file) => {
  const start = new TextDecoder("latin1").decode(await file.slice(0, 4096).arrayBuffer())
  return /^RIFF.{4}WEBP.*ANIM/s.test(start) || /^.PNG.*acTL/s.test(start)
}

/** Draws the middle of an image, a file or an address, into a square canvas. */
export const drawThumbnail = async (source, canvas) => {
  try {
    const image = await createImageBitmap(typeof source === "string" ? await (await fetch(source)).blob() : source)
    const side = Math.min(image.width, image.height)
    const x = (image.width - side) / 2
    const y = (image.height - side) / 2
    canvas.getContext("2d").drawImage(image, x, y, side, side, 0, 0, canvas.width, canvas.height)
    image.close()
  } catch {
    // this browser cannot read the image
  }
}
