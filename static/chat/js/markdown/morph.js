// Morphs an element into a newer one. Keeps every node that can stay, and so the selection, scroll positions and the focus.

const TEXT_NODE = 3

const placeholders = new WeakMap() // element -> the component that belongs into it: { Component, props }
const components = new WeakMap() // element -> the component mounted on it

/** Returns a placeholder for a component: a class whose constructor takes the element, with a method `show(props)`. */
export const component = (Component, props, tag = "div") => {
  const element = document.createElement(tag)
  placeholders.set(element, { Component, props })
  unmounted.add(element)
  return element
}

const unmounted = new Set() // placeholders without their component yet

/** Mounts the components of new placeholders in `root`. To be called once the elements are in their final place. */
export const mount = (root) => {
  for (const element of unmounted) {
    if (!root.contains(element)) continue // an older element stayed in its place
    const { Component, props } = placeholders.get(element)
    const mounted = new Component(element)
    components.set(element, mounted)
    mounted.show(props)
  }
  unmounted.clear()
}

/** Returns the component mounted on this element. */
export const componentOf = (element) => components.get(element)

/** Returns the element that replaces `old`: `old` itself, updated, wherever that is possible. */
export const morph = (old, newer) => {
  if (adapt(old, newer)) return old
  old.replaceWith(newer)
  return newer
}

export const morphChildren = (old, newer) => {
  let node = old.firstChild
  for (const child of [...newer.childNodes]) {
    const next = node?.nextSibling ?? null
    if (node) morph(node, child)
    else old.append(child)
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
  if (old.nodeType === TEXT_NODE) {
    adaptText(old, newer)
    return true
  }
  if (placeholders.has(old) || placeholders.has(newer)) return adaptComponent(old, newer)
  if (!sameAttributes(old, newer)) return false
  morphChildren(old, newer)
  return true
}

// Appending keeps a selection in the text.
const adaptText = (old, newer) => {
  if (!newer.data.startsWith(old.data)) old.data = newer.data
  else if (newer.data.length > old.data.length) old.appendData(newer.data.slice(old.data.length))
}

const adaptComponent = (old, newer) => {
  const { Component, props } = placeholders.get(newer) ?? {}
  const mounted = components.get(old)
  if (!Component || mounted?.constructor !== Component) return false
  mounted.show(props)
  return true
}

const sameAttributes = (old, newer) =>
  old.attributes.length === newer.attributes.length &&
  [...old.attributes].every(({ name, value }) => newer.getAttribute(name) === value)
