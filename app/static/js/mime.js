// Which of the forms of an object to show. Pure.

export const SCENE = "application/vnd.salvus.scene+html" // a page that draws with three.js
const PREFERENCE = [
  SCENE,
  "text/latex",
  "text/html",
  "text/markdown",
  "image/svg+xml",
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "application/json",
  "text/plain",
]

/** The parts that the page can show, the best first; later ones are for when one fails. */
export function choose(parts) {
  const known = parts.filter(part => rank(part) >= 0)
  return known.sort((one, other) => rank(one) - rank(other))
}

/** The {width, height} in CSS pixels that a type asks for: "image/png;width=300". */
export function size(type) {
  const found = {}
  for (const [, name, value] of type.matchAll(/;(width|height)=(\d{1,4})(?=;|$)/g)) found[name] = Number(value)
  return found
}

function rank(part) {
  return PREFERENCE.indexOf(part.type.split(";")[0])
}

/** The text/plain form, "" if there is none. */
export function plain(parts) {
  const part = parts.find(part => part.type === "text/plain")
  return part ? decode(part) : ""
}

export function decode(part) {
  return new TextDecoder().decode(part.data)
}
