// What the editor of a cell uses of CodeMirror 6, as one module.
export { EditorState, Compartment, Prec, Annotation } from "@codemirror/state"
export {
  EditorView, keymap, drawSelection, dropCursor, highlightSpecialChars, lineNumbers,
} from "@codemirror/view"
export { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands"
export { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language"
export { python } from "@codemirror/lang-python"
export {
  acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap,
  completionStatus, startCompletion,
} from "@codemirror/autocomplete"
export { classHighlighter } from "@lezer/highlight"
