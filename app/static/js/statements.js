// What somebody types at a prompt: whether it is complete. Pure.
//
// The rules are those of the prompt in a terminal, app/sage/statements.py: brackets, quotes and
// blocks must be closed, and a block of several lines is closed by an empty one.

const OTHER_LANGUAGE = /^\s*(%%\w.*|%\w+[ \t]*)\n/ // the first line of such a cell
const LINE_OF_ITS_OWN = /^(\s*[!%?]|.*\?\s*$)/ // shell, magic, help
const TOKEN = /('''|""")[^]*?(?:(?<!\\)(?:\\\\)*\1|($))|(["'])(?:\\[^]|(?!\3)[^\\\n])*(?:\3|$|(?=\n))|#.*|\s+|[\w.]+|[^]/gy
const OPENING = "([{"
const CLOSING = ")]}"

/** Whether there is nothing to wait for: it can be run, or is wrong already. */
export function isComplete(text) {
  const lines = text.split("\n")
  const closed = lines.length > 1 && !lines.at(-1).trim()
  if (text.trimStart().startsWith("%%") || OTHER_LANGUAGE.test(text)) return closed
  if (lines.length === 1 && LINE_OF_ITS_OWN.test(text)) return true
  const last = lines.findLast(line => line.trim()) ?? ""
  if (last.trimEnd().endsWith("\\") && !closed) return false
  const { isOpen, end } = scanned(text)
  if (isOpen) return false
  if (!end) return true
  if (last.trimStart().startsWith("@") || end === ":") return false
  return closed || !/^\s/.test(last)
}

/** Whether a bracket or a long string is still open, and the last token that says something. */
function scanned(text) {
  let depth = 0
  let end = ""
  for (const [token, , unclosed] of text.matchAll(TOKEN)) {
    if (unclosed !== undefined) return { isOpen: true, end: token }
    if (/^(\s|#)/.test(token)) continue
    if (OPENING.includes(token)) depth++
    else if (CLOSING.includes(token)) depth--
    if (depth < 0) return { isOpen: false, end: token }
    end = token
  }
  return { isOpen: depth > 0, end }
}
