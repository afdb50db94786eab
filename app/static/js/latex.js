// LaTeX as Sage and its libraries emit it, typeset by KaTeX, which is loaded when a formula comes.

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
const IN_HTML = /\\\(|\\\[|\$\$|\\begin\{/
const DELIMITED = /\$\$[^$]+\$\$|\\\([^]*?\\\)|\\\[[^]*?\\\]|\\begin\{([a-z]+\*?)\}[^]*?\\end\{\1\}/g
const MIXED = new RegExp(`${DELIMITED.source}|\\$[^$\\n]+\\$`, "g")
const VERBATIM = "script, style, pre, code, textarea, noscript, title, .katex"
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

let katex = null
let loading = null

/** A promise of KaTeX, before which no formula is typeset; of nothing where it can't be had. */
export function loadKatex() {
  loading ??= import("katex").then(
    module => katex = module.default,
    () => loading = null, // it is tried again with the next formula
  )
  return loading
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

/** An element with the formula, or text with formulas, typeset; null when beyond KaTeX. */
export function typeset(source) {
  if (source.length > LIMIT) return null
  const { body, display } = formula(source)
  const whole = render(body, display)
  const element = document.createElement("div")
  element.className = "math"
  if (whole) {
    element.append(whole)
    return element
  }
  const pieces = split(source, MIXED)
  if (!pieces.some(piece => piece.math)) return null
  element.classList.add("mixed")
  element.append(...pieces.map(piece => shown(piece) ?? piece.source))
  return element
}

/** Whether HTML may have formulas in it, as Sage and MathJax mark them. */
export function hasFormulas(html) {
  return IN_HTML.test(html) || html.includes("math/tex")
}

/** HTML with the formulas in its text typeset. Nothing of it is run or fetched here. */
export function typesetWithin(html) {
  const page = new DOMParser().parseFromString(html, "text/html")
  for (const script of page.querySelectorAll("script[type^='math/tex']")) {
    const made = render(script.textContent, script.type.includes("display"))
    if (made) script.replaceWith(made)
  }
  typesetIn(page.documentElement)
  return page.documentElement.outerHTML
}

/** Typeset the formulas in the texts within an element. */
export function typesetIn(element) {
  const walker = element.ownerDocument.createTreeWalker(element, NodeFilter.SHOW_TEXT)
  const texts = []
  while (walker.nextNode()) {
    const text = walker.currentNode
    if (IN_HTML.test(text.data) && !text.parentElement.closest(VERBATIM)) texts.push(text)
  }
  for (const text of texts) {
    text.replaceWith(...split(text.data, DELIMITED).map(piece => shown(piece) ?? piece.source))
  }
}

/** Text as pieces {source} and, of formulas, {source, math, display}. */
function split(text, pattern) {
  const pieces = []
  let last = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > last) pieces.push({ source: text.slice(last, match.index) })
    const { body, display } = formula(match[0])
    const inline = display && /^(?:\\\(|\$(?!\$))/.test(match[0]) // of the size of a displayed one
    const math = inline ? `\\displaystyle ${body}` : body
    pieces.push({ source: match[0], math, display: display && !inline })
    last = match.index + match[0].length
  }
  if (last < text.length) pieces.push({ source: text.slice(last) })
  return pieces
}

function shown({ math, display }) {
  return math === undefined ? null : render(math, display)
}

/** A formula as KaTeX makes it, or null. */
function render(body, display) {
  if (!katex || body.length > LIMIT) return null
  const element = document.createElement("span")
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
