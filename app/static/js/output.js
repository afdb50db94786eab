// The output of a cell: what its latest run sent, in order.
//
// Everything passes one queue that is emptied a few milliseconds per animation frame, so
// that a flood of output leaves the page responsive, and "finished" is shown only when
// all that came before it is.

import { runs } from "./ansi.js"
import { prepare, show } from "./bundle.js"
import { element, styled } from "./dom.js"
import { StreamText } from "./stream.js"
import { amount } from "./usage.js"
import { Status, StreamName, Unit } from "./wire.js"
import { figure, said, t, tn } from "./words.js"

const SLICE = 8 // ms of work per animation frame
const PIECE = 256 * 1024 // characters written at once
const SHOWN_ITEMS = 1000
const NAMES = { [StreamName.STDOUT]: "stdout", [StreamName.STDERR]: "stderr" }

export class Output {
  #region
  #handlers
  #queue = []
  #scheduled = false
  #clearNext = false
  #stream = null
  #question = null
  #items = []
  #aside = []
  #elided = null
  #refusal = null

  /** `handlers`: reply(text) answers an input; finished(frame) when all of a run is shown. */
  constructor(region, handlers) {
    this.#region = region
    this.#handlers = handlers
  }

  /** Forget everything: another run begins. The room is kept until there is something new. */
  reset() {
    this.#queue = []
    this.#clearNext = false
    this.#region.style.minHeight = `${this.#region.offsetHeight}px`
    this.#empty()
  }

  /** Show one step of the run: the kind and value of a frame's content, or an element. */
  add(kind, value) {
    const last = this.#queue.at(-1)
    if (kind === "stream" && last?.kind === "stream" && last.value.name === value.name
        && last.value.text.length < PIECE) {
      last.value = { name: value.name, text: last.value.text + value.text }
    } else {
      this.#queue.push({ kind, value })
    }
    this.#schedule()
  }

  /** Say below why another run was refused; "": that is over. */
  refuse(text) {
    this.add("refusal", text)
  }

  #schedule() {
    if (this.#scheduled) return
    this.#scheduled = true
    const turn = () => {
      if (!this.#scheduled) return
      this.#scheduled = false
      cancelAnimationFrame(frame)
      clearTimeout(timer)
      this.#work()
    }
    const frame = requestAnimationFrame(turn)
    const timer = setTimeout(turn, 250) // a hidden tab has no animation frames
  }

  #work() {
    const until = performance.now() + SLICE
    const { scrollHeight, scrollTop, clientHeight } = this.#region
    const follows = scrollHeight - scrollTop - clientHeight < 32
    while (this.#queue.length && performance.now() < until) {
      if (this.#waits()) return
      const { kind, value } = this.#queue.shift()
      this.#take(kind, value)
    }
    if (follows) this.#region.scrollTop = this.#region.scrollHeight
    if (this.#queue.length) this.#schedule()
  }

  /** Whether what comes next needs a part of the page that is still to be loaded. */
  #waits() {
    const next = this.#queue[0]
    if (next.kind !== "bundle" || next.prepared) return false
    const loaded = prepare(next.value.parts)
    next.prepared = true
    if (!loaded) return false
    this.#scheduled = true
    loaded.finally(() => {
      this.#scheduled = false
      this.#schedule()
    })
    return true
  }

  #take(kind, value) {
    if (kind === "clear") {
      if (value.wait) this.#clearNext = true
      else this.#empty()
      return
    }
    if (kind === "finished") return this.#finish(value)
    if (kind === "refusal") return this.#tellRefusal(value)
    const old = this.#clearNext ? this.#leave() : []
    this.#closeQuestion()
    this.#region.style.minHeight = ""
    this.#show(kind, value)
    this.#supersede(old)
  }

