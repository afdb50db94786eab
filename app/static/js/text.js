// Offsets in text as Python counts them, and differences. Pure.

/** The number of Unicode code points before `offset`, which counts UTF-16 units. */
export function toCodePoints(text, offset) {
  let points = 0
  for (const _ of text.slice(0, offset)) points++
  return points
}

/** The offset in UTF-16 units of the code point number `points`. */
export function fromCodePoints(text, points) {
  let offset = 0
  for (const character of text) {
    if (points-- <= 0) break
    offset += character.length
  }
  return offset
}

/** How many times `character` is in `text`. */
export function count(text, character) {
  let found = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) found++
  return found
}

/** What to replace in `before` to have `after`: {from, to, insert}, or null if equal. */
export function difference(before, after) {
  if (before === after) return null
  const shortest = Math.min(before.length, after.length)
  let start = 0
  while (start < shortest && before[start] === after[start]) start++
  let end = 0
  while (end < shortest - start && before.at(-1 - end) === after.at(-1 - end)) end++
  return { from: start, to: before.length - end, insert: after.slice(start, after.length - end) }
}
