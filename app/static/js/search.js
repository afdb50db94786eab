// Finding text in cells. Pure.

/**
 * A pattern for what a person looks for, or null if that is empty or no regular expression.
 * `options`: exact (upper and lower case differ), pattern (it is a regular expression).
 */
export function patternOf(query, { exact = false, pattern = false } = {}) {
  if (!query) return null
  const source = pattern ? query : query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  try {
    return new RegExp(source, exact ? "gm" : "gim")
  } catch {
    return null
  }
}

/** Whether each word of `query` is somewhere in `text`, whatever its case. */
export function hasWords(text, query) {
  const where = text.toLowerCase()
  return query.toLowerCase().split(/\s+/).every(word => where.includes(word))
}

/** [{from, to}] of what matches in `text`; what is empty matches nothing. */
export function matches(text, pattern) {
  return [...text.matchAll(pattern)]
    .filter(match => match[0])
    .map(match => ({ from: match.index, to: match.index + match[0].length }))
}

/** What stands for a match: `replacement`, with $1, $& and so on if it was a regular expression. */
export function replaced(text, { from, to }, pattern, replacement, isPattern) {
  if (!isPattern) return replacement
  const alone = new RegExp(pattern.source, pattern.flags.replace("g", "") + "y")
  alone.lastIndex = from
  const whole = text.replace(alone, replacement)
  return whole.slice(from, whole.length - (text.length - to))
}
