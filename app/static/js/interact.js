// Interacts: controls that call a function in the session, and an area for its output.
//
// What is moved here is sent at once, or when the button is pressed; the session answers with
// frames, as to everybody who has the worksheet open. While an update computes, what it shows
// is gathered out of sight: it takes the place of the old output when there is something new
// to see, and its pictures are ready, so that nothing flickers.

import { makeControl } from "./controls.js"
import { element } from "./dom.js"
import { Output } from "./output.js"
import { Status } from "./wire.js"
import { said, t } from "./words.js"

const SEND_EVERY = 40 // ms between two updates while a control is dragged
const SHOW_UNFINISHED = 250 // ms after which the output of an update is shown as it comes
const KEEP_HEIGHT = 400 // ms after an update that the place of its output does not shrink
const TELL_AFTER = 400 // ms that an update may take before the page says so
const MOST_UNSEEN = 4 // updates whose output is made, but not seen yet
const UPDATE = "auto_update" // the button's place in a layout
const OVER = t("The session has ended: run the cell again to use these controls.")
const ENDINGS = { [Status.INTERRUPTED]: t("interrupted"), [Status.CANCELLED]: t("cancelled") }

/** The interacts of one cell. */
export class Interacts {
  #handlers
  #views = new Map() // by id
  #live = null
  #wanted = [] // values for those that are not shown yet

  /** `handlers`: update(values of an Update message), reply(text). */
  constructor(handlers) {
    this.#handlers = handlers
  }

