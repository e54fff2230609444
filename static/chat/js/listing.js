// What the page has of a person's conversations, in the server's order: newest activity first. Knows no DOM.
//
// A shelf is { items, cursor }: the rows so far, and where the next ones begin, or null when these are all.
// A list is { kind, words, pinned, others }: the kind is recent, archive or search (for these words), the last two are
// shelves; only `recent` keeps the pinned ones apart.

const empty = { items: [], cursor: null }

export const newList = (kind, words = "") => ({ kind, words, pinned: empty, others: empty })

export const idOf = ({ id }) => id

// Pages

// Behind what is there.
export const extended = ({ items }, { items: more, next_cursor }) => {
  const known = new Set(items.map(idOf))
  return { items: [...items, ...more.filter(({ id }) => !known.has(id))], cursor: next_cursor }
}

// The first page anew. What was read behind it stays where it surely follows.
export const renewed = ({ items, cursor }, { items: fresh, next_cursor }) => {
  const last = fresh.at(-1)
  const follows = next_cursor && items.some((item) => item.id === last.id && timeOf(item) === timeOf(last))
  if (!follows) return { items: fresh, cursor: next_cursor }
  const known = new Set(fresh.map(idOf))
  return { items: [...fresh, ...items.filter((item) => isBefore(last, item) && !known.has(item.id))], cursor }
}

// News of one conversation

// It is as in this row now, and stands where it belongs.
export const heard = (list, row) => {
  if (row.is_temporary) return list
  if (list.kind === "search") return { ...list, others: relabelled(list.others, row) }
  if (row.is_archived !== (list.kind === "archive")) return without(list, row.id)
  const [here, there] = list.kind === "recent" && row.is_pinned ? ["pinned", "others"] : ["others", "pinned"]
  return { ...list, [here]: put(list[here], row), [there]: drop(list[there], row.id) }
}

export const without = (list, id) => ({ ...list, pinned: drop(list.pinned, id), others: drop(list.others, id) })

// What was found stays where it is, and keeps the words around what was found.
const relabelled = ({ items, cursor }, row) =>
  ({ items: items.map((item) => (item.id === row.id ? { ...item, ...row } : item)), cursor })

const put = ({ items, cursor }, row) => {
  const index = items.findIndex(({ id }) => id === row.id)
  if (index >= 0 && timeOf(items[index]) === timeOf(row)) return { items: items.with(index, row), cursor }
  const others = items.filter(({ id }) => id !== row.id)
  const place = others.findIndex((item) => isBefore(row, item))
  if (place >= 0) return { items: others.toSpliced(place, 0, row), cursor }
  return { items: cursor ? others : [...others, row], cursor } // where there is more, it comes with its page
}

const drop = ({ items, cursor }, id) => ({ items: items.filter((item) => item.id !== id), cursor })

const timeOf = ({ updated_at }) => Date.parse(updated_at)

const isBefore = (one, other) =>
  timeOf(one) - timeOf(other) ? timeOf(one) > timeOf(other) : one.id > other.id

// Groups

// [{ key, items }]: pinned, today, yesterday, week, month (the last 7 and 30 days), then months such as 2026-09, by the
// calendar of this place. Groups without items are left out.
export const groupsOf = ({ pinned, others }, now = new Date()) => {
  const groups = pinned.items.length ? [{ key: "pinned", items: pinned.items }] : []
  const keyOf = calendar(now)
  for (const item of others.items) {
    const key = keyOf(timeOf(item))
    if (groups.at(-1)?.key !== key) groups.push({ key, items: [] })
    groups.at(-1).items.push(item)
  }
  return groups
}

const calendar = (now) => {
  const midnight = (days) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime()
  const since = [["today", midnight(0)], ["yesterday", midnight(1)], ["week", midnight(7)], ["month", midnight(30)]]
  return (time) => since.find(([, start]) => time >= start)?.[0] ?? monthOf(new Date(time))
}

const monthOf = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}`
