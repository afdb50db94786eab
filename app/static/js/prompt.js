// The prompt of the command line page: what is entered becomes a cell above it, and runs.

import { element } from "./dom.js"
import { Editor } from "./editor.js"
import { Explanation } from "./explanation.js"
import { Recall } from "./recall.js"
import { SharedText } from "./shared.js"
import { isComplete } from "./statements.js"
import { t } from "./words.js"

export class Prompt {
  #handlers
  #editor
  #explanation
  #note
  #recall = new Recall()
  #waits = false // what is typed shall be entered as soon as that can be done
  #kept // where the browser keeps what is not entered yet

  /**
   * `place`: the element for it. `handlers`: enter(code) says whether that could be done, and if
   * not calls enterWaiting() when it can; entries() has what was entered, the oldest first; interrupt() whatever runs, which says
   * whether something did; above() goes to the cell above; complete(prompt, code, cursor),
   * inspect(prompt, code, cursor).
   */
  constructor(place, worksheet, handlers) {
    this.element = place
    this.#handlers = handlers
    this.#kept = `salvus:prompt:${worksheet}`
    this.#note = element("p", { class: "note" })
    const holder = element("div", { class: "editor" })
    place.append(element("div", { class: "gutter" }), element("div", { class: "body" }, holder, this.#note))
    this.#explanation = new Explanation(this.#note, {
      closed: () => this.edit(),
      tried: code => {
        this.#editor.code = code
        this.edit()
      },
    })
    const shared = SharedText.of(localStorage.getItem(this.#kept) ?? "")
    shared.edited = () => this.#edited()
    this.#editor = new Editor(holder, shared, {
      moved() {},
      run: () => this.#enter(),
      runAndMoveOn: () => this.#enter(),
      enter: () => this.#mayEnter(),
      interrupt: () => handlers.interrupt(),
      leave: () => this.#leave(),
      beyond: step => this.#step(step),
      split() {},
      complete: (code, cursor) => handlers.complete(this, code, cursor),
      inspect: (code, cursor) => handlers.inspect(this, code, cursor),
    })
    this.#editor.label = t("Command line")
    place.addEventListener("keydown", event => this.#key(event))
    place.addEventListener("focusout", event => {
      if (!place.contains(event.relatedTarget)) this.#editor.tabbable = true
    })
    const observer = new ResizeObserver(() => this.#follow())
    observer.observe(place.previousElementSibling)
    observer.observe(place)
  }

  edit() {
    this.#editor.focus("end")
    this.element.scrollIntoView({ block: "nearest" })
  }

  /** Focus the prompt itself, outside of its editor. */
  select() {
    this.element.focus()
  }

  tell(text) {
    this.#note.textContent = text
  }

  help(reply) {
    this.#explanation.show(reply)
  }

  /** Whether Enter enters what is there: it is complete, and the cursor not in the midst of it. */
  #mayEnter() {
    const { code, cursor } = this.#editor
    const isInside = code.includes("\n") && cursor < code.length
    if (isInside || !isComplete(code)) return false
    this.#enter()
    return true
  }

  #enter() {
    const code = this.#editor.code.trimEnd()
    if (!code) return
    this.#waits = !this.#handlers.enter(code)
    if (this.#waits) return this.tell(t("What was entered before is not here yet. This runs as soon as it is; type on to change it first."))
    this.#explanation.close()
    this.tell("")
    this.#recall.reset()
    this.#editor.code = ""
    this.edit()
  }

  /** What could not be entered can be now. */
  enterWaiting() {
    if (this.#waits) this.#enter()
  }

  /** Show what was entered before (-1) or after (1) this; always, as the arrow keys end here. */
  #step(step) {
    const found = this.#recall.step(this.#editor.code, step, this.#handlers.entries())
    if (found === null) return true
    this.#editor.code = found
    this.#editor.focus("end")
    return true
  }

  #edited() {
    if (this.#waits) this.tell("")
    this.#waits = false
    this.#keep()
  }

  #keep() {
    const { code } = this.#editor
    if (!code) return localStorage.removeItem(this.#kept)
    try {
      localStorage.setItem(this.#kept, code)
    } catch {
      this.tell(t("This browser's storage is full or forbidden: what you type is in this page only until you enter it."))
    }
  }

  #leave() {
    if (this.#explanation.isOpen) return this.#explanation.close()
    this.#editor.tabbable = false
    this.select()
  }

  #key(event) {
    if (event.key === "Escape" && this.#explanation.contains(event.target)) return this.#explanation.close(true)
    if (event.target !== this.element) return
    if (event.key === "Enter") this.edit()
    else if (event.key === "ArrowUp") this.#handlers.above()
    else return
    event.preventDefault()
  }

  /** Stay in sight while it grows, or output above does, if the person is here. */
  #follow() {
    if (this.element.contains(document.activeElement)) this.element.scrollIntoView({ block: "nearest" })
  }
}
