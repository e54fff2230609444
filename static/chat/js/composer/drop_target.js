/** Returns the { files, folders } of a drop or a paste; `folders` are names. */
export const filesOf = ({ items, files }) => {
  const entries = [...(items ?? [])].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.())
  const folders = entries.filter((entry) => entry?.isDirectory).map(({ name }) => name)
  const isFile = (_, index) => !entries[index]?.isDirectory
  return { files: [...files].filter(isFile), folders }
}

/**
 * Calls `onFiles({ files, folders })` when files are dropped anywhere on the page, and marks the element while they are dragged
 * over it. While a dialog is open, a drop does nothing: the browser would leave the
 * page.
 */
export const listenForDrops = (element, onFiles) => {
  const isBlocked = () => Boolean(document.querySelector("dialog[open]"))
  let depth = 0 // dragenter and dragleave are sent for every element below, too
  const setDepth = (value) => {
    depth = value
    element.classList.toggle("is-dropping", depth > 0 && !isBlocked())
  }
  const listen = (name, handler) =>
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return
      event.preventDefault()
      handler(event)
    })
  listen("dragenter", () => setDepth(depth + 1))
  listen("dragover", ({ dataTransfer }) => {
    dataTransfer.dropEffect = isBlocked() ? "none" : "copy"
  })
  listen("dragleave", () => setDepth(depth - 1))
  listen("drop", ({ dataTransfer }) => {
    setDepth(0)
    if (!isBlocked()) onFiles(filesOf(dataTransfer))
  })
}