  /** The cell is run again. */
  clear() {
    for (const view of this.#views.values()) view.close()
    this.#views.clear()
  }

  /** What the controls of those that are no part of another are set to, in order. */
  get values() {
    return [...this.#views.values()].filter(view => !view.area).map(view => view.values)
  }

  /** The same, for those that are to come. */
  set wanted(values) {
    this.#wanted = [...values]
  }

  /** An interact begins: its element, to be shown with the output it is a part of. */
  show({ run, session, area, content: { value } }) {
    const view = new Interact({ run, session, area, message: value }, {
      update: values => this.#handlers.update({ run, interact: value.id, ...values }),
      reply: text => this.#handlers.reply(text),
      renewed: () => this.#forget(id => this.#views.get(id).area === value.id),
    })
    view.follow(this.#live)
    this.#views.set(value.id, view)
    if (!area && this.#wanted.length) view.set(this.#wanted.shift())
    return view.element
  }

  /** Take a step that belongs into the area of an interact; whether there is such a one. */
  take(frame) {
    const view = this.#views.get(frame.area)
    if (!view) return false
    if (frame.content.case === "interact") view.add("element", this.show(frame))
    else view.take(frame)
    return true
  }

  /** The run that showed them has ended. */
  runEnded() {
    for (const view of this.#views.values()) view.settle()
  }

  /** `session` is alive, "" if none is, null if that is not known. */
  follow(session) {
    this.#live = session
    for (const view of this.#views.values()) view.follow(session)
  }

  /** What was sent may have been lost on the way. */
  again() {
    for (const view of this.#views.values()) view.again()
  }

  /** Say why an update of `interact` was refused; whether that is one of these. */
  refuse(interact, reason) {
    this.#views.get(interact)?.refuse(reason)
    return this.#views.has(interact)
  }

  /** Forget those whose id is `wanted`, and those that are nested in them. */
  #forget(wanted) {
    const gone = [...this.#views.keys()].filter(wanted)
    for (const id of gone) {
      this.#views.get(id).close()
      this.#views.delete(id)
    }
    if (gone.length) this.#forget(id => gone.includes(this.#views.get(id).area))
  }
}

class Interact {
  #session
  #handlers
  #manual
  #controls = new Map() // by name
  #values = new Map() // as the session has them
  #edited = new Set() // names of what was moved and not sent yet
  #sent = new Map() // values that the session has not begun with yet
  #number = 0n // of the latest update that was sent
  #begun = 0n // of the latest that the session has begun with ...
  #ended = 0n // ... and ended
  #live = true
  #timer = 0
  #lastSent = 0
  #button
  #note = element("p", { class: "interact-note" })
  #tellTimer = 0
  #place = element("div", { class: "area" })
  #screen

  constructor({ session, area, message }, handlers) {
    this.area = area
    this.#session = session
    this.#handlers = handlers
    this.#manual = message.manual
    this.#button = element("button", { type: "button", class: "update", text: "Update", onclick: () => this.#send() })
    for (const each of message.controls) this.#add(each)
    this.#screen = new Screen(this.#place, {
      reply: text => handlers.reply(text),
      ended: (number, value) => this.#shown(number, value),
    })
    this.element = element("div", { class: "interact", role: "group", "aria-label": t("Interactive") },
      ...arranged(message, this.#controls, this.#manual && this.#button, element("div", { class: "interact-output" }, this.#note, this.#place)))
  }

  take({ update, content: { case: kind, value } }) {
    if (kind === "values") this.#begin(update, JSON.parse(value.values))
    else this.#screen.add(kind, value)
  }

  /** By name, as the session has them. */
  get values() {
    return Object.fromEntries(this.#values)
  }

  /** Set controls as if somebody had; what they can't be set to is left as it is. */
  set(values) {
    for (const [name, value] of Object.entries(values ?? {})) {
      const control = this.#controls.get(name)
      if (!control || typeof value !== typeof this.#values.get(name)) continue
      control.value = value
      this.#edited.add(name)
    }
    if (this.#edited.size) this.#send()
  }

  /** Show something in its area: the kind and value of a step. */
  add(kind, value) {
    this.#screen.add(kind, value)
  }

  settle() {
    if (this.#begun === 0n) this.#screen.add("finished", { status: Status.OK, seconds: 0, reason: "" })
  }

  close() {
    this.#live = false
    clearTimeout(this.#timer)
    clearTimeout(this.#tellTimer)
    this.#screen.close()
  }

  follow(session) {
    const live = session === null ? this.#live : session === this.#session
    if (live === this.#live) return
    this.#live = live
    for (const control of this.#controls.values()) control.disabled = !live
    this.#button.disabled = !live
    this.element.classList.toggle("over", !live)
    if (!live) this.#giveUp()
    this.#tell(live ? "" : OVER)
  }

  again() {
    if (this.#live && this.#number > this.#begun) this.#submit()
  }

  refuse(reason) {
    this.#giveUp()
    this.#tell(reason)
  }

  #add({ name, label, kind, options, value }) {
    const first = JSON.parse(value)
    const control = makeControl({ label, kind, options: JSON.parse(options) }, first, {
      changed: () => this.#changed(name, kind),
      entered: () => this.#manual && this.#send(),
    })
    this.#controls.set(name, control)
    this.#values.set(name, first)
  }

  // --- From the person to the session ---

  #changed(name, kind) {
    if (!this.#live) return
    this.#edited.add(name)
    if (this.#manual && kind !== "button") return this.element.classList.add("unsent")
    const wait = this.#lastSent + SEND_EVERY - performance.now()
    if (wait <= 0) this.#send()
    else this.#timer ||= setTimeout(() => this.#send(), wait)
  }

  #send() {
    clearTimeout(this.#timer)
    this.#timer = 0
    this.#lastSent = performance.now()
    for (const name of this.#edited) this.#sent.set(name, this.#controls.get(name).value)
    this.#edited.clear()
    this.element.classList.remove("unsent")
    this.#number = (this.#number > this.#begun ? this.#number : this.#begun) + 1n
    this.#submit()
    this.#busy()
  }

  #submit() {
    this.#handlers.update({ number: this.#number, values: JSON.stringify(Object.fromEntries(this.#sent)) })
  }

  /** What was sent comes to nothing: the controls go back to what the session has. */
  #giveUp() {
    clearTimeout(this.#timer)
    this.#timer = 0
    this.#number = this.#ended = this.#begun
    this.#sent.clear()
    this.#edited.clear()
    this.#apply()
    this.#idle()
  }

  // --- From the session to the page ---

  #begin(number, values) {
    this.#values = new Map(Object.entries(values))
    this.#begun = number
    if (number >= this.#number) this.#sent.clear()
    this.#apply()
    this.#handlers.renewed()
    this.#screen.renew(number)
    this.#busy()
  }

  /** Show the values that the session has, but for what was moved here since. */
  #apply() {
    for (const [name, value] of this.#values) {
      if (!this.#edited.has(name) && !this.#sent.has(name)) this.#controls.get(name).value = value
    }
  }

  #shown(number, { status, reason }) {
    if (number > this.#ended) this.#ended = number
    if (this.#ended < this.#number || this.#ended < this.#begun) return
    this.#idle()
    const why = status === Status.DIED ? "" : said(reason)
    if (this.#live) this.#tell([ENDINGS[status], why].filter(Boolean).join(" · "))
  }

  #busy() {
    this.element.classList.add("updating")
    this.#place.setAttribute("aria-busy", "true")
    this.#tellTimer ||= setTimeout(() => this.#tell(t("updating …")), TELL_AFTER)
  }

  #idle() {
    clearTimeout(this.#tellTimer)
    this.#tellTimer = 0
    this.element.classList.remove("updating")
    this.#place.setAttribute("aria-busy", "false")
  }

  #tell(text) {
    if (this.#note.textContent !== text) this.#note.textContent = text
  }
}

/** The place of an interact's output: the view that is seen, and the next while it is made. */
class Screen {
  #place
  #handlers
  #seen
  #latest // takes what comes
  #making = [] // that are not seen yet
  #timer = 0
  #closed = false

  /** `handlers`: reply(text); ended(number, value of finished) when all of an update is seen. */
  constructor(place, handlers) {
    this.#place = place
    this.#handlers = handlers
    this.#latest = this.#seen = this.#make(0n)
    place.append(this.#seen.region)
  }

  add(kind, value) {
    this.#latest.output.add(kind, value)
  }

  /** An update begins: what follows replaces what is seen. */
  renew(number) {
    clearTimeout(this.#timer)
    this.#place.style.minHeight = `${this.#place.offsetHeight}px`
    const next = this.#latest = this.#make(number)
    this.#making.push(next)
    // After a reload all updates since the last record come at once
    if (this.#making.length > MOST_UNSEEN) this.#making.shift().output.reset()
    const watch = new MutationObserver(() => {
      watch.disconnect()
      setTimeout(() => this.#present(next), SHOW_UNFINISHED)
    })
    watch.observe(next.region, { childList: true })
  }

  close() {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #make(number) {
    const region = element("div", { class: "output" })
    const view = { number, region }
    view.output = new Output(region, {
      reply: text => this.#handlers.reply(text),
      finished: value => this.#finish(view, value),
    })
    return view
  }

  async #finish(view, value) {
    await this.#present(view)
    if (this.#closed) return
    this.#handlers.ended(view.number, value)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#place.style.minHeight = "", KEEP_HEIGHT)
  }

  /** Show a view once its pictures are ready, unless a later one is seen already. */
  async #present(view) {
    const pictures = [...view.region.querySelectorAll("img")]
    await Promise.all(pictures.map(picture => picture.decode().catch(() => {})))
    if (this.#closed || view.number <= this.#seen.number) return
    this.#seen.region.replaceWith(view.region)
    this.#seen = view
    this.#making = this.#making.filter(each => each.number > view.number)
  }
}

/** The parts of an interact: controls where its layout says, and the output among them. */
function arranged({ layout, controls }, made, button, output) {
  const sides = layout ? JSON.parse(layout) : { top: controls.map(({ name }) => [name]) }
  const parts = new Map([...made].map(([name, control]) => [name, control.element]))
  const named = Object.values(sides).flat(2)
  if (button) parts.set(UPDATE, button)
  if (button && !named.includes(UPDATE)) (sides[sides.bottom ? "bottom" : "top"] ??= []).push([UPDATE])
  const blocks = Object.entries(sides).map(([side, rows]) => element("div", { class: `side side-${side}` },
    ...rows.map(row => element("div", { class: "control-row" }, ...row.map(name => parts.get(name)).filter(Boolean)))))
  return [...blocks.filter(block => !isBelow(block)), output, ...blocks.filter(isBelow)]
}

function isBelow(block) {
  return block.className.includes("side-bottom")
}
