// The panel with the worksheet's files: dropped, pasted or chosen they are uploaded.

import { element } from "./dom.js"
import * as dropbox from "./dropbox.js"
import { Upload } from "./upload.js"
import { amount } from "./usage.js"
import { Unit } from "./wire.js"
import { LOCALE, t } from "./words.js"

const SOON = 400 // ms after which a run's files are kept

export class Folder {
  #panel
  #base
  #announcer
  #list
  #meter
  #room
  #uploads
  #problem
  #said
  #chooser
  #timer = 0

  /** `panel`: the element that holds it; `base`: the worksheet's address. */
  constructor(panel, base, announcer) {
    this.#panel = panel
    this.#base = base
    this.#announcer = announcer
    this.#list = panel.querySelector(".list")
    this.#uploads = panel.querySelector(".uploads")
    this.#meter = panel.querySelector("meter")
    this.#room = panel.querySelector(".room")
    this.#problem = panel.querySelector("[role=alert]")
    this.#said = panel.querySelector("[role=status]")
    this.#chooser = panel.querySelector("input[type=file]")
    panel.querySelector(".close").onclick = () => this.toggle()
    panel.querySelector(".choose").onclick = () => this.#chooser.click()
    this.#chooser.onchange = () => {
      this.#take(this.#chooser.files)
      this.#chooser.value = ""
    }
    this.#listen()
  }

  get isOpen() {
    return !this.#panel.hidden
  }

  toggle() {
    this.#panel.hidden = !this.#panel.hidden
    if (!this.isOpen) return
    this.#panel.querySelector(".choose").focus()
    this.refresh()
  }

  /** A run may have written some. */
  refreshSoon() {
    clearTimeout(this.#timer)
    if (this.isOpen) this.#timer = setTimeout(() => this.refresh(), SOON)
  }

  async refresh() {
    try {
      const response = await fetch(`${this.#base}/files`, { headers: { Accept: "application/json" } })
      if (!response.ok) throw new Error(t("the site answers {status}", response))
      this.#show(await response.json())
    } catch (error) {
      this.#tell(t("The files can't be listed now: {why}.", { why: error.message }))
    }
  }

  #listen() {
    const hasFiles = event => event.dataTransfer?.types.includes("Files")
    document.addEventListener("dragover", event => {
      if (!hasFiles(event)) return
      event.preventDefault()
      document.body.classList.add("dropping")
    })
    document.addEventListener("dragleave", ({ relatedTarget }) => {
      if (!relatedTarget) document.body.classList.remove("dropping")
    })
    document.addEventListener("drop", event => {
      document.body.classList.remove("dropping")
      if (!hasFiles(event)) return
      event.preventDefault()
      this.#take(event.dataTransfer.files)
    }, { capture: true })
    document.addEventListener("paste", event => {
      const { files } = event.clipboardData
      if (!files.length || event.clipboardData.types.includes("text/plain")) return
      event.preventDefault()
      this.#take(files)
    }, { capture: true })
    document.addEventListener("visibilitychange", () => !document.hidden && this.isOpen && this.refresh())
  }

  /** Upload what was chosen, dropped or pasted. */
  #take(files) {
    if (!files.length) return
    if (!this.isOpen) this.toggle()
    this.#tell("")
    for (const file of files) this.#upload(file)
  }

  #upload(file) {
    const bar = element("progress", { max: 1, value: 0, "aria-label": t("Upload of {name}", file) })
    const note = element("small")
    const cancel = element("button", { type: "button", text: t("Cancel"), "aria-label": t("Cancel the upload of {name}", file) })
    const line = element("li", {}, element("span", { text: file.name }), bar, note, cancel)
    this.#uploads.append(line)
    const upload = new Upload(this.#base, file, file.name, {
      progress: (share, text) => {
        if (share !== null) bar.value = share
        const size = amount(file.size, Unit.BYTES)
        note.textContent = text || t("{percent} % of {size}", { percent: Math.floor(100 * bar.value), size })
      },
      ended: problem => {
        line.remove()
        if (problem && problem !== "cancelled") this.#tell(`${file.name}: ${problem}`)
        if (!problem) this.#announcer.say(t("{name} is uploaded", file))
        this.refresh()
      },
    })
    cancel.onclick = () => upload.cancel()
  }

  #show({ files, used, limit }) {
    this.#meter.max = limit
    this.#meter.value = used
    this.#room.textContent = t("{used} of {allowed}", { used: amount(used, Unit.BYTES), allowed: amount(limit, Unit.BYTES) })
    const lines = files.map(file => this.#line(file))
    if (!lines.length) lines.push(element("li", { class: "none", text: t("Files that are dropped here, or that code writes, are kept with the worksheet. Code opens them by name.") }))
    this.#list.replaceChildren(...lines)
  }

  #line({ path, size, changed }) {
    const href = `${this.#base}/files/${path.split("/").map(encodeURIComponent).join("/")}`
    const does = (text, name, action) => element("button", { type: "button", text, "aria-label": name, onclick: action })
    const time = new Date(changed).toLocaleString(LOCALE)
    return element("li", {},
      element("a", { href, text: path, title: t("Download; changed {time}", { time }) }),
      element("small", { text: amount(size, Unit.BYTES) }),
      ...dropbox.isThere() ? [does(t("To Dropbox"), t("Save {path} to Dropbox", { path }), () => this.#saveToDropbox(path))] : [],
      does(t("Rename"), t("Rename {path}", { path }), () => this.#rename(path)),
      does(t("Delete"), t("Delete {path}", { path }), () => this.#delete(path)))
  }

  async #saveToDropbox(path) {
    this.#tell("")
    const bar = element("progress", { max: 1, "aria-label": t("Saving {path} to Dropbox", { path }) })
    const line = element("li", {}, element("span", { text: path }), bar)
    this.#uploads.append(line)
    const { said, problem } = await dropbox.save(this.#base, path, share => {
      if (share !== null) bar.value = share
    })
    line.remove()
    this.#tell(problem ?? "", said)
  }

  #rename(path) {
    const to = prompt(t("Another name for {path}:", { path }), path)?.trim()
    if (to && to !== path) this.#change("rename", { path, to })
  }

  #delete(path) {
    if (confirm(t("Delete {path}? It can't be brought back.", { path }))) this.#change("delete", { path })
  }

  async #change(action, fields) {
    this.#tell("")
    try {
      const body = new URLSearchParams(fields)
      const response = await fetch(`${this.#base}/folder/${action}`, { method: "POST", body, headers: { Accept: "text/plain" } })
      if (!response.ok) this.#tell((await response.text()).trim())
    } catch {
      this.#tell(t("The site can't be reached: try again when you are online."))
    }
    this.refresh()
  }

  #tell(problem, said = "") {
    this.#problem.textContent = problem
    this.#said.textContent = said
  }
}
