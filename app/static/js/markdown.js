// Markdown as HTML that is still to be made harmless: html.js gives it a frame, prose.js cleans it.

import { Marked } from "marked"

// Formulas are no Markdown: their underscores and backslashes stay as they are
const formula = {
  name: "formula",
  level: "inline",
  start: source => source.match(/[$\\]/)?.index,
  tokenizer(source) {
    const match = source.match(/^(?:\$\$[^$]+\$\$|\$(?!\s)[^$\n]*[^$\s]\$(?!\d)|\\\([^]*?\\\)|\\\[[^]*?\\\])/)
      || source.match(/^\\begin\{([a-z]+\*?)\}[^]*?\\end\{\1\}/)
    return match ? { type: "formula", raw: match[0], text: match[0] } : undefined
  },
  renderer({ text }) {
    const inline = text.startsWith("$") && !text.startsWith("$$")
    const shown = inline ? `\\(${text.slice(1, -1)}\\)` : text
    return shown.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
  },
}
const renderer = new Marked({ extensions: [formula] })

export function parseMarkdown(source) {
  return renderer.parse(source)
}
