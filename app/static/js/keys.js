// The keys of a worksheet: what they do when a cell is selected, and the help that lists them.

import { element } from "./dom.js"

const TWICE = 600 // ms between two presses that mean one thing

// Names of actions by key; with Alt or doubled where the name of the key says so
const SELECTED = {
  ArrowUp: "previous", ArrowDown: "next", k: "previous", j: "next", "Alt+ArrowUp": "moveUp", "Alt+ArrowDown": "moveDown",
  a: "insertAbove", b: "insertBelow", dd: "delete", Delete: "delete", Backspace: "delete", z: "undo", m: "markdown",
  y: "code", r: "raw", M: "merge", o: "fold", f: "find", t: "contents", e: "examples", l: "lineNumbers", h: "help", "?": "help",
}

const HELP = [
  ["In the editor", [
    ["Shift Enter", "run the cell and move on"],
    ["Ctrl Enter", "run the cell"],
    ["Tab", "complete, or indent"],
    ["Shift Tab", "explain what the cursor is at, or indent less"],
    ["Ctrl Shift −", "split the cell at the cursor"],
    ["↑ ↓", "at the edge: go on in the next cell"],
    ["Ctrl Z", "undo what was typed"],
    ["Esc", "leave the editor, select the cell"],
  ]],
  ["When a cell is selected", [
    ["Enter", "edit it"],
    ["↑ ↓", "select another"],
    ["Alt ↑ ↓", "move the cell"],
    ["A B", "add a cell above, below"],
    ["D D", "delete the cell"],
    ["Z", "take back: delete, move, split, merge, replace"],
    ["M Y R", "make it text, code, plain text"],
    ["Shift M", "merge with the cell below"],
    ["O", "fold the code"],
    ["F", "find and replace"],
    ["T", "contents"],
    ["E", "examples by subject"],
    ["L", "line numbers"],
    ["H", "this help"],
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
