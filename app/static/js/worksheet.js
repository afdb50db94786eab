// The worksheet page: ties the cells to the network.

import { Announcer } from "./announcer.js"
import { Cell, contentOf } from "./cell.js"
import { Cells } from "./cells.js"
import { element } from "./dom.js"
import { Drafts, REST } from "./drafts.js"
import * as dropbox from "./dropbox.js"
import { Find } from "./find.js"
import { Folder } from "./folder.js"
import { Guide } from "./guide.js"
import { uuid } from "./ids.js"
import { keepPage, keepSheet, keptSheet } from "./kept_sheet.js"
import { KeyRow } from "./key_row.js"
import { actionOf, describeKeys } from "./keys.js"
import { giveMenu } from "./menu.js"
import { Others } from "./others.js"
import { Outline } from "./outline.js"
import { fragmentOf } from "./permalink.js"
import { Presence } from "./presence.js"
import { Questions } from "./questions.js"
import { reasonOf } from "./refusals.js"
import { Saving } from "./saving.js"
import { SharedText } from "./shared.js"
import { Socket } from "./socket.js"
import { describe, describeSaving } from "./status.js"
import { NEXT_KIND, Structure } from "./structure.js"
import { Timeline } from "./timeline.js"
import { seconds, UsageView } from "./usage.js"
import { CellKind, Kind, VERSION } from "./wire.js"
import { LOCALE, said, t, tn } from "./words.js"

const find = id => document.getElementById(id)
const { Prompt } = find("prompt") ? await import("./prompt.js") : {} // the command line page alone has one

const DISABLED = "disabled: " // begins the reason for which pages of such accounts are sent away
const KEEP_AFTER = 1000 // ms after which nothing is loaded any more
const NUMBERED = "salvus:line-numbers"

class Worksheet {
  #id
  #page
  #socket
  #drafts
  #saving
  #timeline = new Timeline()
  #cells
  #structure
  #outline
  #find
  #folder
  #guide
  #current = null // the cell that the person was in last
  #announcer
  #revisions = new Map() // by id of the cell, as stored
  #forgotten = new Set() // cells that were deleted before this page opened
  #unconfirmed = new Map() // runs asked for whose Queued frame has not come, by id
  #updated = new Set() // interacts that something was asked of
  #questions = new Questions((kind, value) => this.#socket.open && (this.#socket.send(kind, value), true))
  #state = null
  #connection = "new"
  #reason = ""
  #cutOff = false // the Sage server could not be reached
  #unread = false // the database was down: what is stored is not known
  #delayed = false // it is down
  #isEnding = false // the session, soon, as nobody uses it
  #isLoaded = false // what is stored is shown
  #wasOpened = false // what runs by itself has been run
  #numbered = localStorage.getItem(NUMBERED) === "yes"
  #title = document.getElementById("title").value // as it is stored
  #prompt = null // of the command line page
  #presence
  #others
  #usage

