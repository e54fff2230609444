// The page's title, and a mark in it and on its icon while something elsewhere wants attention.

let title = ""
let count = 0

export const setPageTitle = (text) => {
  title = text
  show()
}

/** Marks the page with a number; 0 removes the mark. */
export const markPage = async (number) => {
  if (number === count) return
  const isMarked = count > 0
  count = number
  show()
  if (isMarked === number > 0) return
  const { markIcon } = await import("./icon_mark.js").catch(() => ({ markIcon() {} }))
  markIcon(count > 0)
}

const show = () => {
  if (title) document.title = count ? `(${count}) ${title}` : title
}
