// The DOM of a cell: its editor, its Run button, its output and a note on its run.

import { runs } from "./ansi.js"
import { element, styled } from "./dom.js"
import { Editor } from "./editor.js"
import { Interacts } from "./interact.js"
import { Output } from "./output.js"
import { Status } from "./wire.js"

const ENDINGS = {
  [Status.OK]: "",
  [Status.ERROR]: "error",
  [Status.INTERRUPTED]: "interrupted",
  [Status.CANCELLED]: "cancelled",
  [Status.DIED]: "session ended",
}

export class Cell {
  #handlers
  #editor
  #output
  #interacts
  #region
  #note
  #help = null
  #number = 0
  #heading = element("span", { class: "number", "aria-hidden": "true" })

  /** The run shown, "" before the first. */
  run = ""
  /** Of that run: "", sent, queued, running. */
  phase = ""

  /**
   * `handlers`: ended(cell) when its run is over; edited(cell), run(cell), runAndMoveOn(cell),
   * cancel(cell), reply(cell, text), update(values of an Update message), move(cell, step),
   * complete(cell, code, cursor), inspect(cell, code, cursor).
   */
  constructor(id, position, code, handlers) {
    this.id = id
    this.position = position
    this.#handlers = handlers
    this.#region = element("div", { class: "output", role: "region", "aria-busy": "false" })
    this.#note = element("p", { class: "note" })
    const holder = element("div", { class: "editor" })
    const run = element("button", {
      type: "button", class: "run", "aria-label": "Run", title: "Run (Shift-Enter)",
      onclick: () => handlers.run(this),
    })
    this.element = element("section", { class: "cell", tabIndex: -1 },
      element("div", { class: "gutter" }, run, this.#heading),
      element("div", { class: "body" }, holder, this.#region, this.#note))
    this.#editor = new Editor(holder, code, {
      edited: () => handlers.edited(this),
      run: () => handlers.run(this),
      runAndMoveOn: () => handlers.runAndMoveOn(this),
      leave: () => this.#leave(),
      complete: (code, cursor) => handlers.complete(this, code, cursor),
      inspect: (code, cursor) => handlers.inspect(this, code, cursor),
    })
    this.#output = new Output(this.#region, {
      reply: text => handlers.reply(this, text),
      finished: value => this.#finished(value),
    })
    this.#interacts = new Interacts({
      update: values => handlers.update(values),
      reply: text => handlers.reply(this, text),
    })
    this.element.addEventListener("keydown", event => this.#key(event))
    this.element.addEventListener("focusout", event => {
      if (!this.element.contains(event.relatedTarget)) this.#editor.tabbable = true
    })
  }

  get code() {
    return this.#editor.code
  }

  set code(code) {
    this.#editor.code = code
  }

  set number(number) {
    if (number === this.#number) return
    this.#number = number
    this.#heading.textContent = number
    this.element.setAttribute("aria-label", `Cell ${number}`)
    this.#editor.label = `Code of cell ${number}`
    this.#region.setAttribute("aria-label", `Output of cell ${number}`)
  }

  /** Go into the editor. */
  edit() {
    this.#editor.focus()
  }

  /** Focus the cell itself, outside of its editor. */
  select() {
    this.element.focus()
    this.element.scrollIntoView({ block: "nearest" })
  }

  /** Another run begins: it was asked for here (sent), or is known to wait its turn (queued). */
  begin(run, phase) {
    if (run !== this.run) {
      this.#interacts.clear()
      this.#output.reset()
    }
    this.run = run
    this.phase = phase
    this.#region.setAttribute("aria-busy", "true")
    this.element.classList.remove("failed")
    this.tell(phase === "sent" ? "sending …" : "queued")
    this.#note.append(" ", element("button", {
      type: "button", text: "Cancel", onclick: () => this.#handlers.cancel(this),
    }))
  }

  /** Take a step of the run, or of one of its interacts. */
  take(frame) {
    const { update, content: { case: kind, value } } = frame
    if (this.#interacts.take(frame) || update) return
    if (kind === "interact") {
      this.#output.add("element", this.#interacts.show(frame))
    } else if (kind === "started") {
      this.phase = "running"
      this.tell("running …")
      this.element.classList.add("running")
    } else {
      this.#output.add(kind, value)
    }
  }

  /** The run was not begun, or not as it should: say why. */
  refuse(reason) {
    this.#output.fail(reason)
    this.#end("refused")
  }

  /** A run that was never sent is given up. */
  withdraw() {
    this.#end("cancelled")
  }

  /** `session` is alive, "" if none is, null if that is not known. */
  follow(session) {
    this.#interacts.follow(session)
  }

  /** Send again what its interacts lack an answer to. */
  again() {
    this.#interacts.again()
  }

  /** An update was refused; whether of one of its interacts. */
  refuseUpdate(interact, reason) {
    return this.#interacts.refuse(interact, reason)
  }

  tell(text) {
    this.#note.replaceChildren(text)
  }

  /** Show help (text with ANSI colours) under the editor, until it is closed. */
  help(text) {
    this.#closeHelp()
    const close = element("button", {
      type: "button", class: "close", "aria-label": "Close help", title: "Close (Escape)",
      onclick: () => this.#closeHelp(true),
    })
    this.#help = element("aside", { class: "help", "aria-label": "Help" },
      close, element("pre", { tabIndex: 0 }, ...styled(runs(text).runs)))
    this.#region.before(this.#help)
  }

  #closeHelp(refocus = false) {
    this.#help?.remove()
    this.#help = null
    if (refocus) this.edit()
  }

  #finished({ status, reason, seconds }) {
    this.#interacts.runEnded()
    const why = status === Status.DIED ? "" : reason // which is told in the output
    this.#end([ENDINGS[status], why, duration(seconds)].filter(Boolean).join(" · "))
    this.element.classList.toggle("failed", status === Status.ERROR || status === Status.DIED)
  }

  #end(note) {
    this.phase = ""
    this.#handlers.ended(this)
    this.#region.setAttribute("aria-busy", "false")
    this.element.classList.remove("running")
    this.tell(note)
  }

  #leave() {
    if (this.#help) return this.#closeHelp()
    this.#editor.tabbable = false
    this.select()
  }

  #key(event) {
    if (event.key === "Escape" && this.#help?.contains(event.target)) return this.#closeHelp(true)
    if (event.target !== this.element) return
    if (event.key === "Enter" && event.shiftKey) this.#handlers.runAndMoveOn(this)
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#handlers.run(this)
    else if (event.key === "Enter") this.edit()
    else if (event.key === "ArrowDown") this.#handlers.move(this, 1)
    else if (event.key === "ArrowUp") this.#handlers.move(this, -1)
    else return
    event.preventDefault()
  }
}

/** Seconds as a person reads them; nothing for what was too quick to notice. */
function duration(seconds) {
  if (seconds < 0.05) return ""
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  return `${minutes} min ${Math.round(seconds - minutes * 60)} s`
}
