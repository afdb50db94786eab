// Find and replace in all cells of the worksheet.

import { matches, patternOf, replaced } from "./search.js"
import { t } from "./words.js"

export class Find {
  #form
  #cells
  #handlers
  #at = null // the match that is shown: {cell, from, to}

  /** `handlers`: rewrite([[cell, code]]) changes many, to be taken back at once. */
  constructor(form, cells, handlers) {
    this.#form = form
    this.#cells = cells
    this.#handlers = handlers
    const { query, exact, pattern, previous, next, replace, all, close } = form.elements
    form.onsubmit = event => event.preventDefault()
    query.oninput = exact.onchange = pattern.onchange = () => this.#tell()
    query.onkeydown = event => {
      if (event.key !== "Enter") return
      event.preventDefault()
      this.#go(event.shiftKey ? -1 : 1)
    }
    form.onkeydown = event => event.key === "Escape" && this.#close()
    previous.onclick = () => this.#go(-1)
    next.onclick = () => this.#go(1)
    replace.onclick = () => this.#replace()
    all.onclick = () => this.#replaceAll()
    close.onclick = () => this.#close()
  }

  open() {
    this.#form.hidden = false
    const selected = getSelection().toString()
    if (selected && !selected.includes("\n")) this.#form.elements.query.value = selected
    this.#form.elements.query.select()
    this.#form.elements.query.focus()
    this.#tell()
  }

  #close() {
    this.#form.hidden = true
    this.#at?.cell.select()
    this.#at = null
  }

  get #pattern() {
    const { query, exact, pattern } = this.#form.elements
    return patternOf(query.value, { exact: exact.checked, pattern: pattern.checked })
  }

  #found() {
    const pattern = this.#pattern
    if (!pattern) return []
    return this.#cells.shown.flatMap(cell => matches(cell.code, pattern).map(match => ({ cell, ...match })))
  }

  #go(step) {
    const found = this.#found()
    if (!found.length) return this.#tell()
    const here = found.findIndex(match => this.#isAt(match))
    const start = here >= 0 || step > 0 ? here + step : found.length - 1
    this.#at = found[(start + found.length) % found.length]
    this.#at.cell.reveal(this.#at.from, this.#at.to)
    this.#tell()
  }

  #isAt({ cell, from, to }) {
    return this.#at?.cell === cell && this.#at.from === from && this.#at.to === to
  }

  #replace() {
    const found = this.#found().find(match => this.#isAt(match))
    if (found) {
      const text = this.#replacement(found)
      found.cell.replace(found.from, found.to, text)
      // What comes next is looked for behind it
      this.#at = this.#found().findLast(({ cell, to }) => cell === found.cell && to <= found.from + text.length) ?? null
    }
    this.#go(1)
  }

  #replacement({ cell, from, to }) {
    const { replacement, pattern } = this.#form.elements
    return replaced(cell.code, { from, to }, this.#pattern, replacement.value, pattern.checked)
  }

  #replaceAll() {
    const texts = new Map()
    for (const match of this.#found().reverse()) {
      const code = texts.get(match.cell) ?? match.cell.code
      texts.set(match.cell, code.slice(0, match.from) + this.#replacement(match) + code.slice(match.to))
    }
    if (texts.size) this.#handlers.rewrite([...texts])
    this.#tell()
  }

  #tell() {
    const found = this.#found()
    const here = found.findIndex(match => this.#isAt(match))
    const { query } = this.#form.elements
    const wrong = query.value && !this.#pattern
    const count = found.length
    const place = here >= 0 ? t("{place} of {count}", { place: here + 1, count }) : t("{count} found", { count })
    const text = wrong ? t("not a regular expression") : query.value && place
    this.#form.querySelector("output").textContent = text
  }
}
