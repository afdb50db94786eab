// JSON as a tree that opens and closes.

import { element } from "./dom.js"
import { figure } from "./words.js"

const OPEN = 2 // levels, at first
const MOST = 1000 // entries shown of one list or object

/** The element of a JSON text, or null if it is none. */
export function showJson(text) {
  let value
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return element("div", { class: "json" }, tree(value, OPEN))
}

function tree(value, open, name = "") {
  const label = name === "" ? [] : [element("span", { class: "key", text: `${name}: ` })]
  if (value === null || typeof value !== "object") {
    return element("div", {}, ...label, element("span", { class: `value ${typeof value}`, text: JSON.stringify(value) }))
  }
  const entries = Object.entries(value)
  const count = figure(entries.length)
  const kind = Array.isArray(value) ? `[${count}]` : `{${count}}`
  const made = element("details", { open: open > 0 },
    element("summary", {}, ...label, element("span", { class: "kind", text: kind })))
  const fill = () => {
    if (!made.open || made.childElementCount > 1) return
    made.append(...entries.slice(0, MOST).map(([key, each]) => tree(each, open - 1, key)))
    if (entries.length > MOST) made.append(element("div", { class: "kind", text: "…" }))
  }
  made.addEventListener("toggle", fill)
  fill()
  return made
}
