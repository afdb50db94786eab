// The page of a single cell: what a permalink keeps, or what another site's page embeds. A
// session begins when it is run for the first time, and ends with the page.

import { Announcer } from "./announcer.js"
import { Cell } from "./cell.js"
import { uuid } from "./ids.js"
import { KeyRow } from "./key_row.js"
import { fragmentOf, keptIn } from "./permalink.js"
import { Presence } from "./presence.js"
import { Questions } from "./questions.js"
import { reasonOf } from "./refusals.js"
import { Socket } from "./socket.js"
import { describe } from "./status.js"
import { Timeline } from "./timeline.js"
import { CellKind, Kind, VERSION } from "./wire.js"
import { t } from "./words.js"

class Visit {
  #page
  #cell
  #worksheet = ""
  #socket = null
  #timeline = new Timeline()
  #questions = new Questions((kind, value) => this.#send(kind, value))
  #announcer
  #state = null
  #connection = "open"
  #reason = ""
  #unconfirmed = null // the Execute message whose Queued frame has not come
  #wanted // values for the interacts of the first run
  #ticket = ""
  #query = "" // what its addresses end with

  /** `kept`: {code, values} of the address. */
  constructor(page, kept) {
    this.#page = page
    this.#wanted = kept.values
    this.#announcer = new Announcer(page.announcer)
    this.#cell = new Cell(uuid(), { position: 1, code: kept.code }, this.#handlers())
    this.#cell.number = 1
    page.place.append(this.#cell.element)
    new KeyRow()
    new Presence(() => this.#send("active", {}))
    page.run.onclick = () => this.#run()
    page.interrupt.onclick = () => this.#interrupt()
    page.reset.onclick = () => location.reload()
    page.link.onclick = () => this.#copyLink()
    addEventListener("hashchange", () => location.reload())
    addEventListener("pagehide", () => this.#leave())
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload())
    this.#tell()
  }

  #handlers() {
    const nowhere = () => false
    return {
      started: () => this.#announcer.say(t("It is running")),
      ended: (cell, ending) => {
        if (ending) this.#announcer.say(t("It has ended: {ending}", { ending }))
        this.#tell()
      },
      edited: nowhere,
      moved: nowhere,
      beyond: nowhere,
      split: nowhere,
      key: nowhere,
      run: () => this.#run(),
      runAndMoveOn: () => this.#run(),
      cancel: () => this.#interrupt(),
      reply: (cell, text) => this.#send("inputReply", { run: cell.run, text }),
      update: update => this.#send("update", update),
      menu: () => [
        { text: t("Copy link"), does: () => this.#copyLink() },
        { text: t("Reset"), does: () => location.reload() },
      ],
      complete: (cell, code, cursor) => this.#questions.complete(cell, code, cursor),
      inspect: (cell, code, cursor) => this.#questions.inspect(cell, code, cursor),
    }
  }

  // --- The connection ---

  /** Ask for a session's place; whether it can be had. */
  async #begin() {
    const { start } = this.#page
    this.#warn("")
    let answer = {}
    try {
      const response = await fetch(start, { method: "POST", headers: { Accept: "application/json" } })
      answer = await response.json().catch(() => ({ error: t("The site answers {status}: try again later.", response) }))
    } catch {
      answer = { error: t("The site can't be reached: try again when you are online.") }
    }
    if (answer.error) return this.#warn(answer.error)
    const { worksheet, ticket } = answer
    this.#worksheet = worksheet
    this.#ticket = ticket
    this.#query = ticket && `?ticket=${encodeURIComponent(ticket)}`
    document.body.dataset.files = `/w/${worksheet}/files`
    document.body.dataset.query = this.#query
    this.#page.open.hidden = Boolean(ticket)
    this.#page.open.href = `/w/${worksheet}`
    const scheme = location.protocol === "https:" ? "wss:" : "ws:"
    this.#connection = "new"
    this.#socket = new Socket(`${scheme}//${location.host}/socket/${worksheet}${this.#query}`, {
      opened: () => this.#opened(),
      received: (kind, value) => this.#received[kind]?.(value),
      lost: everOpen => this.#lost(everOpen),
    })
  }

  /** A visit is over with its page; its session need not wait until it counts as idle. */
  #leave() {
    if (this.#ticket) navigator.sendBeacon("/embed/leave", new URLSearchParams({ ticket: this.#ticket }))
  }

  #opened() {
    this.#connection = "open"
    this.#state = null
    this.#send("hello", { version: VERSION, role: "browser" })
    this.#send("attach", { worksheet: this.#worksheet, ...this.#timeline.position })
    if (this.#unconfirmed) this.#execute()
    this.#tell()
  }

  #lost(everOpen) {
    this.#connection = "lost"
    this.#reason = everOpen ? t("the connection was interrupted") : t("the server can't be reached")
    this.#questions.giveUp()
    if (!everOpen) this.#askWhether()
    this.#tell()
  }

  /** A refused WebSocket does not say why: the visit's time may be over. Another one begins then. */
  async #askWhether() {
    const socket = this.#socket
    const address = `/w/${this.#worksheet}/files/-${this.#query}`
    const { status } = await fetch(address, { method: "HEAD" }).catch(() => ({ status: 0 }))
    if (status !== 403 || socket !== this.#socket) return
    socket.stop()
    this.#socket = this.#state = null
    this.#ticket = ""
    this.#connection = "open"
    this.#timeline = new Timeline()
    this.#cell.follow("")
    if (this.#unconfirmed) await this.#begin()
    if (this.#cell.phase && !this.#socket) this.#withdraw()
    if (!this.#page.notices.hasChildNodes()) {
      this.#warn(t("This visit was over, and its variables with it: what is run begins a new one."))
    }
    this.#tell()
  }

  #send(kind, value) {
    if (!this.#socket?.open) return false
    this.#socket.send(kind, value)
    return true
  }

  #received = {
    frame: frame => this.#timeline.accept(frame) && this.#take(frame),
    state: state => this.#follow(state),
    notice: ({ text }) => this.#warn(text),
    refused: value => {
      const { about } = value
      const reason = reasonOf(value)
      if (this.#questions.answer(about, { reason, matches: [] })) return
      if (this.#cell.refuseUpdate(about, reason)) return
      if (about !== this.#cell.run) return this.#warn(reason)
      this.#unconfirmed = null
      this.#cell.refuse(reason)
      this.#tell()
    },
    completeReply: value => this.#questions.answer(value.request, value),
    inspectReply: value => this.#questions.answer(value.request, value),
  }

  #take(frame) {
    if (!this.#cell.shows(frame.run)) return
    if (frame.content.case !== "queued") return this.#cell.take(frame)
    this.#unconfirmed = null
    this.#wanted = []
    this.#cell.begin(frame.run, "queued")
    this.#tell()
  }

  #follow(state) {
    const known = this.#state !== null
    this.#state = state
    const over = state.kind === Kind.NONE || state.kind === Kind.DEAD
    const cutOff = state.kind === Kind.STARTING && !state.session
    this.#cell.follow(cutOff ? null : over ? "" : state.session)
    if (!known && !cutOff) this.#cell.again()
    this.#timeline.follow(state.session)
    this.#tell()
  }

  // --- What the person does ---

  async #run() {
    const { code } = this.#cell
    if (!code.trim() || !this.#page.start) return
    this.#unconfirmed = { run: uuid(), cell: this.#cell.id, code }
    this.#cell.begin(this.#unconfirmed.run, "sent")
    this.#cell.wanted = this.#wanted
    if (this.#socket) this.#execute()
    else {
      await this.#begin()
      if (!this.#socket) this.#withdraw()
    }
    this.#tell()
  }

  #execute() {
    // Where it is kept, the worksheet shall have the code
    if (!this.#ticket) this.#send("saveCell", { id: this.#cell.id, position: 1, code: this.#unconfirmed.code, kind: CellKind.CODE })
    this.#send("execute", this.#unconfirmed)
  }

  #withdraw() {
    this.#unconfirmed = null
    this.#cell.withdraw()
  }

  #interrupt() {
    const { run, phase } = this.#cell
    if (this.#unconfirmed && !this.#socket?.open) this.#withdraw()
    else this.#send(phase === "running" ? "interrupt" : "cancel", { run })
  }

  async #copyLink() {
    const fragment = await fragmentOf({ code: this.#cell.code, values: this.#cell.values })
    const link = `${location.origin}/cell${fragment}`
    try {
      await navigator.clipboard.writeText(link)
      this.#announcer.say(t("The link is copied"))
      this.#page.link.textContent = t("Copied")
      setTimeout(() => this.#page.link.textContent = t("Copy link"), 2000)
    } catch {
      prompt(t("Copy this link:"), link)
    }
  }

  // --- What the page tells ---

  #tell() {
    const { run, interrupt, status, start } = this.#page
    const { word, text } = describe(this.#connection, this.#reason, this.#socket ? this.#state : { kind: Kind.NONE })
    if (status.textContent !== text) status.textContent = text
    status.dataset.state = word
    run.disabled = !start
    interrupt.disabled = !this.#cell.phase
  }

  #warn(text) {
    this.#page.notices.replaceChildren(...text ? [Object.assign(document.createElement("p"), { textContent: text })] : [])
  }
}

/** Tell the page that embeds this one how tall it is. */
function tellHeight() {
  const tell = () => parent.postMessage({ salvus: { height: Math.ceil(document.body.getBoundingClientRect().height) } }, "*")
  tell() // while the frame is hidden, browsers do not look at sizes by themselves
  new ResizeObserver(tell).observe(document.body)
}

const find = id => document.getElementById(id)
const kept = await keptIn(location.hash)
new Visit({
  start: document.body.dataset.start,
  place: find("cell"),
  status: find("status"),
  notices: find("notices"),
  announcer: find("announcer"),
  run: find("run"),
  interrupt: find("interrupt"),
  reset: find("reset"),
  link: find("link"),
  open: find("open"),
}, kept ?? { code: "", values: [] })
if (!kept && location.hash) find("notices").textContent = t("This link is damaged: a part of it is missing.")
if (parent !== window) tellHeight()
