// Text as a terminal would show it, and offsets as Python counts them. Pure.

const OVERWRITES = /[\r\b]/
const ERASE_LINE = /\x1b\[[0-2]?K/g

/** One line as it stands after its carriage returns and backspaces. */
export function overwrite(line) {
  if (!OVERWRITES.test(line)) return line
  let shown = ""
  for (const part of line.split("\r")) {
    const text = backspace(part.replace(ERASE_LINE, ""))
    // Columns of coloured text can't be told from its length: it replaces the line whole
    const keeps = !part.includes("\x1b") && !shown.includes("\x1b")
    if (text) shown = keeps ? text + shown.slice(text.length) : text
    else if (part) shown = ""
  }
  return shown
}

function backspace(text) {
  if (!text.includes("\b")) return text
  const kept = []
  for (const character of text) {
    if (character === "\b") kept.pop()
    else kept.push(character)
  }
  return kept.join("")
}

/** `text` with every line overwritten by its own carriage returns; \r\n is a line's end. */
export function settle(text) {
  if (!OVERWRITES.test(text)) return text
  return text.replaceAll("\r\n", "\n").split("\n").map(overwrite).join("\n")
}

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
