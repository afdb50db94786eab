// What the session has used of what it may: a line in the bar, and all of it on demand.

import { element } from "./dom.js"
import { Unit } from "./wire.js"
import { figure, said, t } from "./words.js"

const UNITS = [t("bytes"), "kB", "MB", "GB", "TB"]
const IN_SHORT = ["memory", "CPU time"]

export class UsageView {
  #details
  #summary
  #table
  #latest = null

  /** `details`: a <details> with a <summary> and a <table>. */
  constructor(details) {
    this.#details = details
    this.#summary = details.querySelector("summary")
    this.#table = details.querySelector("tbody")
    details.addEventListener("toggle", () => this.#showAll())
    document.addEventListener("click", event => {
      if (!details.contains(event.target)) details.open = false
    })
    details.addEventListener("keydown", event => {
      if (event.key !== "Escape") return
      details.open = false
      this.#summary.focus()
    })
  }

  /** Show a Usage message; null: there is no session. */
  show(usage) {
    this.#latest = usage
    this.#details.hidden = !usage
    if (!usage) return
    const short = usage.meters.filter(({ what }) => IN_SHORT.includes(what))
    const text = short.map(meter => amount(meter.used, meter.unit)).join(" · ")
    if (this.#summary.textContent !== text) this.#summary.textContent = text
    const near = usage.meters.some(({ used, allowed }) => allowed && used > 0.9 * allowed)
    this.#details.classList.toggle("near", near)
    this.#showAll()
  }

  #showAll() {
    if (!this.#details.open || !this.#latest) return
    this.#table.replaceChildren(...this.#latest.meters.map(row))
  }
}

function row({ what: name, used, allowed, unit }) {
  const what = said(name)
  const gauge = allowed
    ? element("meter", { min: 0, max: allowed, value: Math.min(used, allowed), "aria-label": what })
    : ""
  const left = allowed && unit === Unit.SECONDS ? t("{amount} left", { amount: amount(Math.max(0, allowed - used), unit) }) : ""
  const figures = { used: amount(used, unit), allowed: amount(allowed, unit) }
  const told = allowed ? t("{used} of {allowed}", figures) : figures.used
  return element("tr", {},
    element("th", { scope: "row", text: what }),
    element("td", { text: told }),
    element("td", {}, gauge, left && element("small", { text: left })))
}

/** 1234567 bytes → "1.2 MB", 90 seconds → "90 s". */
export function amount(value, unit) {
  if (unit === Unit.BYTES) return bytes(value)
  if (unit === Unit.SECONDS) return seconds(value)
  return figure(value)
}

function bytes(count) {
  let step = 0
  while (count >= 999.5 && step < UNITS.length - 1) {
    count /= 1000
    step += 1
  }
  return `${figure(count, step ? 1 : 0)} ${UNITS[step]}`
}

export function seconds(count) {
  if (count < 120) return t("{count} s", { count: figure(count, count < 10 ? 1 : 0) })
  if (count < 7200) return t("{count} min", { count: Math.round(count / 60) })
  return t("{count} h", { count: figure(count / 3600, 1) })
}
