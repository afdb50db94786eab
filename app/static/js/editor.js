// The editor of a cell: CodeMirror with Python, Sage's completion and the keys of a worksheet.

import {
  Compartment, EditorState, EditorView, Prec, acceptCompletion, autocompletion,
  bracketMatching, classHighlighter, closeBrackets, closeBracketsKeymap, completionStatus,
  defaultKeymap, drawSelection, dropCursor, highlightSpecialChars, indentLess, indentMore,
  indentOnInput, indentUnit, keymap, lineNumbers, python, startCompletion, syntaxHighlighting,
  yCollab, yUndoManagerKeymap,
} from "codemirror"
import { cursors, showCursors } from "./cursors.js"
import { withoutPrompts } from "./prompts.js"
import { difference, fromCodePoints, toCodePoints } from "./text.js"
import { t } from "./words.js"

const PHRASES = { // of CodeMirror's own
  Completions: t("Completions"), "Selection deleted": t("Selection deleted"), "Control character": t("Control character"),
}
const CODE = [indentOnInput(), closeBrackets(), python(), syntaxHighlighting(classHighlighter)]

export class Editor {
  #view
  #label = new Compartment()
  #language = new Compartment()
  #numbers = new Compartment()
  #isCode = true
  #shared
  #handlers

  /**
   * `shared`: the text. `handlers`: moved(anchor, head) with the selection, or without
   * when the editor is left; run(), runAndMoveOn(), leave(), beyond(step) when the cursor goes
   * on above (-1) or below (1), split(), enter() and interrupt() of a prompt for Enter and
   * Ctrl-C, which say whether that was meant; complete(code, cursor) and inspect(code, cursor),
   * which both count in code points; complete gives a promise.
   */
  constructor(parent, shared, handlers) {
    this.#shared = shared
    this.#handlers = handlers
    this.#view = new EditorView({
      parent,
      state: EditorState.create({ doc: shared.text.toString(), extensions: this.#extensions() }),
    })
  }

  /** Others who are in this editor: [{name, color, anchor, head}], with places in the text. */
  set others(people) {
    const at = anchor => this.#shared.offset(anchor)
    const found = people.map(each => ({ ...each, anchor: at(each.anchor), head: at(each.head) }))
    showCursors(this.#view, found.filter(({ anchor, head }) => anchor !== null && head !== null))
  }

  get code() {
    return this.#view.state.doc.toString()
  }

  /** Make it another text, keeping the cursor in what is the same. */
  set code(code) {
    const changes = difference(this.code, code)
    if (changes) this.#view.dispatch({ changes })
  }

  set label(label) {
    this.#view.dispatch({ effects: this.#label.reconfigure(this.#named(label)) })
  }

  /** Whether Tab stops here: not right after Escape, so that Tab then moves on. */
  set tabbable(tabbable) {
    this.#view.contentDOM.tabIndex = tabbable ? 0 : -1
  }

  /** Whether it is code, not text. */
  set isCode(isCode) {
    if (isCode === this.#isCode) return
    this.#isCode = isCode
    this.#view.dispatch({ effects: this.#language.reconfigure(isCode ? CODE : []) })
  }

  set numbered(numbered) {
    this.#view.dispatch({ effects: this.#numbers.reconfigure(numbered ? lineNumbers() : []) })
  }

  /** Where the cursor is, in UTF-16 units. */
  get cursor() {
    return this.#view.state.selection.main.head
  }

  /** Go in; `place`: to the start or the end. */
  focus(place = "") {
    if (place) this.#view.dispatch({ selection: { anchor: place === "end" ? this.code.length : 0 } })
    this.#view.focus()
  }

  /** Show a part of the text as selected, without going in. */
  select(from, to) {
    this.#view.dispatch({ selection: { anchor: from, head: to }, scrollIntoView: true })
  }

  /** Change a part of the text as if it was typed. */
  replace(from, to, insert) {
    this.#view.dispatch({ changes: { from, to, insert }, userEvent: "input" })
  }

  #named(label) {
    return EditorView.contentAttributes.of({ "aria-label": label })
  }

  #extensions() {
    const { run, runAndMoveOn, leave, split } = this.#handlers
    const does = action => () => (action(), true)
    const go = step => view => isAtEdge(view.state, step) && this.#handlers.beyond(step)
    return [
      Prec.highest(keymap.of([
        { key: "Shift-Enter", run: does(runAndMoveOn) },
        { key: "Ctrl-Enter", run: does(run) },
        { key: "Mod-Enter", run: does(run) },
        { key: "Ctrl-Shift--", run: does(split) },
        { key: "Enter", run: ({ state }) => completionStatus(state) !== "active" && Boolean(this.#handlers.enter?.()) },
        { key: "Ctrl-c", run: ({ state }) => state.selection.main.empty && Boolean(this.#handlers.interrupt?.()) },
      ])),
      Prec.high(keymap.of([
        { key: "Tab", run: view => this.#tab(view) },
        { key: "Shift-Tab", run: view => this.#shiftTab(view) },
      ])),
      keymap.of([{ key: "ArrowUp", run: go(-1) }, { key: "ArrowDown", run: go(1) }]),
      EditorView.clipboardInputFilter.of(text => this.#isCode ? withoutPrompts(text) : text),
      this.#numbers.of([]),
      keymap.of([...closeBracketsKeymap, ...yUndoManagerKeymap]),
      Prec.low(keymap.of([{ key: "Escape", run: does(leave) }, ...defaultKeymap])),
      this.#label.of(this.#named(t("Code"))),
      EditorView.contentAttributes.of({ spellcheck: "false", autocapitalize: "off", autocorrect: "off" }),
      EditorView.lineWrapping,
      EditorView.updateListener.of(update => {
        if (update.focusChanged || update.selectionSet || update.docChanged) this.#tellPlace(update)
      }),
      autocompletion({ override: [context => this.#complete(context)], activateOnTyping: false, icons: false }),
      EditorState.tabSize.of(4),
      EditorState.phrases.of(PHRASES),
      indentUnit.of("    "),
      highlightSpecialChars(),
      yCollab(this.#shared.text, null, { undoManager: this.#shared.undo }),
      cursors,
      drawSelection(),
      dropCursor(),
      bracketMatching(),
      this.#language.of(CODE),
    ]
  }

  /** Where the person is, if they are in here. */
  #tellPlace({ view, focusChanged }) {
    if (!view.hasFocus) return void (focusChanged && this.#handlers.moved())
    const { anchor, head } = view.state.selection.main
    this.#handlers.moved(this.#shared.anchor(anchor), this.#shared.anchor(head))
  }

  #tab(view) {
    if (completionStatus(view.state) === "active") return acceptCompletion(view)
    return (isAtIndent(view.state) || !this.#isCode ? indentMore : startCompletion)(view)
  }

  #shiftTab(view) {
    if (isAtIndent(view.state) || !this.#isCode) return indentLess(view)
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

/** Whether the cursor is on the first line (-1) or the last (1). */
function isAtEdge({ selection, doc }, step) {
  if (!selection.main.empty) return false
  return doc.lineAt(selection.main.head).number === (step < 0 ? 1 : doc.lines)
}

function position(state) {
  const code = state.doc.toString()
  return { code, cursor: toCodePoints(code, state.selection.main.head) }
}
