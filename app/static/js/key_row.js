// A row of keys for mathematics above the keyboard of a phone, which hides them two levels deep.
// It is there while an editor is, where fingers are what points.

import { EditorView } from "codemirror"
import { element } from "./dom.js"

// What a key types, or the key it stands for, with what screen readers call it
const KEYS = [
  ["⇥", "Complete", { key: "Tab" }],
  ["←", "Left", { move: false }], ["→", "Right", { move: true }],
  ["(", "Opening parenthesis"], [")", "Closing parenthesis"], ["^", "Power"], ["*", "Times"], ["/", "Divided by"],
  ["+", "Plus"], ["-", "Minus"], ["=", "Equals"], ["_", "Underscore"], ["[", "Opening bracket"], ["]", "Closing bracket"],
  ["{", "Opening brace"], ["}", "Closing brace"], [":", "Colon"], [",", "Comma"], [".", "Point"], ["'", "Quote"],
  ['"', "Double quote"], ["<", "Less"], [">", "Greater"], ["%", "Percent"], ["#", "Number sign"], ["\\", "Backslash"], ["$", "Dollar"],
  ["▶", "Run and move on", { key: "Enter", shiftKey: true }],
]

export class KeyRow {
  #row = element("div", { class: "key-row", role: "toolbar", "aria-label": "Keys for mathematics", hidden: true, dir: "ltr" })
  #view = null

  constructor() {
    if (!matchMedia("(pointer: coarse)").matches) return
    this.#row.append(...KEYS.map(key => this.#button(key)))
    document.body.append(this.#row)
    document.addEventListener("focusin", ({ target }) => this.#show(EditorView.findFromDOM(target)))
    document.addEventListener("focusout", ({ relatedTarget }) => relatedTarget || this.#show(null))
    // The keyboard covers what is at the bottom of the page
    for (const sign of ["resize", "scroll"]) visualViewport?.addEventListener(sign, () => this.#stayAbove())
  }

  #button([text, name, act = { text }]) {
    const made = element("button", { type: "button", text, "aria-label": name, tabIndex: -1, onclick: () => this.#press(act) })
    made.addEventListener("pointerdown", event => event.preventDefault()) // the editor stays focused
    return made
  }

  #show(view) {
    this.#view = view
    this.#row.hidden = !view
    this.#stayAbove()
  }

  #stayAbove() {
    if (!visualViewport) return
    const covered = innerHeight - visualViewport.height - visualViewport.offsetTop
    this.#row.style.bottom = `${Math.max(0, covered)}px`
  }

  #press({ text, key, shiftKey = false, move }) {
    const view = this.#view
    if (!view) return
    if (text) {
      view.dispatch(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true })
    } else if (key) {
      view.contentDOM.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }))
    } else {
      view.dispatch({ selection: { anchor: view.moveByChar(view.state.selection.main, move).head }, scrollIntoView: true })
    }
  }
}
