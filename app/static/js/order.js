// Where a cell stands among others: positions are numbers, with room between them. Pure.

/** Whether one cell comes before another. */
function isBefore(one, other) {
  return one.position < other.position || (one.position === other.position && one.id < other.id)
}

/** A position between two (undefined: there is none on that side); null if there is no room. */
export function between(before, after) {
  if (before === undefined && after === undefined) return 1
  if (before === undefined) return after - 1
  if (after === undefined) return before + 1
  const middle = before + (after - before) / 2
  return before < middle && middle < after ? middle : null
}

/** Where `item` belongs in a sorted array. */
export function placeIn(sorted, item) {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (isBefore(sorted[middle], item)) from = middle + 1
    else to = middle
  }
  return from
}
