// The DOM of a cell: its editor, its Run button, its output and a note on its run. One of
// Markdown shows what it says, and its editor while it is edited.

import { element } from "./dom.js"
import { Editor } from "./editor.js"
import { Explanation } from "./explanation.js"
import { Interacts } from "./interact.js"
import { giveMenu } from "./menu.js"
import { Output } from "./output.js"
import { SharedText } from "./shared.js"
import { CellKind, Status } from "./wire.js"
import { figure, said, t } from "./words.js"

const ENDINGS = {
  [Status.OK]: "",
  [Status.ERROR]: t("error"),
  [Status.INTERRUPTED]: t("interrupted"),
  [Status.CANCELLED]: t("cancelled"),
  [Status.DIED]: t("session ended"),
}
const NEAR = 200 // ms
const KINDS = { [CellKind.CODE]: "code", [CellKind.MARKDOWN]: "markdown", [CellKind.RAW]: "raw" }
const EMPTY = { position: 0, code: "", kind: CellKind.CODE, folded: false, outputFolded: false, auto: false, deleted: false }

/** The content of a cell that is stored. */
export function contentOf({ position, code, kind, folded, outputFolded, auto, deleted }) {
  return { position, code, kind, folded, outputFolded, auto, deleted }
}

export class Cell {
  #handlers
  #editor
  #output
  #interacts
  #region
  #unfold
  #note
  #explanation
  #number = 0
  #heading = element("span", { class: "number", "aria-hidden": "true" })
  #prose = element("div", { class: "prose" })
  #marks = element("p", { class: "marks" })
  #content // without the code, which is in `shared`
  #rendered = null
  #earlier = null // {run, phase} of what is shown while another run was asked for
  #editing = false

  /** The run shown, "" before the first. */
  run = ""
  /** Of that run: "", sent, queued, running. */
  phase = ""

