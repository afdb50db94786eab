// Frames without our origin, for what comes from user code: their scripts run, but see
// neither this page nor any cookie, and reach no network. What they say is not trusted.

import { element } from "./dom.js"

const hearers = new WeakMap() // by frame: who hears what it says

/**
 * A frame of the site's page at `path`, which is given `message` when it says it is ready.
 * `heard(data)` is called with whatever else the frame posts.
 */
export function frame({ path, title, message, heard }) {
  const made = element("iframe", { class: "frame", title, loading: "lazy", src: path })
  made.sandbox.add("allow-scripts")
  hearers.set(made, said => said.ready ? tell(made, message) : heard(said))
  return made
}

export function tell(frame, message) {
  frame.contentWindow?.postMessage(message, "*") // it has no origin to be named
}

addEventListener("message", ({ source, data }) => {
  if (source === window || data === null || typeof data !== "object") return
  for (const frame of document.querySelectorAll("iframe.frame")) {
    if (frame.contentWindow === source) hearers.get(frame)?.(data)
  }
})

// A script in a frame can take the focus, and what is typed with it. From an editor it comes
// back, unless the person went there: with the mouse, with Tab, or by Escape out of the editor.
const EDITORS = "input, textarea, [contenteditable='true']"
const JUST_NOW = 500 // ms
let editor = null
let tabbed = -Infinity

addEventListener("focusin", ({ target }) => editor = target.closest(EDITORS))
addEventListener("keydown", ({ key, timeStamp }) => tabbed = key === "Tab" ? timeStamp : -Infinity, { capture: true })
addEventListener("blur", ({ timeStamp }) => {
  const taker = document.activeElement
  if (!editor?.isConnected || !taker?.matches("iframe.frame:not(:hover)")) return
  if (timeStamp - tabbed < JUST_NOW || matchMedia("(hover: none)").matches) return
  editor.focus({ preventScroll: true })
})
