// Changing what cells there are: adding, moving, deleting, splitting and merging them, and
// taking that back. Text within a cell has its editor's own undo.

import { uuid } from "./ids.js"
import { CellKind } from "./wire.js"
import { t } from "./words.js"

const REMEMBERED = 100 // steps that can be taken back

export class Structure {
  #cells
  #handlers
  #steps = []

  /** `handlers`: make(id, content) adds a cell and gives it; edited(cell); told(text, canUndo). */
  constructor(cells, handlers) {
    this.#cells = cells
    this.#handlers = handlers
  }

  /** A new cell above (-1) or below (1) another, or without one at the end. */
  insert(beside, step, content = {}) {
    const position = beside ? this.#room(beside, step) : this.#cells.end
    const cell = this.#handlers.make(uuid(), { position, ...content })
    this.#remember([[cell, { ...cell.content, deleted: true }]])
    this.#handlers.edited(cell)
    return cell
  }

  remove(cell) {
    const next = this.#cells.neighbour(cell, 1) ?? this.#cells.neighbour(cell, -1)
    this.#change([[cell, { deleted: true }]])
    this.#handlers.told(t("Cell {number} is deleted.", cell), true)
    const stays = next ?? this.insert(null, 1)
    stays.select()
  }

  /** Move a cell up (-1) or down (1) by one. */
  move(cell, step) {
    const other = this.#cells.neighbour(cell, step)
    if (!other) return
    const position = this.#room(other, step)
    this.#change([[cell, { position }]])
    cell.select()
  }

  /** What is after the cursor becomes a cell of its own. */
  split(cell) {
    const { code, cursor } = cell
    const position = this.#room(cell, 1)
    const kept = code.slice(0, cursor).replace(/\n+$/, "")
    const rest = code.slice(cursor).replace(/^\n+/, "")
    const made = this.#handlers.make(uuid(), { position, code: rest, kind: cell.kind })
    this.#change([[cell, { code: kept }]], [[made, { ...made.content, deleted: true }]])
    this.#handlers.edited(made)
    made.edit("start")
  }

  /** The next cell's text is appended to this one's. */
  merge(cell) {
    const next = this.#cells.neighbour(cell, 1)
    if (!next) return
    const code = [cell.code, next.code].filter(Boolean).join("\n")
    this.#change([[cell, { code }], [next, { deleted: true }]])
    this.#handlers.told(t("Two cells are merged into one."), true)
    cell.select()
  }

  /** Make something else of a cell: its kind, whether it is folded or runs by itself. */
  change(cell, content) {
    this.#change([[cell, content]])
  }

  /** Make it so if it is not, and not if it is: `name` is folded, outputFolded or auto. */
  toggle(cell, name) {
    this.change(cell, { [name]: !cell.content[name] })
  }

  /** Change the text of cells, as one step. */
  rewrite(texts) {
    this.#change(texts.map(([cell, code]) => [cell, { code }]))
  }

  /** Take the last step back. */
  undo() {
    const step = this.#steps.pop()
    if (!step) return this.#handlers.told(t("There is nothing to take back."), false)
    this.#apply(step)
    this.#handlers.told("", false)
    step.map(([cell]) => cell).find(cell => !cell.deleted)?.select()
  }

  #change(changes, others = []) {
    this.#remember([...changes.map(([cell, content]) => [cell, before(cell, content)]), ...others])
    this.#apply(changes)
  }

  #remember(step) {
    this.#steps.push(step)
    if (this.#steps.length > REMEMBERED) this.#steps.shift()
  }

  #apply(changes) {
    for (const [cell, content] of changes) {
      cell.content = { ...cell.content, ...content }
      this.#cells.place(cell)
      this.#handlers.edited(cell)
    }
  }

  /** A position right beside a cell; if there is no number left, all get new ones. */
  #room(cell, step) {
    const found = this.#cells.beside(cell, step)
    if (found !== null) return found
    this.#apply([...this.#cells.shown].map((each, index) => [each, { position: index + 1 }]))
    return this.#cells.beside(cell, step)
  }
}

export const NEXT_KIND = { m: CellKind.MARKDOWN, y: CellKind.CODE, r: CellKind.RAW }

/** What a cell is now of what `content` would make of it: others may change the rest. */
function before(cell, content) {
  const now = cell.content
  return Object.fromEntries(Object.keys(content).map(key => [key, now[key]]))
}
