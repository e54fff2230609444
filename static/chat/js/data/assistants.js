// The order of assistants, and the search among them. No DOM.

export const MIN_FOR_SEARCH = 8 // assistants; fewer need no search field

/**
 * Returns the default assistant, those with a position in their order, and the others by name, numbers in it by value: 1, 2, 10.
 */
export const sortAssistants = (assistants, language) => {
  const { compare } = new Intl.Collator(language, { numeric: true })
  const place = ({ is_default, position }) => (is_default ? -1 : (position ?? Number.POSITIVE_INFINITY))
  return assistants.toSorted((a, b) => {
    const [first, second] = [place(a), place(b)]
    return first === second ? compare(a.name, b.name) : first - second
  })
}

/** Whether the name, the slug or the description has all words of the query. Width and case do not matter. */
export const matches = ({ name, slug, description }, query) => {
  const text = fold(`${name} ${slug} ${description}`)
  return fold(query)
    .split(/\s+/)
    .every((word) => text.includes(word))
}

const fold = (text) => text.normalize("NFKC").toLowerCase()
