// The editor of a cell: CodeMirror with Python, Sage's completion and the keys of a worksheet.

import {
  Annotation, Compartment, EditorState, EditorView, Prec, acceptCompletion, autocompletion,
  bracketMatching, classHighlighter, closeBrackets, closeBracketsKeymap, completionStatus,
  defaultKeymap, drawSelection, dropCursor, highlightSpecialChars, history, historyKeymap,
  indentLess, indentMore, indentOnInput, indentUnit, keymap, python, startCompletion,
  syntaxHighlighting,
} from "codemirror"
import { difference, fromCodePoints, toCodePoints } from "./text.js"

const fromElsewhere = Annotation.define()

export class Editor {
  #view
  #label = new Compartment()
  #handlers

  /**
   * `handlers`: edited(), run(), runAndMoveOn(), leave(), complete(code, cursor) and
   * inspect(code, cursor), which both count in code points; complete gives a promise.
   */
  constructor(parent, code, handlers) {
    this.#handlers = handlers
    this.#view = new EditorView({
      parent,
      state: EditorState.create({ doc: code, extensions: this.#extensions() }),
    })
  }

  get code() {
    return this.#view.state.doc.toString()
  }

  /** Take what was typed elsewhere, keeping the cursor and the history of what is the same. */
  set code(code) {
    const changes = difference(this.code, code)
    if (changes) this.#view.dispatch({ changes, annotations: fromElsewhere.of(true) })
  }

  set label(label) {
    this.#view.dispatch({ effects: this.#label.reconfigure(this.#named(label)) })
  }

  /** Whether Tab stops here: not right after Escape, so that Tab then moves on. */
  set tabbable(tabbable) {
    this.#view.contentDOM.tabIndex = tabbable ? 0 : -1
  }

  focus() {
    this.#view.focus()
  }

  #named(label) {
    return EditorView.contentAttributes.of({ "aria-label": label })
  }

  #extensions() {
    const { edited, run, runAndMoveOn, leave } = this.#handlers
    const does = action => () => (action(), true)
    return [
      Prec.highest(keymap.of([
        { key: "Shift-Enter", run: does(runAndMoveOn) },
        { key: "Ctrl-Enter", run: does(run) },
        { key: "Mod-Enter", run: does(run) },
      ])),
      Prec.high(keymap.of([
        { key: "Tab", run: view => this.#tab(view) },
        { key: "Shift-Tab", run: view => this.#shiftTab(view) },
      ])),
      keymap.of([...closeBracketsKeymap, ...historyKeymap]),
      Prec.low(keymap.of([{ key: "Escape", run: does(leave) }, ...defaultKeymap])),
      this.#label.of(this.#named("Code")),
      EditorView.contentAttributes.of({ spellcheck: "false", autocapitalize: "off", autocorrect: "off" }),
      EditorView.lineWrapping,
      EditorView.updateListener.of(update => {
        const own = update.transactions.some(one => one.docChanged && !one.annotation(fromElsewhere))
        if (own) edited()
      }),
      autocompletion({ override: [context => this.#complete(context)], activateOnTyping: false, icons: false }),
      EditorState.tabSize.of(4),
      indentUnit.of("    "),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      dropCursor(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      python(),
      syntaxHighlighting(classHighlighter),
    ]
  }

  #tab(view) {
    if (completionStatus(view.state) === "active") return acceptCompletion(view)
    return (isAtIndent(view.state) ? indentMore : startCompletion)(view)
  }

  #shiftTab(view) {
    if (isAtIndent(view.state)) return indentLess(view)
    const { code, cursor } = position(view.state)
    this.#handlers.inspect(code, cursor)
    return true
  }

  async #complete(context) {
    const { code, cursor } = position(context.state)
    const reply = await this.#handlers.complete(code, cursor)
    if (!reply || context.aborted || reply.matches.length === 0) return null
    const from = fromCodePoints(code, reply.start)
    const to = fromCodePoints(code, reply.end)
    if (reply.matches.length === 1) {
      const insert = reply.matches[0]
      const changes = { from, to, insert }
      this.#view.dispatch({ changes, selection: { anchor: from + insert.length }, userEvent: "input.complete" })
      return null
    }
    return { from, to, options: reply.matches.map(label => ({ label })), validFor: /^[\w.%]*$/ }
  }
}

/** Whether Tab means indentation: a selection, or nothing but blanks before the cursor. */
function isAtIndent({ selection, doc }) {
  const { main } = selection
  if (!main.empty) return true
  const line = doc.lineAt(main.head)
  return /^\s*$/.test(line.text.slice(0, main.head - line.from))
}

function position(state) {
  const code = state.doc.toString()
  return { code, cursor: toCodePoints(code, state.selection.main.head) }
}
