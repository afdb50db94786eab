// One object as an element, in the best of its forms that works.

import { runs } from "./ansi.js"
import { element, styled } from "./dom.js"
import { loadMarkdown, showHtml, showMarkdown } from "./html.js"
import { showJson } from "./json.js"
import { hasFormulas, loadKatex, typeset } from "./latex.js"
import { choose, decode, plain, SCENE, size } from "./mime.js"
import { showScene } from "./scene.js"
import { t } from "./words.js"

/** A promise of what has to be loaded before a bundle's parts are shown; null if nothing has. */
export function prepare(parts) {
  const [best] = choose(parts)
  const type = best?.type
  if (type === "text/latex") return loadKatex()
  if (type === "text/markdown") return Promise.all([loadMarkdown(), loadKatex()])
  if (type === "text/html" && hasFormulas(decode(best))) return loadKatex()
  return null
}

/** The element of a bundle's parts; empty if they have no form to show. */
export function show(parts) {
  for (const part of choose(parts)) {
    const shown = form(part, plain(parts))
    if (shown) return shown
  }
  return element("div")
}

function form(part, alternative) {
  if (part.type === SCENE) return showScene(decode(part), alternative)
  if (part.type === "text/latex") return mathematics(decode(part), alternative)
  if (part.type === "text/html") return showHtml(decode(part), alternative)
  if (part.type === "text/markdown") return showMarkdown(decode(part), alternative)
  if (part.type === "application/json") return showJson(decode(part))
  if (part.type.startsWith("image/")) return image(part, alternative)
  return element("pre", { class: "plain" }, ...styled(runs(decode(part)).runs))
}

function mathematics(source, alternative) {
  const formula = typeset(source)
  if (!formula) return null
  const holder = element("div", { class: "formula" }, formula)
  if (alternative && navigator.clipboard) holder.append(copyButton(alternative))
  return holder
}

function copyButton(text) {
  const button = element("button", { type: "button", class: "copy", "aria-label": t("Copy as text"), title: t("Copy as text") })
  button.onclick = async () => {
    await navigator.clipboard.writeText(text)
    button.classList.add("copied")
    setTimeout(() => button.classList.remove("copied"), 1500)
  }
  return button
}

function image(part, alternative) {
  const [type] = part.type.split(";")
  const url = URL.createObjectURL(new Blob([part.data], { type }))
  // An image that has been decoded needs its data no more; a vector one may be drawn again
  const release = () => type === "image/svg+xml" || URL.revokeObjectURL(url)
  const made = element("img", { class: "image", src: url, alt: alternative || t("Picture"), onload: release })
  const { width, height } = size(part.type)
  if (width) made.style.width = `${width}px`
  if (height && !width) made.style.height = `${height}px`
  else if (height) made.style.aspectRatio = `${width} / ${height}`
  return made
}
