// Which of the forms of an object to show. Pure.

const PREFERENCE = [
  "text/latex",
  "text/html",
  "image/svg+xml",
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "text/plain",
]

/** The parts that the page can show, the best first; later ones are for when one fails. */
export function choose(parts) {
  const known = parts.filter(part => PREFERENCE.includes(part.type))
  return known.sort((one, other) => PREFERENCE.indexOf(one.type) - PREFERENCE.indexOf(other.type))
}

/** The text/plain form, "" if there is none. */
export function plain(parts) {
  const part = parts.find(part => part.type === "text/plain")
  return part ? decode(part) : ""
}

export function decode(part) {
  return new TextDecoder().decode(part.data)
}
