// A row of keys for mathematics above the keyboard of a phone, which hides them two levels deep.
// It is there while an editor is, where fingers are what points.

import { EditorView } from "codemirror"
import { element } from "./dom.js"
import { t } from "./words.js"

// What a key types, or the key it stands for, with what screen readers call it
const KEYS = [
  ["⇥", t("Complete"), { key: "Tab" }],
  ["←", t("Left"), { move: false }], ["→", t("Right"), { move: true }],
  ["(", t("Opening parenthesis")], [")", t("Closing parenthesis")], ["^", t("Power")], ["*", t("Times")], ["/", t("Divided by")],
  ["+", t("Plus")], ["-", t("Minus")], ["=", t("Equals")], ["_", t("Underscore")], ["[", t("Opening bracket")], ["]", t("Closing bracket")],
  ["{", t("Opening brace")], ["}", t("Closing brace")], [":", t("Colon")], [",", t("Comma")], [".", t("Point")], ["'", t("Quote")],
  ['"', t("Double quote")], ["<", t("Less")], [">", t("Greater")], ["%", t("Percent")], ["#", t("Number sign")], ["\\", t("Backslash")], ["$", t("Dollar")],
  ["▶", t("Run and move on"), { key: "Enter", shiftKey: true }],
]

export class KeyRow {
  #row = element("div", { class: "key-row", role: "toolbar", "aria-label": t("Keys for mathematics"), hidden: true, dir: "ltr" })
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
