// Text as a terminal leaves it: carriage returns, backspaces, movements of the cursor and
// erasing are carried out; colours are kept. Pure.

const ACTS = /[\r\b]|\x1b\[[0-9;]*[A-HJKf]/
const TOKEN = /\x1b\[([0-9;]*)([A-HJKfm])|[\r\n\b]|[^\x1b\r\n\b]+|\x1b/g
const RESET = "\x1b[0m"
const WIDEST = 10_000 // columns that a movement may reach

/**
 * `text` as it stands in the end, and in `cursor` what has to come before more of it: the
 * way from the text's end to where the cursor is, and the colour it writes in.
 */
export function settle(text) {
  const unified = text.replaceAll("\r\n", "\n")
  if (!ACTS.test(unified)) return { text: unified, cursor: "" }
  const screen = new Screen()
  for (const [token, numbers, act] of unified.matchAll(TOKEN)) screen.take(token, numbers, act)
  return screen.settled()
}

class Screen {
  #rows = [[]] // of cells, {character, style}
  #row = 0
  #column = 0
  #style = "" // the SGR sequences since the last reset

  take(token, numbers, act) {
    if (act === "m") this.#style = restyled(this.#style, token, numbers)
    else if (act) this.#act(act, (numbers || "").split(";").map(Number))
    else if (token === "\n") this.#newLine()
    else if (token === "\r") this.#column = 0
    else if (token === "\b") this.#column = Math.max(0, this.#column - 1)
    else this.#write(token)
  }

  settled() {
    const last = this.#rows.length - 1
    const text = this.#rows.map(line).join("\n")
    const up = last - this.#row
    const there = up === 0 && this.#column === this.#rows[last].length
    const way = there ? "" : `${up ? `\x1b[${up}A` : ""}\x1b[${this.#column + 1}G`
    return { text, cursor: way + this.#style }
  }

  #write(text) {
    const cells = this.#rows[this.#row]
    while (cells.length < this.#column) cells.push({ character: " ", style: "" })
    for (const character of text) cells[this.#column++] = { character, style: this.#style }
  }

  #newLine() {
    this.#column = 0
    if (++this.#row === this.#rows.length) this.#rows.push([])
  }

  #act(act, [first, second]) {
    const steps = first || 1
    if (act === "A") this.#go(this.#row - steps, this.#column)
    else if (act === "B") this.#go(this.#row + steps, this.#column)
    else if (act === "C") this.#go(this.#row, this.#column + steps)
    else if (act === "D") this.#go(this.#row, this.#column - steps)
    else if (act === "E") this.#go(this.#row + steps, 0)
    else if (act === "F") this.#go(this.#row - steps, 0)
    else if (act === "G") this.#go(this.#row, steps - 1)
    else if (act === "K") this.#eraseInLine(first)
    else if (act === "J") this.#erase(first)
    else this.#go(steps - 1, (second || 1) - 1)
  }

  #go(row, column) {
    this.#row = Math.min(Math.max(row, 0), this.#rows.length - 1)
    this.#column = Math.min(Math.max(column, 0), WIDEST)
  }

  #eraseInLine(part) {
    const cells = this.#rows[this.#row]
    if (part === 2) cells.length = 0
    else if (part === 1) cells.fill({ character: " ", style: "" }, 0, this.#column + 1)
    else cells.length = Math.min(cells.length, this.#column)
  }

  #erase(part) {
    if (part === 2 || part === 3) {
      this.#rows = [[]]
      this.#row = 0
    } else if (part !== 1) {
      this.#eraseInLine(0)
      this.#rows.length = this.#row + 1
    }
  }
}

function restyled(style, sequence, numbers) {
  return /^[0;]*$/.test(numbers) ? "" : style + sequence
}

/** A row as text again; what it is coloured in ends with it. */
function line(cells) {
  let text = ""
  let style = ""
  for (const cell of cells) {
    if (cell.style !== style) text += (style && RESET) + cell.style
    style = cell.style
    text += cell.character
  }
  return style ? text + RESET : text
}
