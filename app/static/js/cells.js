// The cells of a worksheet in their order. Those that were deleted are kept, out of sight.

import { between, placeIn } from "./order.js"

const LONG = 60 // cells, of which those far from the screen are not laid out

export class Cells {
  #sheet
  #byId = new Map()
  #shown = [] // by position
  #renumbering = false

  /** `sheet`: the element that holds the cells'. */
  constructor(sheet) {
    this.#sheet = sheet
  }

  get(id) {
    return this.#byId.get(id)
  }

  /** Every cell there is, in no order, and deleted ones among them. */
  get all() {
    return [...this.#byId.values()]
  }

  /** What is on the page, from top to bottom. */
  get shown() {
    return this.#shown
  }

  /** The cell that shows this run. */
  of(run) {
    return run && this.all.find(cell => cell.shows(run))
  }

  add(cell) {
    this.#byId.set(cell.id, cell)
    this.place(cell)
  }

  /** Put a cell where it belongs by its position now, or out of sight if it is deleted. */
  place(cell) {
    const before = this.#shown.indexOf(cell)
    if (before >= 0) this.#shown.splice(before, 1)
    if (cell.deleted) {
      cell.element.remove()
    } else {
      const at = placeIn(this.#shown, cell)
      const next = this.#shown[at]?.element ?? null
      const isThere = cell.element.parentNode === this.#sheet && cell.element.nextSibling === next
      // Moving an element takes the focus from it and empties its frames
      if (!isThere) this.#sheet.insertBefore(cell.element, next)
      this.#shown.splice(at, 0, cell)
    }
    this.#renumber()
  }

  #renumber() {
    if (this.#renumbering) return
    this.#renumbering = true
    queueMicrotask(() => {
      this.#sheet.classList.toggle("long", this.#shown.length > LONG)
      this.#renumbering = false
      this.#shown.forEach((cell, index) => cell.number = index + 1)
    })
  }

  /** The cell so many steps further down. */
  neighbour(cell, step) {
    return this.#shown[this.#shown.indexOf(cell) + step]
  }

  /** A position after the last cell. */
  get end() {
    return between(this.#shown.at(-1)?.position, undefined)
  }

  /** A position right before (-1) or after (1) a cell; null if there is no room. */
  beside(cell, step) {
    const other = this.neighbour(cell, step)?.position
    return step < 0 ? between(other, cell.position) : between(cell.position, other)
  }
}
