/** Calls `onFiles(files)` when files are dropped on the element, and marks it while they are dragged over it. */
export const listenForDrops = (element, onFiles) => {
  let depth = 0 // dragenter and dragleave are sent for every element below, too
  const setDepth = (value) => {
    depth = value
    element.classList.toggle("is-dropping", depth > 0)
  }
  const listen = (name, handler) =>
    element.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return
      event.preventDefault()
      handler(event)
    })
  listen("dragenter", () => setDepth(depth + 1))
  listen("dragover", ({ dataTransfer }) => {
    dataTransfer.dropEffect = "copy"
  })
  listen("dragleave", () => setDepth(depth - 1))
  listen("drop", ({ dataTransfer }) => {
    setDepth(0)
    onFiles([...dataTransfer.files])
  })
}
