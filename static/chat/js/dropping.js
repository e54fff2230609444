// Files that are dropped anywhere on the page.

export const hearDrops = (element, onFiles) => {
  let depth = 0 // dragenter and dragleave come for every element on the way
  const show = (isOver) => element.classList.toggle("is-dropping", isOver)
  const hear = (name, act) => element.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return
    event.preventDefault()
    act(event)
  })
  hear("dragenter", () => show((depth += 1) > 0))
  hear("dragover", ({ dataTransfer }) => { dataTransfer.dropEffect = "copy" })
  hear("dragleave", () => show((depth -= 1) > 0))
  hear("drop", ({ dataTransfer }) => {
    depth = 0
    show(false)
    onFiles([...dataTransfer.files])
  })
}
