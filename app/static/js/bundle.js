// One object as an element, in the best of its forms that works.
//
// HTML comes from user code and is shown in a frame without our origin (/output): its
// scripts run, but see neither this page nor any cookie, and reach no network.

import { runs } from "./ansi.js"
import { element, styled } from "./dom.js"
import { typeset } from "./latex.js"
import { choose, decode, plain } from "./mime.js"

const TALLEST = 2000 // px, of a frame that says how tall it is
const FRAME_STYLE = `<!doctype html><meta charset="utf-8"><style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2px } table { border-collapse: collapse } td, th { padding: .2em .6em }
</style>`

/** The element of a bundle's parts; empty if they have no form to show. */
export function show(parts) {
  for (const part of choose(parts)) {
    const shown = form(part, plain(parts))
    if (shown) return shown
  }
  return element("div")
}

function form(part, alternative) {
  if (part.type === "text/latex") return mathematics(decode(part), alternative)
  if (part.type === "text/html") return frame(decode(part), alternative)
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
  const button = element("button", { type: "button", class: "copy", "aria-label": "Copy as text", title: "Copy as text" })
  button.onclick = async () => {
    await navigator.clipboard.writeText(text)
    button.classList.add("copied")
    setTimeout(() => button.classList.remove("copied"), 1500)
  }
  return button
}

function image(part, alternative) {
  const url = URL.createObjectURL(new Blob([part.data], { type: part.type }))
  // An image that has been decoded needs its data no more; a vector one may be drawn again
  const release = () => part.type === "image/svg+xml" || URL.revokeObjectURL(url)
  return element("img", { class: "image", src: url, alt: alternative || "Picture", onload: release })
}

function frame(html, alternative) {
  const shown = element("iframe", {
    class: "frame", src: "/output", title: alternative || "HTML output", loading: "lazy",
  })
  shown.sandbox.add("allow-scripts")
  shown.addEventListener("load", () => shown.contentWindow.postMessage(FRAME_STYLE + html, "*"), { once: true })
  return shown
}

addEventListener("message", ({ source, data }) => {
  const height = Number(data?.height)
  if (!(height > 0)) return
  for (const shown of document.querySelectorAll("iframe.frame")) {
    if (shown.contentWindow === source) shown.style.height = `${Math.min(height, TALLEST)}px`
  }
})
