// Getting what is typed stored: soon after the last key, and again until it is confirmed.
// What is stored of a cell is its `content`; that it was deleted is a part of it.

const PAUSE = 400 // ms without a key before an edit is sent

export class Saving {
  #send
  #drafts
  #changed
  #edits = new Map()
  #title

  /**
   * `send(kind, value)` may go nowhere; `drafts` keeps what is not confirmed; `changed()`
   * is called when `isComplete` may have changed.
   */
  constructor(send, drafts, changed) {
    this.#send = send
    this.#drafts = drafts
    this.#changed = changed
    this.#title = drafts.title
    addEventListener("pagehide", () => this.#each(cell => this.flush(cell)))
  }

  /** A cell is not as it is stored; false if this browser can't keep its draft. */
  edited(cell) {
    const edit = this.#edits.get(cell.id) ?? { cell, sent: [], timer: 0, isRefused: false }
    this.#edits.set(cell.id, edit)
    clearTimeout(edit.timer)
    edit.isRefused = false
    edit.timer = setTimeout(() => this.flush(cell), PAUSE)
    this.#changed()
    return this.#drafts.keep(cell.id, cell.content, cell.shared.state)
  }

  /** The worksheet has got another title here; null: it is stored as it is. */
  set title(title) {
    this.#title = title
    this.#drafts.title = title
    if (title !== null) this.#send("title", { title })
    this.#changed()
  }

  get title() {
    return this.#title
  }

  /** Whether all is stored. */
  get isComplete() {
    return this.#edits.size === 0 && this.#title === null
  }

  /** The ids of cells that can't be stored as they are. */
  get unfit() {
    return [...this.#edits.keys()].filter(id => this.#edits.get(id).isRefused)
  }

  isDirty(id) {
    return this.#edits.has(id)
  }

  /** Send what a cell has become, unless that is under way. */
  flush(cell) {
    const edit = this.#edits.get(cell.id)
    if (!edit) return
    clearTimeout(edit.timer)
    const { id, content, version } = cell
    if (edit.sent.at(-1) === version) return
    edit.sent.push(version)
    this.#send("saveCell", { id, ...content, text: cell.shared.news })
  }

  /** The oldest save of a cell that was under way is stored. */
  confirmed(id) {
    const edit = this.#edits.get(id)
    if (!edit || edit.sent.shift() !== edit.cell.version) return
    clearTimeout(edit.timer)
    this.#edits.delete(id)
    this.#drafts.drop(id)
    this.#changed()
  }

  /** The oldest save of a cell that was under way can't be stored. */
  refused(id) {
    const edit = this.#edits.get(id)
    if (!edit) return
    edit.sent.shift()
    edit.isRefused = true
    this.#changed()
  }

  /** What was under way may be lost: a new connection, or the database is back. */
  again() {
    if (this.#title !== null) this.#send("title", { title: this.#title })
    this.#each((cell, edit) => {
      edit.sent = []
      this.flush(cell)
    })
  }

  #each(action) {
    for (const edit of [...this.#edits.values()]) action(edit.cell, edit)
  }
}