  constructor(id, page) {
    this.#id = id
    this.#page = page
    this.#drafts = new Drafts(id)
    this.#saving = new Saving((kind, value) => this.#socket?.send(kind, value), this.#drafts, () => this.#tellSaving())
    this.#cells = new Cells(page.sheet)
    this.#structure = new Structure(this.#cells, {
      make: (id, content) => this.#insert(id, content),
      edited: cell => this.#edited(cell),
      told: (text, canUndo) => this.#notice("undo", text, canUndo ? t("Undo") : "", () => this.#structure.undo()),
    })
    this.#outline = new Outline(page.outline, this.#cells)
    this.#find = new Find(page.find, this.#cells, { rewrite: texts => this.#rewrite(texts) })
    this.#announcer = new Announcer(page.announcer)
    this.#guide = new Guide(page.guide, {
      insert: code => this.#place(code).select(),
      run: code => this.#run(this.#place(code)),
      inspect: (panel, name) => this.#questions.inspect(panel, name, name.length),
      closed: () => (this.#current ?? this.#prompt)?.select(),
      otherLanguage: () => this.#state?.language.startsWith("SageMath") ? "" : this.#state?.language ?? "",
    })
    this.#folder = new Folder(page.folder, `/w/${id}`, this.#announcer)
    this.#presence = new Presence(() => this.#socket.open && this.#socket.send("active", {}))
    this.#others = new Others(page.others, value => this.#socket.open && this.#socket.send("here", value),
      id => this.#cells.get(id))
    this.#usage = new UsageView(page.usage)
    this.#listen()
    const scheme = location.protocol === "https:" ? "wss:" : "ws:"
    this.#socket = new Socket(`${scheme}//${location.host}/socket/${id}`, {
      opened: () => this.#opened(),
      received: (kind, value) => this.#received[kind]?.(value),
      lost: (everOpen, why) => this.#lost(everOpen, why),
    })
    this.#tell()
    this.#showKept()
    addEventListener("load", () => setTimeout(keepPage, KEEP_AFTER))
    document.addEventListener("visibilitychange", () => document.hidden && this.#keep())
    addEventListener("pagehide", () => this.#keep())
  }

  #listen() {
    const page = this.#page
    page.interrupt.onclick = () => this.#interrupt()
    page.restart.onclick = () => this.#socket.send("restart", {})
    page.end.onclick = () => this.#socket.send("end", {})
    page.runAll.onclick = () => this.#runEach(this.#cells.shown)
    page.sheet.addEventListener("focusin", ({ target }) => {
      this.#current = this.#cells.shown.find(cell => cell.element.contains(target)) ?? null
    })
    page.examples.onclick = () => this.#guide.toggle()
    if (page.prompt) this.#prompt = this.#givePrompt()
    else this.#letAdd()
    page.title.onchange = () => this.#rename()
    page.title.onkeydown = event => event.key === "Enter" && page.title.blur()
    giveMenu(page.menu, () => this.#menu())
    new KeyRow()
    describeKeys(page.help.querySelector(".keys"))
    page.help.addEventListener("click", ({ target }) => target === page.help && page.help.close())
  }

  #letAdd() {
    const { add, addText } = this.#page
    add.onclick = () => this.#structure.insert(null, 1).edit()
    addText.onclick = () => this.#structure.insert(null, 1, { kind: CellKind.MARKDOWN }).edit()
  }

  /** The command line: what is entered is a cell at the end. */
  #givePrompt() {
    return new Prompt(this.#page.prompt, this.#id, {
      enter: code => this.#isLoaded && (this.#run(this.#structure.insert(null, 1, { code })), true),
      entries: () => this.#cells.shown.filter(cell => cell.isCode && cell.code.trim()).map(cell => cell.code),
      interrupt: () => !this.#page.interrupt.disabled && (this.#interrupt(), true),
      above: () => this.#cells.shown.at(-1)?.select(),
      complete: (prompt, code, cursor) => this.#questions.complete(prompt, code, cursor),
      inspect: (prompt, code, cursor) => this.#questions.inspect(prompt, code, cursor),
    })
  }

  // --- The connection ---

  #opened() {
    this.#connection = "open"
    this.#state = null
    this.#socket.send("hello", { version: VERSION, role: "browser" })
    this.#socket.send("attach", { worksheet: this.#id, ...this.#timeline.position })
    this.#saving.again()
    this.#askAgain()
    this.#others.ask()
    this.#tell()
  }

  /** Ask again for the runs that may have been lost on the way; a repeat is harmless. */
  #askAgain() {
    for (const execute of this.#unconfirmed.values()) this.#socket.send("execute", execute)
  }

  #lost(everOpen, sentAway) {
    if (sentAway.startsWith(DISABLED)) return this.#disabled(sentAway.slice(DISABLED.length))
    this.#connection = "lost"
    this.#reason = everOpen ? t("the connection was interrupted") : t("the server can't be reached")
    this.#questions.giveUp()
    if (!everOpen) this.#askWhy()
    this.#tell()
  }

  /** An administrator has disabled the account: this page is of no more use. */
  #disabled(because) {
    this.#socket.stop()
    this.#questions.giveUp()
    this.#connection = "refused"
    this.#reason = t("your account is disabled. {because} What you typed is kept in this browser.", { because })
    this.#tell()
  }

  /** A refused WebSocket does not say why; the page itself, asked again, does. */
  async #askWhy() {
    const { status } = await fetch(location.href, { method: "HEAD" }).catch(() => ({ status: 0 }))
    if (status !== 403 && status !== 404) return
    this.#socket.stop()
    this.#connection = "refused"
    this.#reason = status === 403
      ? t("you are signed out: load this page again to sign in. What you typed is kept in this browser.")
      : t("this worksheet does not exist any more")
    this.#tell()
  }

  // --- What arrives ---

  #received = {
    worksheet: value => this.#load(value),
    state: value => this.#follow(value),
    frame: value => this.#timeline.accept(value) && this.#take(value),
    cell: value => this.#changed(value),
    title: ({ title }) => this.#titled(title),
    cellSaved: ({ id, revision, text }) => {
      this.#revisions.set(id, revision)
      const cell = this.#cells.get(id)
      if (cell && text.length) cell.stored = text
      this.#saving.confirmed(id)
    },
    here: value => this.#others.take(value),
    usage: value => this.#usage.show(value),
    notice: ({ text, time }) => this.#announce(text, time),
    saving: value => this.#savingDelayed(value),
    refused: value => this.#refused(value),
    completeReply: value => this.#questions.answer(value.request, value),
    inspectReply: value => this.#questions.answer(value.request, value),
  }

  /** Until the server answers: the cells as they were when they were last seen here. */
  async #showKept() {
    const kept = await keptSheet()
    if (!kept || this.#isLoaded) return
    for (const cell of kept.cells) {
      if (this.#cells.get(cell.id)) continue
      this.#revisions.set(cell.id, cell.revision)
      this.#insert(cell.id, contentOf(cell), SharedText.kept(cell.text))
    }
    this.#restoreDrafts()
    this.#outline.refresh()
  }

  #keep() {
    if (!this.#isLoaded) return
    const cells = this.#cells.all.filter(cell => this.#revisions.has(cell.id)).map(cell =>
      ({ ...cell.content, id: cell.id, revision: this.#revisions.get(cell.id), text: cell.shared.state }))
    keepSheet({ id: this.#id, title: this.#title, stored: true, cells })
  }

  #load({ title, cells, stored }) {
    this.#unread = !stored
    if (!stored) return
    this.#isLoaded = true
    if (this.#saving.title === null) this.#show(title)
    for (const cell of cells) this.#changed(cell)
    this.#restoreDrafts()
    setTimeout(() => this.#restoreDrafts(), REST)
    // Its id is the worksheet's, so that two tabs on a new worksheet show the same cell
    if (this.#cells.all.length === 0 && !this.#prompt) this.#insert(this.#id, { position: 1 }).edit()
    this.#page.sheet.setAttribute("aria-busy", "false")
    this.#outline.refresh()
    if (document.activeElement === document.body) this.#prompt?.edit()
    this.#prompt?.enterWaiting()
    this.#keep()
  }

  /** A cell as it is stored; of one that was deleted before this page opened nothing is shown. */
  #changed(stored) {
    const { id, revision, position, deleted, text } = stored
    const cell = this.#cells.get(id)
    if (deleted && !revision) return this.#gone(id)
    if (cell && text.length) cell.stored = text
    if (cell && (this.#saving.isDirty(id) || revision <= (this.#revisions.get(id) ?? 0n))) return
    this.#revisions.set(id, revision)
    const content = contentOf(stored)
    this.#forgotten.delete(id)
    if (!cell) return void this.#insert(id, content, text.length ? SharedText.stored(text) : undefined)
    const moves = cell.position !== position || cell.deleted !== deleted
    cell.content = { ...content, code: cell.code }
    if (moves) this.#cells.place(cell)
    this.#outline.refresh()
  }

  #gone(id) {
    const cell = this.#cells.get(id)
    if (!cell) return void this.#forgotten.add(id)
    if (cell.deleted || this.#saving.isDirty(id)) return
    cell.content = { ...cell.content, deleted: true }
    this.#cells.place(cell)
  }

  #restoreDrafts() {
    for (const { cell: id, content, state } of this.#drafts.restored()) {
      const cell = this.#cells.get(id) ?? this.#insert(id, content, state ? SharedText.kept(state) : undefined)
      if (this.#saving.isDirty(id)) continue
      if (state) cell.merge(state)
      const { code, ...rest } = content
      if (!state && this.#revisions.has(id) && isSame(cell.content, content)) {
        this.#drafts.drop(id)
        continue
      }
      cell.content = { ...cell.content, ...rest, code: state ? cell.code : code }
      this.#cells.place(cell)
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
    for (const cell of this.#cells.all) {
      cell.follow(cutOff ? null : over ? "" : state.session)
      if (!known && !cutOff) cell.again()
    }
    this.#timeline.follow(state.session)
    if (over) this.#usage.show(null)
    if (!cutOff) this.#runWhenOpened(over)
    this.#warn(state.endsIn)
    this.#tell()
  }

  /** The session is about to end as idle, in so many seconds; 0: it is not. */
  #warn(endsIn) {
    const minutes = Math.ceil(endsIn / 60)
    const soon = endsIn > 60 ? tn("{count} minute", "{count} minutes", minutes) : seconds(Math.ceil(endsIn / 10) * 10)
    const text = endsIn && t("Nobody uses this session: it ends in {soon}, and its variables with it.", { soon })
    this.#notice("idle", text, t("Keep it"), () => this.#presence.now())
    this.#isEnding = Boolean(endsIn)
    this.#showTitle()
  }

  /** What runs by itself does so when the worksheet is opened and no session has it yet. */
  #runWhenOpened(over) {
    if (this.#wasOpened || !this.#isLoaded) return
    this.#wasOpened = true
    if (over) this.#runEach(this.#cells.shown.filter(cell => cell.content.auto))
  }

  #take(frame) {
    const { run, content: { case: kind, value } } = frame
    if (kind === "queued") {
      this.#unconfirmed.delete(run)
      if (this.#forgotten.has(value.cell)) return
      const known = this.#cells.get(value.cell)
      const place = { position: this.#cells.end }
      const cell = known ?? this.#insert(value.cell, place, SharedText.guessed(value.code))
      cell.begin(run, "queued")
    } else {
      this.#cells.of(run)?.take(frame)
      if (kind === "finished") this.#folder.refreshSoon()
    }
    this.#enable()
  }

  #savingDelayed({ delayed, reason }) {
    this.#delayed = delayed
    this.#tellSaving()
    const text = reason
      ? t("Read-only: saving is delayed — {reason}. What you type is kept in this browser.", { reason: said(reason) })
      : t("Read-only: saving is delayed. What you type is kept in this browser.")
    this.#notice("saving", delayed ? text : "")
    if (delayed) return
    if (this.#unread) this.#socket.renew()
    else this.#saving.again()
  }

  /** What the administrators say stays until it has been read. */
  #announce(text, time) {
    const at = new Date(time * 1000).toLocaleTimeString(LOCALE, { hour: "2-digit", minute: "2-digit" })
    this.#notice(`notice-${time}`, `${at} — ${text}`, t("Dismiss"), () => this.#notice(`notice-${time}`, ""))
  }

  #refused(value) {
    const { about } = value
    const reason = reasonOf(value)
    this.#unconfirmed.delete(about)
    const running = this.#cells.of(about)
    if (this.#questions.answer(about, { reason, matches: [] })) return
    if (this.#updated.has(about)) this.#refuseUpdate(about, reason)
    else if (running) running.refuse(reason)
    else if (this.#cells.get(about)) {
      this.#cells.get(about).tell(reason)
      this.#saving.refused(about)
    } else this.#notice("refused", reason)
    this.#enable()
  }

  /** Of an interact that may be gone from the page by now. */
  #refuseUpdate(interact, reason) {
    for (const cell of this.#cells.all) if (cell.refuseUpdate(interact, reason)) return
  }

  // --- What the person does ---

  #run(cell) {
    const { id, code } = cell
    cell.finishEditing()
    if (!cell.isCode || !code.trim()) return
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
    const next = this.#cells.neighbour(cell, 1) ?? this.#prompt ?? this.#structure.insert(null, 1)
    if (next.kind === CellKind.MARKDOWN && next.code) next.select()
    else next.edit()
    next.element.scrollIntoView({ block: "nearest" })
  }

  /** A cell with this code: the one the person was in, if it is empty, else one below it. */
  #place(code) {
    const current = this.#prompt || this.#current?.deleted ? null : this.#current ?? this.#cells.shown.at(-1)
    if (current?.isCode && !current.code.trim()) {
      this.#structure.change(current, { code })
      return current
    }
    this.#current = this.#structure.insert(current, 1, { code })
    this.#current.element.scrollIntoView({ block: "nearest" })
    return this.#current
  }

  #runEach(cells) {
    for (const cell of cells) if (cell.isCode) this.#run(cell)
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
    const busy = this.#cells.all.filter(cell => cell.phase)
    const running = this.#state?.run || busy.find(cell => cell.phase === "running")?.run
    if (running) this.#socket.send("interrupt", { run: running })
    else busy.forEach(cell => this.#cancel(cell))
  }

  #edited(cell) {
    if (this.#saving.unfit.includes(cell.id)) cell.tell("")
    const kept = this.#saving.edited(cell)
    this.#outline.refresh()
    this.#notice("storage", kept ? "" : t("This browser's storage is full or forbidden: until it is saved, what you type is in this page only."))
  }

  #rename() {
    const title = this.#page.title.value.trim() || this.#title
    this.#show(title)
    if (title !== this.#title) this.#saving.title = title
  }

  /** The worksheet is called so, as everybody is told. */
  #titled(title) {
    const wanted = this.#saving.title
    this.#title = title
    // What the server makes of a title, such as a shorter one, is what counts
    if (wanted !== null && !sameTitle(wanted, title)) return
    if (wanted !== null) this.#saving.title = null
    if (document.activeElement !== this.#page.title) this.#show(title)
  }

  #show(title) {
    this.#page.title.value = title
    this.#showTitle()
  }

  #showTitle() {
    const title = this.#page.title.value
    document.title = this.#isEnding ? `⏳ ${title}` : title
  }

  #rewrite(texts) {
    this.#structure.rewrite(texts)
    const text = tn("Replaced in {count} cell.", "Replaced in {count} cells.", texts.length)
    this.#notice("undo", text, t("Undo"), () => this.#structure.undo())
  }

  #number() {
    this.#numbered = !this.#numbered
    localStorage.setItem(NUMBERED, this.#numbered ? "yes" : "no")
    for (const cell of this.#cells.all) cell.numbered = this.#numbered
  }

  /** Do what a key stands for when a cell is selected; whether it stands for something. */
  #key(cell, event) {
    const structure = this.#structure
    const kind = NEXT_KIND[event.key]
    const actions = {
      previous: () => this.#cells.neighbour(cell, -1)?.select(),
      next: () => (this.#cells.neighbour(cell, 1) ?? this.#prompt)?.select(),
      moveUp: () => structure.move(cell, -1),
      moveDown: () => structure.move(cell, 1),
      insertAbove: () => structure.insert(cell, -1).select(),
      insertBelow: () => structure.insert(cell, 1).select(),
      delete: () => structure.remove(cell),
      undo: () => structure.undo(),
      merge: () => structure.merge(cell),
      fold: () => structure.toggle(cell, "folded"),
      foldOutput: () => structure.toggle(cell, "outputFolded"),
      markdown: () => structure.change(cell, { kind }),
      code: () => structure.change(cell, { kind }),
      raw: () => structure.change(cell, { kind }),
      find: () => this.#find.open(),
      contents: () => this.#outline.toggle(),
      examples: () => this.#guide.toggle(),
      lineNumbers: () => this.#number(),
      help: () => this.#page.help.showModal(),
    }
    const action = actions[actionOf(event)]
    action?.()
    return Boolean(action)
  }

  /** What can be done with a cell, for its menu. */
  #menuOf(cell) {
    const structure = this.#structure
    const { shown } = this.#cells
    const at = shown.indexOf(cell)
    const be = (text, keys, kind) => ({ text, keys, checked: cell.kind === kind, does: () => structure.change(cell, { kind }) })
    return [
      { text: t("Run the cells above"), does: () => this.#runEach(shown.slice(0, at)) },
      { text: t("Run this and all below"), does: () => this.#runEach(shown.slice(at)) },
      { text: t("Run when opened"), checked: cell.content.auto, disabled: !cell.isCode, does: () => structure.toggle(cell, "auto") },
      null,
      be(t("Code"), "Y", CellKind.CODE),
      be(t("Text (Markdown)"), "M", CellKind.MARKDOWN),
      be(t("Plain text"), "R", CellKind.RAW),
      null,
      { text: t("Insert above"), keys: "A", does: () => structure.insert(cell, -1).edit() },
      { text: t("Insert below"), keys: "B", does: () => structure.insert(cell, 1).edit() },
      { text: t("Move up"), keys: "Alt ↑", disabled: at === 0, does: () => structure.move(cell, -1) },
      { text: t("Move down"), keys: "Alt ↓", disabled: at === shown.length - 1, does: () => structure.move(cell, 1) },
      { text: t("Split at the cursor"), keys: "Ctrl Shift −", does: () => structure.split(cell) },
      { text: t("Merge with the next"), keys: "Shift M", disabled: at === shown.length - 1, does: () => structure.merge(cell) },
      { text: t("Fold the code"), keys: "O", checked: cell.content.folded, disabled: !cell.isCode, does: () => structure.toggle(cell, "folded") },
      { text: t("Fold the output"), keys: "Shift O", checked: cell.content.outputFolded, disabled: !cell.isCode, does: () => structure.toggle(cell, "outputFolded") },
      { text: t("Copy a link to this code"), disabled: !cell.isCode, does: () => this.#copyLink(cell) },
      null,
      { text: t("Delete"), keys: "D D", does: () => structure.remove(cell) },
    ]
  }

  /** What can be done with the worksheet. */
  #menu() {
    return [
      { text: t("Find and replace"), keys: "F", does: () => this.#find.open() },
      { text: t("Contents"), keys: "T", checked: this.#outline.isOpen, does: () => this.#outline.toggle() },
      { text: t("Examples"), keys: "E", checked: this.#guide.isOpen, does: () => this.#guide.toggle() },
      { text: t("Line numbers"), keys: "L", checked: this.#numbered, does: () => this.#number() },
      { text: t("Take back"), keys: "Z", does: () => this.#structure.undo() },
      null,
      { text: t("Files"), checked: this.#folder.isOpen, does: () => this.#folder.toggle() },
      this.#prompt
        ? { text: t("Show as a worksheet"), href: `/w/${this.#id}` }
        : { text: t("Show as a command line"), href: `/w/${this.#id}/console` },
      { text: t("History"), href: `/w/${this.#id}/history` },
      { text: t("Share …"), href: `/w/${this.#id}/share` },
      ...dropbox.isThere() ? [{ text: t("Save to Dropbox"), does: () => this.#saveToDropbox() }] : [],
      { text: t("Print, or save as PDF"), does: () => print() },
      { text: t("Export as notebook (.ipynb)"), href: `/w/${this.#id}/export.ipynb` },
      { text: t("Export as web page (.html)"), href: `/w/${this.#id}/export.html` },
      { text: t("Export as Markdown (.md)"), href: `/w/${this.#id}/export.md` },
      { text: t("Export as program (.sage)"), href: `/w/${this.#id}/export.sage` },
      { text: t("All worksheets"), href: "/worksheets" },
      { text: t("Keyboard help"), keys: "H", does: () => this.#page.help.showModal() },
    ]
  }

  async #saveToDropbox() {
    const progress = share => this.#notice("dropbox", share === null
      ? t("Saving to Dropbox …")
      : t("Saving to Dropbox: {percent} %", { percent: Math.floor(100 * share) }))
    progress(null)
    const { said, problem, connect } = await dropbox.save(`/w/${this.#id}`, "", progress)
    if (connect) this.#notice("dropbox", problem, t("Connect Dropbox"), () => location.assign("/dropbox"))
    else this.#notice("dropbox", said ?? problem, t("Dismiss"), () => this.#notice("dropbox", ""))
  }

  /** A permalink: the code, and what its controls are set to, for whoever opens it. */
  async #copyLink(cell) {
    const link = location.origin + "/cell" + await fragmentOf({ code: cell.code, values: cell.values })
    try {
      await navigator.clipboard.writeText(link)
      this.#notice("link", t("The link is copied: who opens it gets this code, not its output."), t("Dismiss"), () => this.#notice("link", ""))
    } catch {
      prompt(t("Copy this link:"), link)
    }
  }

  #reply(cell, text) {
    this.#socket.send("inputReply", { run: cell.run, text })
  }

  #update(update) {
    this.#updated.add(update.interact)
    this.#socket.send("update", update)
  }

  // --- The cells ---

  #insert(id, content, shared = undefined) {
    const cell = new Cell(id, content, {
      started: cell => this.#announcer.say(t("Cell {number} is running", cell)),
      ended: (cell, ending) => {
        if (this.#state && ending) this.#announcer.say(t("Cell {number}: {ending}", { number: cell.number, ending }))
        this.#enable()
      },
      edited: cell => this.#edited(cell),
      run: cell => this.#run(cell),
      runAndMoveOn: cell => this.#runAndMoveOn(cell),
      cancel: cell => this.#cancel(cell),
      unfold: cell => this.#structure.toggle(cell, "outputFolded"),
      reply: (cell, text) => this.#reply(cell, text),
      update: update => this.#update(update),
      beyond: (cell, step) => this.#beyond(cell, step),
      split: cell => this.#structure.split(cell),
      key: (cell, event) => this.#key(cell, event),
      menu: cell => this.#menuOf(cell),
      tried: (cell, code) => this.#structure.insert(cell, 1, { code }).edit("end"),
      complete: (cell, code, cursor) => this.#questions.complete(cell, code, cursor),
      inspect: (cell, code, cursor) => this.#questions.inspect(cell, code, cursor),
      moved: (cell, anchor, head) => this.#others.moved(cell, anchor, head),
    }, shared)
    if (this.#numbered) cell.numbered = true
    this.#cells.add(cell)
    return cell
  }

  /** The cursor goes on in the next cell; whether there is one. */
  #beyond(cell, step) {
    const next = this.#cells.neighbour(cell, step) ?? (step > 0 ? this.#prompt : null)
    next?.edit(step < 0 ? "end" : "start")
    return Boolean(next)
  }

  // --- What the page tells ---

  #tell() {
    const { word, text } = describe(this.#connection, this.#reason, this.#state)
    const { status, language } = this.#page
    if (status.textContent !== text) status.textContent = text
    status.dataset.state = word
    if (this.#state?.language) language.textContent = this.#state.language
    this.#tellSaving()
    this.#enable()
  }

  #tellSaving() {
    const { saved } = this.#page
    const { text, isKept } = describeSaving({
      complete: this.#saving.isComplete,
      open: this.#connection === "open",
      delayed: this.#delayed || this.#saving.unfit.length > 0,
    })
    if (saved.textContent !== text) saved.textContent = text
    saved.dataset.kept = isKept
  }

  #enable() {
    const { interrupt, restart, end } = this.#page
    interrupt.disabled = this.#state?.kind !== Kind.BUSY && !this.#cells.all.some(cell => cell.phase)
    const alive = Boolean(this.#state?.session) && this.#state.kind !== Kind.DEAD
    restart.disabled = !this.#state?.session
    end.disabled = !alive
    const leaves = this.#state?.kind === Kind.WAITING
    end.textContent = leaves ? t("Leave the queue") : t("End session")
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

function isSame(content, other) {
  return Object.entries(other).every(([key, value]) => content[key] === value)
}

/** Whether the server made one title of the other. */
function sameTitle(typed, kept) {
  const plain = title => title.split(/\s+/).filter(Boolean).join(" ").slice(0, 200)
  return plain(typed) === plain(kept)
}

new Worksheet(find("sheet").dataset.worksheet, {
  sheet: find("sheet"),
  title: find("title"),
  saved: find("saved"),
  language: find("language"),
  status: find("status"),
  notices: find("notices"),
  announcer: find("announcer"),
  runAll: find("run-all"),
  interrupt: find("interrupt"),
  restart: find("restart"),
  end: find("end"),
  menu: find("menu"),
  usage: find("usage"),
  others: find("others"),
  outline: find("outline"),
  find: find("find"),
  folder: find("folder"),
  guide: find("guide"),
  examples: find("examples"),
  help: find("help"),
  add: find("add"),
  addText: find("add-text"),
  prompt: find("prompt"),
})
