// An assistant's avatar: its first letter on a color of its own.

const HUES = 12

/** Returns the hue of an assistant, in degrees. */
export const hueOf = (slug) => {
  let hash = 0
  for (const letter of slug) hash = (hash * 31 + letter.codePointAt(0)) % 65_521
  return (hash % HUES) * (360 / HUES)
}

const graphemes = new Intl.Segmenter()

/** Shows the avatar of an assistant; with an empty slug, a grey one. */
export const showAvatar = (element, slug, name) => {
  const [first] = graphemes.segment(name)
  element.dataset.letter = first?.segment.toUpperCase() ?? "" // drawn by the style: it is no text of the page
  element.classList.toggle("avatar--unknown", !slug)
  if (slug) element.style.setProperty("--avatar-hue", hueOf(slug))
}
