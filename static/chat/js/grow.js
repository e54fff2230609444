// Makes an element what a newer one is, and keeps every node that can stay: with it a selection, a scroll position, the focus.

const TEXT = 3 // a nodeType

const wanted = new WeakMap() // element -> what shall live in it: { Kind, told }
const living = new WeakMap() // element -> what lives in it

// An element that looks after itself: a `Kind` with `show(told)` lives in it, made only once the element is to stay.
export const part = (Kind, told, tag = "div") => {
  const element = document.createElement(tag)
  wanted.set(element, { Kind, told })
  fresh.add(element)
  return element
}

const fresh = new Set() // parts whose life has not begun

// To be called when new elements are where they stay, somewhere in `root`.
export const wake = (root) => {
  for (const element of fresh) {
    if (!root.contains(element)) continue // an older one took its place
    const { Kind, told } = wanted.get(element)
    const one = new Kind(element)
    living.set(element, one)
    one.show(told)
  }
  fresh.clear()
}

// What lives in this element.
export const livingIn = (element) => living.get(element)

// The one that is to stand where `old` stands: `old` itself wherever that is possible.
export const grown = (old, newer) => {
  if (adapt(old, newer)) return old
  old.replaceWith(newer)
  return newer
}

export const growChildren = (old, newer) => {
  let node = old.firstChild
  for (const one of [...newer.childNodes]) {
    const next = node?.nextSibling ?? null
    if (node) grown(node, one)
    else old.append(one)
    node = next
  }
  while (node) {
    const next = node.nextSibling
    node.remove()
    node = next
  }
}

const adapt = (old, newer) => {
  if (old.nodeType !== newer.nodeType || old.nodeName !== newer.nodeName) return false
  if (old.nodeType === TEXT) {
    if (newer.data.startsWith(old.data)) {
      if (newer.data.length > old.data.length) old.appendData(newer.data.slice(old.data.length))
    } else old.data = newer.data
    return true
  }
  const { Kind, told } = wanted.get(newer) ?? {}
  if (Kind || wanted.has(old)) {
    const one = living.get(old)
    if (!Kind || one?.constructor !== Kind) return false
    one.show(told)
    return true
  }
  if (!sameAttributes(old, newer)) return false
  growChildren(old, newer)
  return true
}

const sameAttributes = (one, other) =>
  one.attributes.length === other.attributes.length &&
  [...one.attributes].every(({ name, value }) => other.getAttribute(name) === value)
