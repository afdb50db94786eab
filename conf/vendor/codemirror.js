// What the editor of a cell uses of CodeMirror 6 and of Yjs, as one module.
export { EditorState, Compartment, Prec, StateEffect, StateField } from "@codemirror/state"
export {
  Decoration, EditorView, WidgetType, keymap, drawSelection, dropCursor, highlightSpecialChars, lineNumbers,
} from "@codemirror/view"
export { defaultKeymap, indentLess, indentMore } from "@codemirror/commands"
export { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language"
export { python } from "@codemirror/lang-python"
export {
  acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap,
  completionStatus, startCompletion,
} from "@codemirror/autocomplete"
export { classHighlighter } from "@lezer/highlight"
export { yCollab, yUndoManagerKeymap } from "y-codemirror.next"
export {
  Doc, UndoManager, applyUpdate, createAbsolutePositionFromRelativePosition,
  createRelativePositionFromTypeIndex, decodeRelativePosition, encodeRelativePosition,
  encodeStateAsUpdate, encodeStateVectorFromUpdate,
} from "yjs"
