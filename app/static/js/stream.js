// What a run printed, as text that stays readable and quick however much it is.
//
// Lines are gathered in blocks that the browser lays out only near the viewport. Of very
// long text the DOM holds the end; the rest is kept aside until it is asked for. A block's
// last newline is in the DOM but hidden: the block's own end breaks the line, and a copy
// of the text, or a program that reads it, finds every character once.

import { runs } from "./ansi.js"
import { element, styled } from "./dom.js"
import { settle } from "./terminal.js"
import { count } from "./text.js"
import { figure, t, tn } from "./words.js"

const BLOCK_LINES = 200
const REDRAWN_LINES = 50 // at the end, that the cursor may come back to
const BLOCK_CHARACTERS = 256 * 1024
const SHOWN_LINES = 20_000
const SHOWN_CHARACTERS = 4_000_000
// A carriage return or an escape sequence may go on in what comes next
const UNFINISHED = /(?:\r|\x1b(?:\[[0-9;:]*)?)$/

export class StreamText {
  #open = ""
  #pending = "" // what comes between the open text and more of it
  #style = {}
  #midLine = false
  #blocks = []
  #shownFrom = 0
  #shownLines = 0
  #shownCharacters = 0
  #lines = 0
  #everything = false
  #elided = null
  #tail = element("div")

  constructor(name) {
    this.element = element("pre", { class: `stream ${name}` }, this.#tail)
  }

  write(text) {
    const whole = this.#open + this.#pending + text
    const rest = whole.match(UNFINISHED)?.[0] ?? ""
    const settled = settle(whole.slice(0, whole.length - rest.length))
    this.#open = settled.text
    this.#pending = settled.cursor + rest
    for (let end = this.#endOfBlock(); end > 0; end = this.#endOfBlock()) this.#close(end)
    this.#fill(this.#tail, this.#open)
    this.#elide()
  }

  /** Where the open text has enough for a block of its own, 0 if it has not. */
  #endOfBlock() {
    let end = 0
    for (let line = 0, at = 0; line < BLOCK_LINES + REDRAWN_LINES; line++) {
      const newline = this.#open.indexOf("\n", at)
      if (newline < 0 || newline >= BLOCK_CHARACTERS) {
        if (this.#open.length <= BLOCK_CHARACTERS) return 0
        return end || wholeCharacters(this.#open, BLOCK_CHARACTERS)
      }
      at = newline + 1
      if (line < BLOCK_LINES) end = at
    }
    return end
  }

  #close(end) {
    const text = this.#open.slice(0, end)
    this.#open = this.#open.slice(end)
    const block = element("div", { class: "block" })
    this.#style = this.#fill(block, text)
    const lines = count(text, "\n")
    block.style.containIntrinsicSize = `auto none auto ${(lines * 1.5).toFixed(1)}em`
    this.#blocks.push({ element: block, text, lines })
    this.#midLine = !text.endsWith("\n")
    this.#lines += lines
    this.#shownLines += lines
    this.#shownCharacters += text.length
    this.#tail.before(block)
  }

  /** Show `text` in `block`; gives the style in which it ends. */
  #fill(block, text) {
    const ends = text.endsWith("\n")
    const { runs: pieces, style } = runs(ends ? text.slice(0, -1) : text, this.#style)
    block.replaceChildren(...styled(pieces))
    if (ends) {
      if (pieces.length === 0) block.append(element("br"))
      block.append(element("span", { class: "newline", text: "\n" }))
    }
    block.classList.toggle("inline", this.#midLine || (!ends && block !== this.#tail))
    return style
  }

  #elide() {
    if (this.#everything) return
    const tooMuch = () => this.#shownLines > SHOWN_LINES || this.#shownCharacters > SHOWN_CHARACTERS
    const before = this.#shownFrom
    while (tooMuch() && this.#shownFrom < this.#blocks.length) {
      const block = this.#blocks[this.#shownFrom++]
      block.element.remove()
      this.#shownLines -= block.lines
      this.#shownCharacters -= block.text.length
    }
    if (this.#shownFrom > before) this.#tellElided()
  }

  #tellElided() {
    if (!this.#elided) {
      this.#elided = element("p", { class: "elided" }, element("span"),
        element("button", { type: "button", onclick: () => this.#showEverything() }),
        element("button", { type: "button", text: t("Download"), onclick: () => this.#download() }))
      this.element.prepend(this.#elided)
    }
    const hidden = this.#blocks.slice(0, this.#shownFrom).reduce((sum, block) => sum + block.lines, 0)
    const [told, all] = this.#elided.children
    told.textContent = tn("{number} earlier line is not shown.", "{number} earlier lines are not shown.", hidden, { number: figure(hidden) })
    all.textContent = t("Show all {number} lines", { number: figure(this.#lines) })
  }

  #showEverything() {
    this.#everything = true
    this.#elided.after(...this.#blocks.slice(0, this.#shownFrom).map(block => block.element))
    this.#elided.remove()
  }

  #download() {
    const texts = [...this.#blocks.map(block => block.text), this.#open]
    const url = URL.createObjectURL(new Blob(texts, { type: "text/plain;charset=utf-8" }))
    element("a", { href: url, download: "output.txt" }).click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  }
}

/** `end`, or one less where it would cut a surrogate pair in two. */
function wholeCharacters(text, end) {
  const unit = text.charCodeAt(end - 1)
  return unit >= 0xd800 && unit < 0xdc00 ? end - 1 : end
}
