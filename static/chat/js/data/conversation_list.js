// What the page has of the user's conversations, in the server's order: latest activity first. No DOM.
//
// A list is { kind, query, pinned, others }. `kind` is recent, archive or search (for `query`). `pinned` and `others` are
// pages: { items, cursor }, where `cursor` is the position of the next page, null if there is none. Only the recent list
// keeps pinned conversations apart.

const MAX_LEAD = 20 // characters before the match; full-width ones fill a line of the sidebar with 15, and a result has two

const EMPTY = { items: [], cursor: null }

export const newList = (kind, query = "") => ({ kind, query, pinned: EMPTY, others: EMPTY })

export const idOf = ({ id }) => id

// Pages

/** Appends the next page of the server. */
export const withNextPage = ({ items }, { items: more, next_cursor }) => {
  const known = new Set(items.map(idOf))
  return { items: [...items, ...more.filter(({ id }) => !known.has(id))], cursor: next_cursor }
}

/** Replaces the first page. Later items stay if they surely follow it. */
export const withFirstPage = ({ items, cursor }, { items: first, next_cursor }) => {
  const last = first.at(-1)
  const follows = next_cursor && items.some((item) => item.id === last.id && timeOf(item) === timeOf(last))
  if (!follows) return { items: first, cursor: next_cursor }
  const known = new Set(first.map(idOf))
  return { items: [...first, ...items.filter((item) => isBefore(last, item) && !known.has(item.id))], cursor }
}

// Changes of one conversation

/** Puts the new row of a conversation where it belongs. */
export const withRow = (list, row) => {
  if (row.is_temporary) return list
  if (list.kind === "search") return { ...list, others: updateInPlace(list.others, row) }
  if (row.is_archived !== (list.kind === "archive")) return withoutRow(list, row.id)
  const isPinned = list.kind === "recent" && row.is_pinned
  const target = isPinned ? "pinned" : "others"
  const other = isPinned ? "others" : "pinned"
  return { ...list, [target]: insert(list[target], row), [other]: remove(list[other], row.id) }
}

export const withoutRow = (list, id) => ({ ...list, pinned: remove(list.pinned, id), others: remove(list.others, id) })

/** Returns the text of a snippet, from so close before the match that two lines show it. */
export const snippetText = ({ before, match, after }) => {
  const lead = [...before]
  return (lead.length > MAX_LEAD ? `…${lead.slice(-MAX_LEAD).join("")}` : before) + match + after
}

// A search result keeps its place and its snippet.
const updateInPlace = ({ items, cursor }, row) => ({
  items: items.map((item) => (item.id === row.id ? { ...item, ...row } : item)),
  cursor,
})

const insert = ({ items, cursor }, row) => {
  const index = items.findIndex(({ id }) => id === row.id)
  if (index >= 0 && timeOf(items[index]) === timeOf(row)) return { items: items.with(index, row), cursor }
  const others = items.filter(({ id }) => id !== row.id)
  const target = others.findIndex((item) => isBefore(row, item))
  if (target >= 0) return { items: others.toSpliced(target, 0, row), cursor }
  return { items: cursor ? others : [...others, row], cursor } // if there are more pages, it comes with one of them
}

const remove = ({ items, cursor }, id) => ({ items: items.filter((item) => item.id !== id), cursor })

const timeOf = ({ updated_at }) => Date.parse(updated_at)

const isBefore = (a, b) => (timeOf(a) === timeOf(b) ? a.id > b.id : timeOf(a) > timeOf(b))

// Groups

/**
 * Groups a list by date, as [{ key, items }]. Keys: pinned, today, yesterday, week and month (the last 7 and 30 days), then
 * months such as 2026-09, by the local calendar. Empty groups are left out.
 */
export const groupByDate = ({ pinned, others }, now = new Date()) => {
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
  const midnight = (daysAgo) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo).getTime()
  const starts = [
    ["today", midnight(0)],
    ["yesterday", midnight(1)],
    ["week", midnight(7)],
    ["month", midnight(30)],
  ]
  return (time) => starts.find(([, start]) => time >= start)?.[0] ?? monthOf(new Date(time))
}

const monthOf = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}`
