// Where runs of marks and spans of code end. Uses no DOM.

/** The length of the run of equal characters that begins here. */
export const runLength = (text, at) => {
  let end = at + 1
  while (text[end] === text[at]) end += 1
  return end - at
}

/** Returns where the code ends that begins with `count` backticks at this position; -1 if it does not end. */
export const codeEnd = (text, at, count) => {
  for (let end = text.indexOf("`", at + count); end >= 0; end = text.indexOf("`", end)) {
    const length = runLength(text, end)
    end += length
    if (length === count) return end
  }
  return -1
}
