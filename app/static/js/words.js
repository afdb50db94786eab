// What the page says, in the language of the site. English stands in the sources, so its pages
// load no catalogue; in others a script before us has one (app/words.py).

const { texts = {}, said: known = [], form = count => Number(count !== 1) } = globalThis.salvusWords ?? {}

/** The language in which dates and figures are written. */
export const LOCALE = document.documentElement.lang.replace(/^(en)?$/, "en-GB")

/** A number as people write it, with so many digits behind the point. */
export function figure(value, digits = 0) {
  return value.toLocaleString(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** `text` with `values` at its places {name}. */
export function t(text, values = {}) {
  return filled(texts[text]?.[0] ?? text, values)
}

/** The same for `count` things, which the texts have as {count}. */
export function tn(one, many, count, values = {}) {
  const found = texts[one]?.[form(count)] ?? (count === 1 ? one : many)
  return filled(found, { count, ...values })
}

/** What comes from servers, as far as it is known there (app/said.py). */
export function said(text) {
  if (texts[text]) return texts[text][0]
  for (const original of known) {
    const found = patternOf(original).exec(text)
    if (found) return filled(texts[original][0], Object.fromEntries(Object.entries(found.groups).map(([name, value]) => [name, said(value)])))
  }
  return text
}

/** Finds the values of a text that has them as {name}. */
function patternOf(text) {
  const plain = text.replace(/[.*+?^$()|[\]\\]/g, "\\$&")
  return new RegExp(`^${plain.replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "s")
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place)
}
