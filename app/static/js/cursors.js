// The cursors and selections of others in an editor: an extension of CodeMirror.

import { Decoration, EditorView, StateEffect, StateField, WidgetType } from "codemirror"
import { element } from "./dom.js"

const others = StateEffect.define()

class Cursor extends WidgetType {
  #person

  constructor(person) {
    super()
    this.#person = person
  }

  eq(other) {
    const { name, color, seen } = this.#person
    return other.#person.name === name && other.#person.color === color && other.#person.seen === seen
  }

  toDOM() {
    const { name, color } = this.#person
    // The name is in an attribute, which CSS shows: it is no part of the text
    const flag = element("span", { class: "flag" })
    const cursor = element("span", { class: "cursor-of-another" }, flag)
    flag.dataset.name = name
    cursor.dataset.color = color
    cursor.setAttribute("aria-hidden", "true")
    return cursor
  }

  ignoreEvent() {
    return true
  }
}

export const cursors = StateField.define({
  create: () => Decoration.none,
  update(found, { changes, effects }) {
    const told = effects.find(effect => effect.is(others))
    return told ? decorate(told.value) : found.map(changes)
  },
  provide: field => EditorView.decorations.from(field),
})

/** Show `people`, [{name, color, anchor, head}] with offsets, in the editor of `view`. */
export function showCursors(view, people) {
  const last = view.state.doc.length
  const within = people.filter(({ anchor, head }) => anchor <= last && head <= last)
  view.dispatch({ effects: others.of(within) })
}

function decorate(people) {
  const marks = people.flatMap(person => {
    const { anchor, head, color } = person
    const cursor = Decoration.widget({ widget: new Cursor(person), side: 1 }).range(head)
    if (anchor === head) return [cursor]
    const selected = Decoration.mark({ class: "selection-of-another", attributes: { "data-color": color } })
    return [cursor, selected.range(Math.min(anchor, head), Math.max(anchor, head))]
  })
  return Decoration.set(marks, true)
}
