// Getting what is typed stored: soon after the last key, and again until it is confirmed.

const PAUSE = 400 // ms without a key before an edit is sent

export class Saving {
  #send
  #drafts
  #edits = new Map()

  /** `send(kind, value)` may go nowhere; `drafts` keeps what is not confirmed. */
  constructor(send, drafts) {
    this.#send = send
    this.#drafts = drafts
    addEventListener("pagehide", () => this.#each(cell => this.flush(cell)))
  }

  /** A cell is not as it is stored; false if this browser can't keep its draft. */
  edited(cell) {
    const edit = this.#edits.get(cell.id) ?? { cell, sent: [], timer: 0 }
    this.#edits.set(cell.id, edit)
    clearTimeout(edit.timer)
    edit.timer = setTimeout(() => this.flush(cell), PAUSE)
    return this.#drafts.keep(cell.id, cell.position, cell.code)
  }

  isDirty(id) {
    return this.#edits.has(id)
  }

  /** Send what a cell has become, unless that is under way. */
  flush(cell) {
    const edit = this.#edits.get(cell.id)
    if (!edit) return
    clearTimeout(edit.timer)
    const { id, position, code } = cell
    if (edit.sent.at(-1) === code) return
    edit.sent.push(code)
    this.#send("saveCell", { id, position, code })
  }

  /** The oldest save of a cell that was under way is stored. */
  confirmed(id) {
    const edit = this.#edits.get(id)
    if (!edit || edit.sent.shift() !== edit.cell.code) return
    clearTimeout(edit.timer)
    this.#edits.delete(id)
    this.#drafts.drop(id)
  }

  /** What was under way may be lost: a new connection, or the database is back. */
  again() {
    this.#each((cell, edit) => {
      edit.sent = []
      this.flush(cell)
    })
  }

  #each(action) {
    for (const edit of [...this.#edits.values()]) action(edit.cell, edit)
  }
}
