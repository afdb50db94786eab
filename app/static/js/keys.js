// The keys of a worksheet: what they do when a cell is selected, and the help that lists them.

import { element } from "./dom.js"
import { t } from "./words.js"

const TWICE = 600 // ms between two presses that mean one thing

// Names of actions by key; with Alt or doubled where the name of the key says so
const SELECTED = {
  ArrowUp: "previous", ArrowDown: "next", k: "previous", j: "next", "Alt+ArrowUp": "moveUp", "Alt+ArrowDown": "moveDown",
  a: "insertAbove", b: "insertBelow", dd: "delete", Delete: "delete", Backspace: "delete", z: "undo", m: "markdown",
  y: "code", r: "raw", M: "merge", o: "fold", O: "foldOutput", f: "find", t: "contents", e: "examples", l: "lineNumbers", h: "help", "?": "help",
}

const HELP = [
  [t("In the editor"), [
    ["Shift Enter", t("run the cell and move on")],
    ["Ctrl Enter", t("run the cell")],
    ["Tab", t("complete, or indent")],
    ["Shift Tab", t("explain what the cursor is at, or indent less")],
    ["Ctrl Shift −", t("split the cell at the cursor")],
    ["↑ ↓", t("at the edge: go on in the next cell")],
    ["Ctrl Z", t("undo what was typed")],
    ["Esc", t("leave the editor, select the cell")],
  ]],
  [t("When a cell is selected"), [
    ["Enter", t("edit it")],
    ["↑ ↓", t("select another")],
    ["Alt ↑ ↓", t("move the cell")],
    ["A B", t("add a cell above, below")],
    ["D D", t("delete the cell")],
    ["Z", t("take back: delete, move, split, merge, replace")],
    ["M Y R", t("make it text, code, plain text")],
    ["Shift M", t("merge with the cell below")],
    ["O", t("fold the code")],
    ["Shift O", t("fold the output")],
    ["F", t("find and replace")],
    ["T", t("contents")],
    ["E", t("examples by subject")],
    ["L", t("line numbers")],
    ["H", t("this help")],
  ]],
]

let last = { key: "", time: -TWICE }

/** The action that a key stands for when a cell is selected, "" for none. */
export function actionOf({ key, altKey, ctrlKey, metaKey, timeStamp }) {
  if (ctrlKey || metaKey) return ""
  const doubled = last.key === key && timeStamp - last.time < TWICE
  last = { key: doubled ? "" : key, time: timeStamp }
  return SELECTED[(altKey ? "Alt+" : "") + key] ?? (doubled ? SELECTED[key + key] : undefined) ?? ""
}

/** Fill the dialog that lists the keys. */
export function describeKeys(place) {
  place.replaceChildren(...HELP.map(([title, lines]) => element("section", {},
    element("h3", { text: title }),
    element("dl", {}, ...lines.flatMap(([keys, what]) => [
      element("dt", {}, ...keys.split(" ").map(key => element("kbd", { text: key }))),
      element("dd", { text: what }),
    ])))))
}
