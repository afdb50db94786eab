// LaTeX as Sage and its libraries emit it, typeset by KaTeX.

import katex from "katex"

const LIMIT = 30_000 // characters; typesetting more would stop the page for a second
const DELIMITERS = [
  [/^\$\$([\s\S]*)\$\$$/, true],
  [/^\$\\displaystyle\b([\s\S]*)\$$/, true],
  [/^\$([\s\S]*)\$$/, false],
  [/^\\\[([\s\S]*)\\\]$/, true],
  [/^\\\(\\displaystyle\b([\s\S]*)\\\)$/, true],
  [/^\\\(([\s\S]*)\\\)$/, false],
  [/^\\begin\{(?:math|displaymath|equation\*?)\}([\s\S]*)\\end\{(?:math|displaymath|equation\*?)\}$/, true],
]
// Sage defines this one in front of every formula that uses it
const BOLD = /\\newcommand\{\\Bold\}\[1\]\{\\mathbf\{#1\}\}/g
const MACROS = {
  "\\Bold": "\\mathbf{#1}",
  "\\ZZ": "\\Bold{Z}",
  "\\NN": "\\Bold{N}",
  "\\RR": "\\Bold{R}",
  "\\CC": "\\Bold{C}",
  "\\QQ": "\\Bold{Q}",
  "\\QQbar": "\\overline{\\QQ}",
  "\\GF": "\\Bold{F}_{#1}",
  "\\Zp": "\\Bold{Z}_{#1}",
  "\\Qp": "\\Bold{Q}_{#1}",
  "\\Zmod": "\\ZZ/#1\\ZZ",
  "\\CIF": "\\Bold{C}",
  "\\CLF": "\\Bold{C}",
  "\\RDF": "\\Bold{R}",
  "\\RIF": "\\Bold{I} \\Bold{R}",
  "\\RLF": "\\Bold{R}",
}

/** The formula without its delimiters, and whether it stands on a line of its own. */
export function formula(source) {
  const text = source.replace(BOLD, "").trim()
  for (const [pattern, display] of DELIMITERS) {
    const match = text.match(pattern)
    if (match) return { body: match[1].trim(), display }
  }
  return { body: text, display: true }
}

/** An element with the formula typeset, or null when it is beyond KaTeX. */
export function typeset(source) {
  if (source.length > LIMIT) return null
  const { body, display } = formula(source)
  const element = document.createElement("div")
  element.className = "math"
  try {
    katex.render(body, element, {
      displayMode: display,
      strict: false,
      trust: false,
      throwOnError: true,
      maxSize: 50,
      maxExpand: 5000,
      macros: { ...MACROS },
    })
  } catch (error) {
    if (error instanceof katex.ParseError || error instanceof RangeError) return null
    throw error
  }
  return element
}
