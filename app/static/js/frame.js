// Frames without our origin, for what comes from user code: their scripts run, but see
// neither this page nor any cookie, and reach no network. What they say is not trusted.

import { element } from "./dom.js"

/** Of this page's static files, as in /static/RELEASE/js/frame.js: frames may load the same. */
export const RELEASE = new URL(import.meta.url).pathname.split("/")[2]

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
