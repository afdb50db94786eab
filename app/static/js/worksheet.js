// The worksheet page: ties the cells to the network.

import { Cell } from "./cell.js"
import { element } from "./dom.js"
import { Drafts, REST } from "./drafts.js"
import { uuid } from "./ids.js"
import { Presence } from "./presence.js"
import { Saving } from "./saving.js"
import { Socket } from "./socket.js"
import { describe } from "./status.js"
import { Timeline } from "./timeline.js"
import { seconds, UsageView } from "./usage.js"
import { Kind, VERSION } from "./wire.js"

const PARTIAL = "the session is computing: this is what Sage itself has, without your names"

class Worksheet {
  #id
  #page
  #socket
  #drafts
  #saving
  #timeline = new Timeline()
  #cells = new Map() // by id
  #revisions = new Map() // by id of the cell, as stored
  #unconfirmed = new Map() // runs asked for whose Queued frame has not come, by id
  #updated = new Set() // interacts that something was asked of
  #questions = new Map() // completions and inspections under way, by request
  #state = null
  #connection = "new"
  #reason = ""
  #cutOff = false // the Sage server could not be reached
  #unread = false // the database was down: what is stored is not known
  #presence
  #usage

  constructor(id, page) {
    this.#id = id
    this.#page = page
    this.#drafts = new Drafts(id)
    this.#saving = new Saving((kind, value) => this.#socket.send(kind, value), this.#drafts)
    page.interrupt.onclick = () => this.#interrupt()
    page.restart.onclick = () => this.#socket.send("restart", {})
    page.end.onclick = () => this.#socket.send("end", {})
    this.#presence = new Presence(() => this.#socket.open && this.#socket.send("active", {}))
    this.#usage = new UsageView(page.usage)
    page.add.onclick = () => this.#append().edit()
    const scheme = location.protocol === "https:" ? "wss:" : "ws:"
    this.#socket = new Socket(`${scheme}//${location.host}/socket/${id}`, {
      opened: () => this.#opened(),
      received: (kind, value) => this.#received[kind]?.(value),
      lost: everOpen => this.#lost(everOpen),
    })
    this.#tell()
  }

  // --- The connection ---

  #opened() {
    this.#connection = "open"
    this.#state = null
    this.#socket.send("hello", { version: VERSION, role: "browser" })
    this.#socket.send("attach", { worksheet: this.#id, ...this.#timeline.position })
    this.#saving.again()
    this.#askAgain()
    this.#tell()
  }

  /** Ask again for the runs that may have been lost on the way; a repeat is harmless. */
  #askAgain() {
    for (const execute of this.#unconfirmed.values()) this.#socket.send("execute", execute)
  }

  #lost(everOpen) {
    this.#connection = "lost"
    this.#reason = everOpen ? "the connection was interrupted" : "the server can't be reached"
    for (const request of this.#questions.keys()) this.#answer(request, null)
    if (!everOpen) this.#askWhy()
    this.#tell()
  }

  /** A refused WebSocket does not say why; the page itself, asked again, does. */
  async #askWhy() {
    const { status } = await fetch(location.href, { method: "HEAD" }).catch(() => ({ status: 0 }))
    if (status !== 403 && status !== 404) return
    this.#socket.stop()
    this.#connection = "refused"
    this.#reason = status === 403
      ? "you are signed out: load this page again to sign in. What you typed is kept in this browser."
      : "this worksheet does not exist any more"
    this.#tell()
  }

  // --- What arrives ---

  #received = {
    worksheet: value => this.#load(value),
    state: value => this.#follow(value),
    frame: value => this.#timeline.accept(value) && this.#take(value),
    cell: value => this.#changed(value),
    cellSaved: ({ id, revision }) => {
      this.#revisions.set(id, revision)
      this.#saving.confirmed(id)
    },
    usage: value => this.#usage.show(value),
    saving: value => this.#savingDelayed(value),
    refused: value => this.#refused(value),
    completeReply: value => this.#answer(value.request, value),
    inspectReply: value => this.#answer(value.request, value),
  }

  #load({ title, cells, stored }) {
    this.#unread = !stored
    if (!stored) return
    this.#page.title.textContent = title
    for (const cell of cells) this.#changed(cell)
    this.#restoreDrafts()
    setTimeout(() => this.#restoreDrafts(), REST)
    // Its id is the worksheet's, so that two tabs on a new worksheet show the same cell
    if (this.#cells.size === 0) this.#insert(this.#id, 1, "").edit()
    this.#page.sheet.setAttribute("aria-busy", "false")
  }

  /** A cell as it is stored. */
  #changed({ id, position, code, revision }) {
    const cell = this.#cells.get(id)
    if (cell && (this.#saving.isDirty(id) || revision <= (this.#revisions.get(id) ?? 0n))) return
    this.#revisions.set(id, revision)
    if (!cell) return void this.#insert(id, position, code)
    cell.code = code
    if (cell.position !== position) this.#place(cell, position)
  }

  #restoreDrafts() {
    for (const { cell: id, position, code } of this.#drafts.restored()) {
      const cell = this.#cells.get(id) ?? this.#insert(id, position, code)
      if (this.#saving.isDirty(id)) continue
      if (cell.code === code && this.#revisions.has(id)) {
        this.#drafts.drop(id)
        continue
      }
      cell.code = code
      this.#edited(cell)
    }
  }

  #follow(state) {
    const cutOff = state.kind === Kind.STARTING && !state.session
    if (this.#cutOff && !cutOff) this.#askAgain()
    const known = this.#state !== null && !this.#cutOff
    this.#cutOff = cutOff
    this.#state = state
    const over = state.kind === Kind.NONE || state.kind === Kind.DEAD
    for (const cell of this.#cells.values()) {
      cell.follow(cutOff ? null : over ? "" : state.session)
      if (!known && !cutOff) cell.again()
    }
    this.#timeline.follow(state.session)
    if (over) this.#usage.show(null)
    this.#warn(state.endsIn)
    this.#tell()
  }

  /** The session is about to end as idle, in so many seconds; 0: it is not. */
  #warn(endsIn) {
    const soon = endsIn > 60 ? `${Math.ceil(endsIn / 60)} minutes` : seconds(Math.ceil(endsIn / 10) * 10)
    const text = endsIn && `Nobody uses this session: it ends in ${soon}, and its variables with it.`
    this.#notice("idle", text, "Keep it", () => this.#presence.now())
    document.title = endsIn ? `⏳ ${this.#page.title.textContent}` : this.#page.title.textContent
  }

  #take(frame) {
    const { run, content: { case: kind, value } } = frame
    if (kind === "queued") {
      this.#unconfirmed.delete(run)
      const cell = this.#cells.get(value.cell) ?? this.#insert(value.cell, this.#end(), value.code)
      cell.begin(run, "queued")
    } else {
      this.#cellOf(run)?.take(frame)
    }
    this.#enable()
  }

  #savingDelayed({ delayed, reason }) {
    const text = `Read-only: saving is delayed${reason && ` — ${reason}`}. What you type is kept in this browser.`
    this.#notice("saving", delayed ? text : "")
    if (delayed) return
    if (this.#unread) this.#socket.renew()
    else this.#saving.again()
  }

  #refused({ reason, about }) {
    this.#unconfirmed.delete(about)
    const running = this.#cellOf(about)
    if (this.#questions.has(about)) this.#answer(about, { reason, matches: [] })
    else if (this.#updated.has(about)) this.#refuseUpdate(about, reason)
    else if (running) running.refuse(reason)
    else if (this.#cells.has(about)) this.#cells.get(about).tell(reason)
    else this.#notice("refused", reason)
    this.#enable()
  }

  /** Of an interact that may be gone from the page by now. */
  #refuseUpdate(interact, reason) {
    for (const cell of this.#cells.values()) if (cell.refuseUpdate(interact, reason)) return
  }

  // --- What the person does ---

  #run(cell) {
    const { id, code } = cell
    if (!code.trim()) return
    const execute = { run: uuid(), cell: id, code }
    if (!this.#revisions.has(id)) this.#edited(cell)
    this.#saving.flush(cell)
    this.#unconfirmed.delete(cell.run)
    this.#unconfirmed.set(execute.run, execute)
    cell.begin(execute.run, "sent")
    this.#socket.send("execute", execute)
    this.#notice("refused", "")
    this.#enable()
  }

  #runAndMoveOn(cell) {
    this.#run(cell)
    const next = this.#neighbour(cell, 1) ?? this.#append()
    next.edit()
    next.element.scrollIntoView({ block: "nearest" })
  }

  #cancel(cell) {
    const { run } = cell
    if (this.#unconfirmed.has(run) && !this.#socket.open) {
      this.#unconfirmed.delete(run)
      cell.withdraw()
      this.#enable()
    } else {
      this.#socket.send(cell.phase === "running" ? "interrupt" : "cancel", { run })
    }
  }

  /** Interrupt what runs; if nothing does yet, what waits is cancelled. */
  #interrupt() {
    const busy = [...this.#cells.values()].filter(cell => cell.phase)
    const running = this.#state?.run || busy.find(cell => cell.phase === "running")?.run
    if (running) this.#socket.send("interrupt", { run: running })
    else busy.forEach(cell => this.#cancel(cell))
  }

  #edited(cell) {
    const kept = this.#saving.edited(cell)
    this.#notice("storage", kept ? "" : "This browser's storage is full or forbidden: until it is saved, what you type is in this page only.")
  }

  #move(cell, step) {
    this.#neighbour(cell, step)?.select()
  }

  #reply(cell, text) {
    this.#socket.send("inputReply", { run: cell.run, text })
  }

  #update(update) {
    this.#updated.add(update.interact)
    this.#socket.send("update", update)
  }

  async #complete(cell, code, cursor) {
    const reply = await this.#ask("complete", { code, cursor })
    if (reply?.busy || reply?.reason) cell.tell(reply.reason || "no completion while the session computes")
    else if (reply?.partial) cell.tell(PARTIAL)
    return reply
  }

  async #inspect(cell, code, cursor) {
    const reply = await this.#ask("inspect", { code, cursor })
    if (reply?.found) cell.help(reply.text)
    if (reply?.partial) cell.tell(PARTIAL)
    else if (reply && !reply.found) cell.tell(reply.reason || (reply.busy ? "no help while the session computes" : "no help on this"))
  }

  /** A promise of the answer; null when there will be none. */
  #ask(kind, question) {
    if (!this.#socket.open) return Promise.resolve(null)
    const request = uuid()
    this.#socket.send(kind, { request, ...question })
    return new Promise(resolve => this.#questions.set(request, resolve))
  }

  #answer(request, reply) {
    this.#questions.get(request)?.(reply)
    this.#questions.delete(request)
  }

  // --- The cells ---

  #cellOf(run) {
    return run && [...this.#cells.values()].find(cell => cell.run === run)
  }

  #end() {
    return Math.max(0, ...Array.from(this.#cells.values(), cell => cell.position)) + 1
  }

  /** A new cell after the last. */
  #append() {
    const cell = this.#insert(uuid(), this.#end(), "")
    this.#edited(cell)
    return cell
  }

  #insert(id, position, code) {
    const cell = new Cell(id, position, code, {
      ended: () => this.#enable(),
      edited: cell => this.#edited(cell),
      run: cell => this.#run(cell),
      runAndMoveOn: cell => this.#runAndMoveOn(cell),
      cancel: cell => this.#cancel(cell),
      reply: (cell, text) => this.#reply(cell, text),
      update: update => this.#update(update),
      move: (cell, step) => this.#move(cell, step),
      complete: (cell, code, cursor) => this.#complete(cell, code, cursor),
      inspect: (cell, code, cursor) => this.#inspect(cell, code, cursor),
    })
    this.#cells.set(id, cell)
    this.#place(cell, position)
    return cell
  }

  #place(cell, position) {
    cell.position = position
    const later = this.#sorted().find(other => other !== cell && isBefore(cell, other))
    this.#page.sheet.insertBefore(cell.element, later?.element ?? null)
    this.#sorted().forEach((one, index) => one.number = index + 1)
  }

  #sorted() {
    return [...this.#cells.values()].sort((one, other) => isBefore(one, other) ? -1 : 1)
  }

  #neighbour(cell, step) {
    const cells = this.#sorted()
    return cells[cells.indexOf(cell) + step]
  }

  // --- What the page tells ---

  #tell() {
    const { word, detail } = describe(this.#connection, this.#reason, this.#state)
    const { status, language } = this.#page
    const text = detail ? `${word} — ${detail}` : word
    if (status.textContent !== text) status.textContent = text
    status.dataset.state = word
    if (this.#state?.language) language.textContent = this.#state.language
    this.#enable()
  }

  #enable() {
    const { interrupt, restart, end } = this.#page
    interrupt.disabled = this.#state?.kind !== Kind.BUSY && ![...this.#cells.values()].some(cell => cell.phase)
    const alive = Boolean(this.#state?.session) && this.#state.kind !== Kind.DEAD
    restart.disabled = !this.#state?.session
    end.disabled = !alive
    const leaves = this.#state?.kind === Kind.WAITING
    end.textContent = leaves ? "Leave the queue" : "End session"
  }

  /** Show, change or, with "", take away the notice of this kind; `action` is on its button. */
  #notice(kind, text, action = "", act = null) {
    const shown = this.#page.notices.querySelector(`[data-kind="${kind}"]`)
    if (!text) return shown?.remove()
    const notice = shown ?? document.createElement("p")
    notice.dataset.kind = kind
    if (notice.firstChild?.textContent !== text) {
      notice.replaceChildren(text)
      if (action) notice.append(" ", element("button", { type: "button", text: action, onclick: act }))
    }
    if (!shown) this.#page.notices.append(notice)
  }
}

function isBefore(one, other) {
  return one.position < other.position || (one.position === other.position && one.id < other.id)
}

const find = id => document.getElementById(id)

new Worksheet(find("sheet").dataset.worksheet, {
  sheet: find("sheet"),
  title: find("title"),
  language: find("language"),
  status: find("status"),
  notices: find("notices"),
  interrupt: find("interrupt"),
  restart: find("restart"),
  end: find("end"),
  usage: find("usage"),
  add: find("add"),
})
