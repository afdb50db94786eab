// The numbers of a slider as people read them. Pure.

const DIGITS = 10

/**
 * The number at a place: `start` and so many times `step`, but the one that is `odd`
 * ([place, number]) stands between two of them.
 */
export function numberAt({ start, step, odd }, place) {
  if (!odd || place < odd[0]) return text(start + place * step, step)
  return place === odd[0] ? text(odd[1], step) : text(start + (place - 1) * step, step)
}

/** A number without the digits that rounding has made. */
function text(number, step) {
  const tiny = Math.abs(number) < Math.abs(step) * 1e-9
  const rounded = tiny ? 0 : Number(number.toPrecision(DIGITS))
  return String(rounded).replace("-", "−")
}
