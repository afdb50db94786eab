// The headings of Markdown. Pure.

/** [{level, text}] of the headings of Markdown `source`. */
export function headings(source) {
  const found = []
  let fenced = false
  for (const line of source.split("\n")) {
    if (/^\s{0,3}(```|~~~)/.test(line)) fenced = !fenced
    const match = !fenced && line.match(/^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$/)
    if (match) found.push({ level: match[1].length, text: match[2].replace(/[*_`]/g, "") })
  }
  return found
}
