// Help on what the cursor is at, shown under an editor until it is closed.

import { runs } from "./ansi.js"
import { element, styled } from "./dom.js"
import { withoutPrompts } from "./prompts.js"
import { t } from "./words.js"

const PROMPT = /^\s*(sage:|>>>)/

export class Explanation {
  #place
  #handlers
  #shown = null

  /**
   * `place`: the element above which it is shown. `handlers`: closed() by itself; tried(code)
   * of an example in it, if that can be.
   */
  constructor(place, handlers) {
    this.#place = place
    this.#handlers = handlers
  }

  get isOpen() {
    return this.#shown !== null
  }

  contains(target) {
    return Boolean(this.#shown?.contains(target))
  }

  /** Show the answer to an inspection: rendered, or else its text with ANSI colours. */
  show({ text, html }) {
    this.close()
    const close = element("button", {
      type: "button", class: "close", "aria-label": t("Close help"), title: t("Close (Escape)"),
      onclick: () => this.close(true),
    })
    const content = html ? this.#rendered(html) : element("pre", { tabIndex: 0 }, ...styled(runs(text).runs))
    this.#shown = element("aside", { class: "help", "aria-label": t("Help") }, close, content)
    this.#place.before(this.#shown)
  }

  close(refocus = false) {
    this.#shown?.remove()
    this.#shown = null
    if (refocus) this.#handlers.closed()
  }

  #rendered(html) {
    const made = element("div", { class: "prose", tabIndex: 0 })
    this.#fill(made, html)
    return made
  }

  async #fill(made, html) {
    const { cleaned } = await import("./prose.js") // only those who ask for help need it
    made.replaceChildren(...await cleaned(html))
    for (const example of made.querySelectorAll("pre")) {
      if (this.#handlers.tried && PROMPT.test(example.textContent)) example.after(this.#offer(withoutPrompts(example.textContent)))
    }
  }

  /** A button that has an example tried out. */
  #offer(code) {
    return element("button", { type: "button", class: "try", text: t("Try it"), onclick: () => this.#handlers.tried(code) })
  }
}
