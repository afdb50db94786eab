// What was entered before, one step at a time, as the arrow keys of a prompt go through it. Pure.

export class Recall {
  #typed = "" // before the first step
  #shown = null // by the last step
  #found = []
  #at = 0

  /**
   * The text that is shown instead of `text` one step back (-1) or forth (1); null if there is
   * none. `entries`: what was entered, the oldest first. Who has begun to type goes through
   * what begins like it.
   */
  step(text, step, entries) {
    if (text !== this.#shown) this.#begin(text, entries)
    const at = this.#at + step
    if (at < 0 || at > this.#found.length) return null
    this.#at = at
    this.#shown = this.#found[at] ?? this.#typed
    return this.#shown
  }

  #begin(typed, entries) {
    this.#typed = typed
    this.#found = entries.filter((each, at) => each.startsWith(typed) && each !== typed && each !== entries[at + 1])
    this.#at = this.#found.length
  }

  /** What comes next begins at the latest entry again. */
  reset() {
    this.#shown = null
  }
}
