// The one member of Marked's Lexer that this project uses and that Marked does not document: `inlineQueue`, the texts whose
// inline marks are read once all blocks are known. tests/js/markdown/marked.test.js fails on the day it changes.

/**
 * Returns the queue of { src, tokens } that is left to be read after `blockTokens`, or null if this version of Marked has
 * no such queue; then the documented `lex()` reads a text as a whole.
 */
export const queueOf = (lexer) => (Array.isArray(lexer.inlineQueue) ? lexer.inlineQueue : null)

/** Removes the texts of these blocks, the last ones, from the queue. */
export const unqueue = (queue, blocks) => {
  const leaves = new Set(leavesOf(blocks))
  while (leaves.has(queue.at(-1)?.tokens)) queue.pop()
}

const leavesOf = (blocks) =>
  blocks.flatMap((block) => {
    const { tokens = [], items = [], rows = [] } = block
    const cells = block.type === "table" ? [block.header, ...rows].flat() : []
    return [tokens, ...leavesOf([...tokens, ...items, ...cells])]
  })
