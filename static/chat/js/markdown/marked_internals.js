// The one member of Marked's Lexer that this project uses and that Marked does not document: `inlineQueue`, the texts whose
// inline markup is read once all blocks are known. tests/js/markdown/marked.test.js fails if Marked changes it.

/**
 * Returns the queue of { src, tokens } that are still to be read after `blockTokens`, or null if this version of Marked has
 * no such queue; then the documented `lex()` reads the text as a whole.
 */
export const inlineQueueOf = (lexer) => (Array.isArray(lexer.inlineQueue) ? lexer.inlineQueue : null)

/** Removes the texts of these blocks, the last ones, from the queue. */
export const removeFromQueue = (queue, blocks) => {
  const leaves = new Set(leavesOf(blocks))
  while (leaves.has(queue.at(-1)?.tokens)) queue.pop()
}

const leavesOf = (blocks) =>
  blocks.flatMap((block) => {
    const { tokens = [], items = [], rows = [] } = block
    const cells = block.type === "table" ? [block.header, ...rows].flat() : []
    return [tokens, ...leavesOf([...tokens, ...items, ...cells])]
  })
