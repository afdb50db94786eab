// Who else has this worksheet open, and where they are: a list on the page, and their cursors.
// Who comes asks; as long as nobody answers, nobody is told anything.

import { element } from "./dom.js"
import { t } from "./words.js"

const BEAT = 15_000 // ms between two messages of a page where nothing happens
const SILENCE = 40_000 // ms after which somebody counts as gone
const PAUSE = 120 // ms between two messages of where the cursor is
const COLORS = 6

export class Others {
  #list
  #send
  #cellOf
  #people = new Map() // by browser
  #here = {}
  #timer = 0
  #again = false // ask once more: a message may be lost

  /** `list`: the element for the list; `send(value)` a Here message; `cellOf(id)` a cell. */
  constructor(list, send, cellOf) {
    this.#list = list
    this.#send = send
    this.#cellOf = cellOf
    setInterval(() => this.#beat(), BEAT)
  }

  /** Nobody is known: a new connection. */
  ask() {
    const cells = [...this.#people.values()].map(({ cell }) => cell)
    this.#people.clear()
    cells.forEach(cell => this.#mark(cell))
    this.#show()
    this.#send({ ...this.#here, asks: true })
    this.#again = true
  }

  /** The person's selection is here: in the editor of `cell`, or with null in none. */
  moved(cell, anchor, head) {
    this.#here = cell ? { cell: cell.id, anchor, head } : {}
    if (this.#people.size === 0) return
    this.#timer ||= setTimeout(() => {
      this.#timer = 0
      this.#send(this.#here)
    }, PAUSE)
  }

  /** Take a Here message. */
  take({ browser, name, cell, anchor, head, asks, left }) {
    const before = this.#people.get(browser)
    if (left) this.#people.delete(browser)
    else {
      const color = before?.color ?? this.#free()
      this.#people.set(browser, { name: name || t("Somebody"), cell, anchor, head, color, seen: Date.now() })
    }
    for (const id of new Set([before?.cell, left ? "" : cell])) this.#mark(id)
    this.#show()
    if (asks) this.#send(this.#here)
  }

  /** Show again who is in a cell: its text has changed. */
  #mark(id) {
    const cell = id && this.#cellOf(id)
    if (!cell) return
    cell.others = [...this.#people.values()].filter(person => person.cell === id)
  }

  refresh(id) {
    this.#mark(id)
  }

  #free() {
    const taken = new Set([...this.#people.values()].map(({ color }) => color))
    for (let color = 1; color <= COLORS; color++) if (!taken.has(color)) return color
    return 1 + this.#people.size % COLORS
  }

  #beat() {
    const late = Date.now() - SILENCE
    for (const [browser, { seen, cell }] of this.#people) {
      if (seen > late) continue
      this.#people.delete(browser)
      this.#mark(cell)
    }
    this.#show()
    if (this.#people.size > 0 || this.#again) this.#send({ ...this.#here, asks: this.#again })
    this.#again = false
  }

  #show() {
    const people = [...this.#people.values()]
    this.#list.hidden = people.length === 0
    this.#list.replaceChildren(...people.map(({ name, color }) =>
      element("li", { text: name, "data-color": color, title: t("{name} has this worksheet open, too", { name }) })))
  }
}