  /**
   * `content`: position, code, kind, folded, outputFolded, auto and deleted. `handlers`: ended(cell, status)
   * when its run is over, started(cell); edited(cell), run(cell), runAndMoveOn(cell),
   * cancel(cell), unfold(cell) to show its output again, reply(cell, text), update(values of an Update message), go(cell, step) to
   * another one, beyond(cell, step) to another one's editor, split(cell), key(cell, event) for
   * a key when it is selected, menu(cell), tried(cell, code) of an example in its help, if that can be, complete(cell, code, cursor), inspect(cell, code,
   * cursor), moved(cell, anchor, head) as the editor's. `shared`: its text, if that is known.
   */
  constructor(id, content, handlers, shared = SharedText.of(content.code)) {
    this.id = id
    this.shared = shared
    this.#content = { ...EMPTY, ...content }
    this.#handlers = handlers
    this.#region = element("div", { class: "output", role: "region", "aria-busy": "false" })
    this.#note = element("p", { class: "note" })
    this.#explanation = new Explanation(this.#region, { closed: () => this.edit(), tried: handlers.tried && (code => handlers.tried(this, code)) })
    this.#unfold = element("button", {
      type: "button", class: "unfold", text: t("Show the output"), "aria-expanded": "false", onclick: () => handlers.unfold(this),
    })
    const holder = element("div", { class: "editor" })
    const run = element("button", {
      type: "button", class: "run", "aria-label": t("Run"), title: t("Run (Shift-Enter)"),
      onclick: () => handlers.run(this),
    })
    const menu = element("button", { type: "button", class: "dots", title: t("Actions") })
    giveMenu(menu, () => handlers.menu(this))
    this.element = element("section", { class: "cell", tabIndex: -1 },
      element("div", { class: "gutter" }, run, this.#heading, element("div", { class: "more" }, menu)),
      element("div", { class: "body" }, this.#marks, holder, this.#prose, this.#region, this.#unfold, this.#note))
    this.#editor = new Editor(holder, shared, {
      moved: (anchor, head) => handlers.moved(anchor ? this : null, anchor, head),
      run: () => handlers.run(this),
      runAndMoveOn: () => handlers.runAndMoveOn(this),
      leave: () => this.#leave(),
      beyond: step => handlers.beyond(this, step),
      split: () => handlers.split(this),
      complete: (code, cursor) => handlers.complete(this, code, cursor),
      inspect: (code, cursor) => handlers.inspect(this, code, cursor),
    })
    shared.edited = () => handlers.edited(this)
    this.#output = new Output(this.#region, {
      reply: text => handlers.reply(this, text),
      finished: value => this.#finished(value),
    })
    this.#interacts = new Interacts({
      update: values => handlers.update(values),
      reply: text => handlers.reply(this, text),
    })
    this.#prose.addEventListener("dblclick", () => this.edit())
    this.element.addEventListener("keydown", event => this.#key(event))
    this.element.addEventListener("focusout", event => {
      if (!this.element.contains(event.relatedTarget)) this.#editor.tabbable = true
    })
    this.#show()
  }

  get code() {
    return this.#editor.code
  }

  get cursor() {
    return this.#editor.cursor
  }

  /** What is stored of it. */
  get content() {
    return { ...this.#content, code: this.code }
  }

  set content(content) {
    const { kind } = this.#content
    this.#content = { ...content }
    this.#editor.code = content.code
    if (kind !== content.kind) this.#editing = false
    this.#show()
  }

  /** Take what was typed elsewhere into its text. */
  merge(state) {
    this.shared.merge(state)
    this.#show()
  }

  /** Its text as the server has it. */
  set stored(state) {
    this.shared.take(state)
    this.#show()
  }

  /** Others who are in its editor. */
  set others(people) {
    this.#editor.others = people
  }

  /** What has changed when this has, of what is to be stored. */
  get version() {
    return JSON.stringify({ ...this.#content, code: this.shared.edits })
  }

  get position() {
    return this.#content.position
  }

  get kind() {
    return this.#content.kind
  }

  get deleted() {
    return this.#content.deleted
  }

  get isCode() {
    return this.kind === CellKind.CODE
  }

  get number() {
    return this.#number
  }

  set number(number) {
    if (number === this.#number) return
    this.#number = number
    this.#label()
  }

  set numbered(numbered) {
    this.#editor.numbered = numbered
  }

  #label() {
    const number = this.#number
    this.#heading.textContent = number
    this.element.setAttribute("aria-label", t("Cell {number}", { number }))
    this.element.querySelector(".dots").setAttribute("aria-label", t("Actions of cell {number}", { number }))
    this.#editor.label = this.isCode ? t("Code of cell {number}", { number }) : t("Text of cell {number}", { number })
    this.#region.setAttribute("aria-label", t("Output of cell {number}", { number }))
    this.#unfold.setAttribute("aria-label", t("Show the output of cell {number}", { number }))
  }

  /** Make the page say what the cell is. */
  #show() {
    const { kind, folded, outputFolded, auto } = this.#content
    this.#editor.isCode = this.isCode
    this.element.dataset.kind = KINDS[kind] ?? "raw"
    const rendered = kind === CellKind.MARKDOWN && !this.#editing && this.code.trim() !== ""
    this.element.classList.toggle("rendered", rendered)
    this.element.classList.toggle("folded", folded && this.isCode)
    this.element.classList.toggle("output-folded", outputFolded)
    if (rendered) this.#render()
    const marks = [folded && this.isCode && this.code.split("\n", 1)[0], auto && this.isCode && t("runs when opened")]
    this.#marks.replaceChildren(...marks.filter(Boolean).map(text => element("span", { text })))
    this.#label()
  }

  async #render() {
    const { code } = this
    if (this.#rendered === code) return
    this.#rendered = code
    let made = [code]
    try {
      const { prose } = await import("./prose.js") // only worksheets with text need it
      made = await prose(code)
    } catch {
      this.#rendered = null // it could not be loaded: what was typed is shown until it can
    }
    if (this.code === code) this.#prose.replaceChildren(...made)
  }

  /** Show what a cell of Markdown says instead of its editor. */
  finishEditing() {
    this.#editing = false
    this.#show()
  }

  /** Show a part of its text, to be found and replaced. */
  reveal(from, to) {
    if (this.#content.folded) this.element.classList.remove("folded")
    this.#editing = true
    this.element.classList.remove("rendered")
    this.#editor.select(from, to)
    this.element.scrollIntoView({ block: "nearest" })
  }

  replace(from, to, text) {
    this.#editor.replace(from, to, text)
  }

  /** Go into the editor. */
  edit(place = "") {
    this.#editing = true
    this.element.classList.remove("rendered", "folded")
    this.#comeNear()
    this.#editor.focus(place)
  }

  /** Be laid out, without which nothing can be focused: a cell that is new, or far away. */
  #comeNear() {
    this.element.classList.add("near")
    setTimeout(() => this.element.classList.remove("near"), NEAR) // then it has the focus
  }

  /** Focus the cell itself, outside of its editor. */
  select() {
    this.#comeNear()
    this.element.focus()
    this.element.scrollIntoView({ block: "nearest" })
  }

  /**
   * Another run begins: it was asked for here (sent), or is known to wait its turn (queued). Until
   * then what the one before shows stays, as this one may be refused.
   */
  begin(run, phase) {
    this.#output.refuse("")
    if (phase === "sent") {
      this.#earlier ??= { run: this.run, phase: this.phase }
    } else if (this.#earlier || run !== this.run) {
      this.#earlier = null
      this.#interacts.clear()
      this.#output.reset()
    }
    this.run = run
    this.phase = phase
    this.#region.setAttribute("aria-busy", "true")
    this.element.classList.remove("failed")
    this.tell(phase === "sent" ? t("sending …") : t("queued"))
    this.#note.append(" ", element("button", {
      type: "button", text: t("Cancel"), onclick: () => this.#handlers.cancel(this),
    }))
  }

  /** Whether it shows this run; the one before, until another is known to have begun. */
  shows(run) {
    return run === this.run || run === this.#earlier?.run
  }

  /** Take a step of the run, or of one of its interacts. */
  take(frame) {
    const { run, update, content: { case: kind, value } } = frame
    if (this.#interacts.take(frame) || update) return
    if (kind === "interact") {
      this.#output.add("element", this.#interacts.show(frame))
    } else if (kind === "finished") {
      this.#output.add(kind, { ...value, run })
    } else if (kind === "started" && run !== this.run) {
      this.#earlier.phase = "running"
    } else if (kind === "started") {
      this.phase = "running"
      this.#handlers.started(this)
      this.tell(t("running …"))
      this.element.classList.add("running")
    } else {
      this.#output.add(kind, value)
    }
  }

  /** The run was not begun: say why. */
  refuse(reason) {
    this.#output.refuse(reason)
    this.#goBack(t("refused"))
  }

  /** A run that was never sent is given up. */
  withdraw() {
    this.#goBack(t("cancelled"))
  }

  /** What the cell has shown before is what it shows. */
  #goBack(note) {
    const { run, phase } = this.#earlier ?? { run: this.run, phase: "" }
    this.#earlier = null
    this.#end(note)
    this.run = run
    if (!phase) return
    this.phase = phase
    this.#region.setAttribute("aria-busy", "true")
    this.element.classList.toggle("running", phase === "running")
  }

  /** What the controls of its interacts are set to: {name: value} of each, in order. */
  get values() {
    return this.#interacts.values
  }

  /** What they shall be set to when the run that has begun shows them. */
  set wanted(values) {
    this.#interacts.wanted = values
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

  /** Show the answer to an inspection under the editor, until it is closed. */
  help(reply) {
    this.#explanation.show(reply)
  }

  #finished({ run, status, reason, seconds }) {
    if (run !== this.run) {
      if (this.#earlier) this.#earlier.phase = ""
      return
    }
    this.#interacts.runEnded()
    const why = status === Status.DIED ? "" : said(reason) // which is told in the output
    this.#end([ENDINGS[status], why, duration(seconds)].filter(Boolean).join(" · "), ENDINGS[status] || t("finished"))
    this.element.classList.toggle("failed", status === Status.ERROR || status === Status.DIED)
  }

  #end(note, ending = note) {
    this.phase = ""
    this.#handlers.ended(this, ending)
    this.#region.setAttribute("aria-busy", "false")
    this.element.classList.remove("running")
    this.tell(note)
  }

  #leave() {
    if (this.#explanation.isOpen) return this.#explanation.close()
    this.#editor.tabbable = false
    this.finishEditing()
    this.select()
  }

  #key(event) {
    if (event.key === "Escape" && this.#explanation.contains(event.target)) return this.#explanation.close(true)
    if (event.target !== this.element) return
    if (event.key === "Enter" && event.shiftKey) this.#handlers.runAndMoveOn(this)
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#handlers.run(this)
    else if (event.key === "Enter") this.edit()
    else if (!this.#handlers.key(this, event)) return
    event.preventDefault()
  }
}

/** Seconds as a person reads them; nothing for what was too quick to notice. */
function duration(seconds) {
  if (seconds < 0.05) return ""
  if (seconds < 60) return t("{count} s", { count: figure(seconds, seconds < 10 ? 1 : 0) })
  const minutes = Math.floor(seconds / 60)
  return t("{minutes} min {seconds} s", { minutes, seconds: Math.round(seconds - minutes * 60) })
}
