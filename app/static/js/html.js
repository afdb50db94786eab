// HTML and Markdown of a session, as a frame that is as tall as its content.

import { frame, RELEASE } from "./frame.js"
import { hasFormulas, typesetWithin } from "./latex.js"
import { t } from "./words.js"

const TALLEST = 2000 // px; what is taller scrolls in its frame
const SMALLEST = 8
const STYLE = `<!doctype html><meta charset="utf-8"><style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2px 12px }
table { border-collapse: collapse }
td, th { padding: .2em .7em; text-align: left }
th { border-bottom: 1px solid; font-weight: 600 }
tr + tr > td { border-top: 1px solid color-mix(in srgb, currentcolor 15%, transparent) }
pre, code { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }
pre { overflow: auto; padding: .5em .75em; background: color-mix(in srgb, currentcolor 7%, transparent) }
blockquote { margin-inline: 0; padding-inline-start: 1em; border-inline-start: 3px solid color-mix(in srgb, currentcolor 25%, transparent) }
img, svg, video { max-width: 100%; height: auto }
audio { max-width: 100% }
h1, h2, h3 { font-weight: 600; line-height: 1.3; margin-block: .8em .4em }
body > :first-child { margin-top: 0 }
body > :last-child { margin-bottom: 0 }
${buttons()}</style>`
const KATEX = `<link rel="stylesheet" href="${new URL("../vendor/katex.css", import.meta.url).pathname}">`

/** HTML as a frame; formulas in it are typeset. */
export function showHtml(html, title) {
  const formulas = hasFormulas(html)
  const shown = frame({
    path: `/output?release=${RELEASE}`,
    title: title || t("HTML output"),
    message: STYLE + (formulas ? KATEX + typesetWithin(html) : html),
    heard: ({ height }) => {
      if (!(height >= 0)) return
      shown.style.height = `${Math.min(Math.max(height, SMALLEST), TALLEST)}px`
    },
  })
  return shown
}

/** Matplotlib's players name their buttons' icons by the classes of a font from elsewhere. */
function buttons() {
  const icons = {
    minus: "−", plus: "+", play: "▶", pause: "❚❚", "play.fa-flip-horizontal": "◀",
    "fast-backward": "⏮", "fast-forward": "⏭", "step-backward": "◁", "step-forward": "▷",
  }
  return Object.entries(icons)
    .map(([name, icon]) => `.anim-buttons .fa-${name}::before { content: "${icon}"; font-style: normal }`)
    .join("\n")
}

let markdown = null

/** Before which there is no Markdown. */
export async function loadMarkdown() {
  markdown ??= await import("./markdown.js").catch(() => null)
}

/** Null where it can't be shown. */
export function showMarkdown(source, title) {
  return markdown && showHtml(markdown.parseMarkdown(source), title)
}
