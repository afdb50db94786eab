// The table of contents: the headings of the worksheet's Markdown cells.

import { element } from "./dom.js"
import { headings } from "./headings.js"
import { CellKind } from "./wire.js"
import { t } from "./words.js"

export class Outline {
  #panel
  #list
  #cells

  /** `panel`: the element that holds the list; `cells`: of the worksheet. */
  constructor(panel, cells) {
    this.#panel = panel
    this.#cells = cells
    this.#list = panel.querySelector("ul")
    panel.querySelector(".close").onclick = () => this.toggle()
  }

  get isOpen() {
    return !this.#panel.hidden
  }

  toggle() {
    this.#panel.hidden = !this.#panel.hidden
    this.refresh()
  }

  /** What is in the cells has changed. */
  refresh() {
    if (!this.isOpen) return
    const lines = this.#cells.shown
      .filter(cell => cell.kind === CellKind.MARKDOWN)
      .flatMap(cell => headings(cell.code).map((heading, index) => this.#line(cell, heading, index)))
    if (!lines.length) lines.push(element("li", { class: "none", text: t("Headings in text cells (# Heading) are listed here.") }))
    this.#list.replaceChildren(...lines)
  }

  #line(cell, { level, text }, index) {
    const go = element("button", { type: "button", text, onclick: () => {
      const target = cell.element.querySelectorAll(".prose :is(h1, h2, h3, h4, h5, h6)")[index]
      cell.select()
      ;(target ?? cell.element).scrollIntoView({ block: "start" })
    } })
    go.style.paddingInlineStart = `${level * 0.75}rem`
    return element("li", {}, go)
  }
}