  #show(kind, value) {
    if (kind === "stream") return this.#write(value)
    this.#stream = null
    if (kind === "bundle") this.#append(show(value.parts))
    else if (kind === "traceback") this.#append(traceback(value))
    else if (kind === "inputRequest") this.#ask(value)
    else if (kind === "element") this.#append(value)
    else if (kind === "files") this.#append(written(value))
    else if (kind === "truncated") this.#append(element("p", { class: "truncated", text: truncated(value) }))
  }

  #tellRefusal(text) {
    this.#refusal?.remove()
    this.#refusal = text ? element("p", { class: "failure", text }) : null
    if (text) this.#region.append(this.#refusal)
  }

  #write({ name, text }) {
    if (this.#stream?.name !== name) {
      this.#stream = { name, text: new StreamText(NAMES[name]) }
      this.#append(this.#stream.text.element)
    }
    for (let at = 0; at < text.length; at += PIECE) this.#stream.text.write(text.slice(at, at + PIECE))
  }

  #append(item) {
    this.#items.push(item)
    this.#region.append(item)
    while (this.#items.length > SHOWN_ITEMS) {
      const oldest = this.#items.shift()
      oldest.remove()
      this.#aside.push(oldest)
    }
    if (this.#aside.length) this.#tellElided()
  }

  #tellElided() {
    if (!this.#elided) {
      this.#elided = element("p", { class: "elided" }, element("span"),
        element("button", { type: "button", text: t("Show all"), onclick: () => this.#showEverything() }))
      this.#region.prepend(this.#elided)
    }
    const count = this.#aside.length
    this.#elided.firstChild.textContent = tn("{number} earlier output is not shown.", "{number} earlier outputs are not shown.", count, { number: figure(count) })
  }

  #showEverything() {
    this.#elided.replaceWith(...this.#aside)
    this.#elided = null
    this.#aside = []
    this.#items = []
  }

  #ask({ prompt, password }) {
    const input = element("input", { type: password ? "password" : "text", autocomplete: "off", spellcheck: false })
    const form = element("form", { class: "question" },
      element("label", {}, element("span", { text: prompt || t("Input") }), input),
      element("button", { text: t("Send") }))
    form.onsubmit = event => {
      event.preventDefault()
      this.#handlers.reply(input.value)
      this.#closeQuestion(password ? "••••" : input.value)
    }
    this.#append(form)
    this.#question = { form, prompt }
    if (this.#region.closest("section")?.contains(document.activeElement)) input.focus()
  }

  /** The form becomes a line that says what was asked and, if it was here, answered. */
  #closeQuestion(answer = "") {
    if (!this.#question) return
    const { form, prompt } = this.#question
    form.replaceWith(element("pre", { class: "stream answered", text: `${prompt}${answer}` }))
    this.#question = null
  }

  #finish(value) {
    this.#closeQuestion()
    if (value.status === Status.DIED) {
      this.#stream = null
      this.#append(element("p", { class: "failure", text: value.reason ? t("The session ended: {reason}", { reason: said(value.reason) }) : t("The session ended: no reason is known") }))
    }
    this.#region.style.minHeight = ""
    this.#handlers.finished(value)
  }

  /** Begin anew, but leave on the page what is there, until something can be seen instead. */
  #leave() {
    const old = [...this.#region.children]
    this.#empty()
    this.#region.append(...old)
    return old
  }

  /** Take away what the newest item stands for; an image, only when it has been read. */
  #supersede(old) {
    if (!old.length) return
    const item = this.#items.at(-1)
    const swap = () => {
      old.forEach(each => each.remove())
      if (item) item.hidden = false
    }
    if (!(item instanceof HTMLImageElement)) return swap()
    item.hidden = true
    item.onerror = swap
    item.addEventListener("load", swap, { once: true })
  }

  #empty() {
    this.#region.replaceChildren()
    this.#stream = this.#question = this.#elided = this.#refusal = null
    this.#items = []
    this.#aside = []
    this.#clearNext = false
  }
}

/** An error: the user's own lines of it, and the rest when it is asked for. */
function traceback({ name, value, text, short }) {
  const whole = text || [name, value].filter(Boolean).join(": ")
  const told = element("div", { class: "traceback" },
    element("pre", {}, ...styled(runs(short || whole).runs)))
  if (!short || short === whole) return told
  const details = element("details", {}, element("summary", { text: t("Full traceback") }))
  details.addEventListener("toggle", () => {
    details.append(element("pre", {}, ...styled(runs(whole).runs)))
  }, { once: true })
  told.append(details)
  return told
}

/** Files that the run has written, to be fetched while the session lives. */
function written({ files, more }) {
  const { files: folder = `${location.pathname}/files`, query = "" } = document.body.dataset
  const links = files.map(({ path, size }) => element("li", {},
    element("a", {
      href: `${folder}/${path.split("/").map(encodeURIComponent).join("/")}${query}`,
      target: "_blank", rel: "noopener", text: path,
    }), " ", element("small", { text: amount(Number(size), Unit.BYTES) })))
  if (more) links.push(element("li", { text: t("and {more} more", { more }) }))
  return element("ul", { class: "files", "aria-label": t("Files written") }, ...links)
}

function truncated({ limit, session }) {
  const megabytes = Math.round(Number(limit) / 1e5) / 10
  if (session) return t("Output truncated: all runs of this session together may send {megabytes} MB. Restart it to see more.", { megabytes })
  return t("Output truncated at {megabytes} MB, the run continues.", { megabytes })
}
