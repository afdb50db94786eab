// Help on what the cursor is at, shown under an editor until it is closed.

import { runs } from "./ansi.js"
import { element, styled } from "./dom.js"

export class Explanation {
  #place
  #refocus
  #shown = null

  /** `place`: the element above which it is shown; `refocus()` after it was closed by itself. */
  constructor(place, refocus) {
    this.#place = place
    this.#refocus = refocus
  }

  get isOpen() {
    return this.#shown !== null
  }

  contains(target) {
    return Boolean(this.#shown?.contains(target))
  }

  /** Show the answer to an inspection. */
  show({ text }) {
    this.close()
    const close = element("button", {
      type: "button", class: "close", "aria-label": "Close help", title: "Close (Escape)",
      onclick: () => this.close(true),
    })
    this.#shown = element("aside", { class: "help", "aria-label": "Help" },
      close, element("pre", { tabIndex: 0 }, ...styled(runs(text).runs)))
    this.#place.before(this.#shown)
  }

  close(refocus = false) {
    this.#shown?.remove()
    this.#shown = null
    if (refocus) this.#refocus()
  }
}
