// The controls of an interact, each as an element that shows a value and tells of a new one.
//
// A value is what app/sage/controls.py calls an answer: the place of what was chosen, or what
// was typed. Options come from user code: whatever they are, they only become text.

import { element } from "./dom.js"
import { loadKatex, typeset } from "./latex.js"
import { show } from "./bundle.js"
import { numberAt } from "./steps.js"
import { t } from "./words.js"

const MATH = /\$([^$]+)\$/

/** Text with what stands between dollars typeset. */
function mathText(text) {
  return text.split(MATH).map((piece, index) => index % 2 ? inlineMath(piece) : piece)
}

function inlineMath(source) {
  const place = element("span", { class: "inline-math", text: source })
  loadKatex().then(() => {
    const formula = typeset(`$${source}$`)
    if (formula) place.replaceChildren(...formula.childNodes)
  })
  return place
}

/**
 * The control that a message describes, showing `value`. `handlers`: changed() when the person
 * has chosen another, entered() when they have pressed Enter in a box.
 */
export function makeControl({ label, kind, options }, value, handlers) {
  const Kind = KINDS[kind] ?? Text
  const control = new Kind(plainLabel(label), options, handlers)
  control.element.classList.add("control", `control-${kind}`)
  if (label && kind !== "text") {
    control.element.prepend(element("span", { class: "control-label", "aria-hidden": "true" }, ...mathText(label)))
  }
  control.value = value
  return control
}

function plainLabel(label) {
  return label.replaceAll("$", "").trim() || t("value")
}

class Control {
  /** `name`: "label" where a click on the label is meant for the one input. */
  constructor(parts, name = "div") {
    this.element = element(name, {}, ...parts)
  }

  set disabled(disabled) {
    for (const part of this.element.querySelectorAll("input, select, textarea, button")) part.disabled = disabled
  }
}

class Slider extends Control {
  #input
  #readout
  #options

  constructor(label, options, { changed }) {
    const input = element("input", { type: "range", min: 0, max: options.count - 1, step: 1, "aria-label": label })
    const readout = element("output", { class: "readout" })
    super([input, ...(options.readout ? [readout] : [])], "label")
    this.#input = input
    this.#readout = readout
    this.#options = options
    readout.style.minWidth = `${widest(options)}ch`
    input.oninput = () => {
      this.#tell()
      changed()
    }
  }

  get value() {
    return Number(this.#input.value)
  }

  set value(place) {
    this.#input.value = place
    this.#tell()
  }

  #tell() {
    const text = named(this.#options, this.value)
    this.#readout.textContent = text
    this.#input.setAttribute("aria-valuetext", text)
  }
}

class Range extends Control {
  #ends
  #readout
  #track
  #options

  constructor(label, options, { changed }) {
    const end = name => element("input", {
      type: "range", min: 0, max: options.count - 1, step: 1, "aria-label": name,
    })
    const ends = [end(t("{label}, from", { label })), end(t("{label}, to", { label }))]
    const track = element("div", { class: "two-ends" }, ...ends)
    const readout = element("output", { class: "readout" })
    super([track, ...(options.readout ? [readout] : [])])
    this.#ends = ends
    this.#readout = readout
    this.#track = track
    this.#options = options
    readout.style.minWidth = `${2 * widest(options) + 3}ch`
    ends.forEach((input, index) => input.oninput = () => {
      const other = ends[1 - index]
      const crossed = index === 0 ? Number(input.value) > Number(other.value) : Number(input.value) < Number(other.value)
      if (crossed) input.value = other.value
      this.#tell()
      changed()
    })
  }

  get value() {
    return this.#ends.map(input => Number(input.value))
  }

  set value(places) {
    this.#ends.forEach((input, index) => input.value = places[index])
    this.#tell()
  }

  #tell() {
    const [from, to] = this.value
    const texts = [from, to].map(place => named(this.#options, place))
    this.#ends.forEach((input, index) => input.setAttribute("aria-valuetext", texts[index]))
    this.#readout.textContent = texts.join(" … ")
    const share = place => `${100 * place / Math.max(1, this.#options.count - 1)}%`
    this.#track.style.setProperty("--from", share(from))
    this.#track.style.setProperty("--to", share(to))
    // The end that has room to move lies above
    this.#ends[0].style.zIndex = from > (this.#options.count - 1) / 2 ? 1 : 0
  }
}

class Select extends Control {
  #select

  constructor(label, { labels }, { changed }) {
    const select = element("select", { "aria-label": label },
      ...labels.map((text, place) => element("option", { value: place, text })))
    super([select], "label")
    this.#select = select
    select.onchange = () => changed()
  }

  get value() {
    return Number(this.#select.value)
  }

  set value(place) {
    this.#select.value = place
  }
}

class Buttons extends Control {
  #buttons
  #value = 0

  constructor(label, { labels, columns }, { changed }) {
    const buttons = labels.map((text, place) => element("button", {
      type: "button", onclick: () => {
        this.value = place
        changed() // also when it was chosen already: the function is called again
      },
    }, ...mathText(text)))
    const bar = element("div", { class: "choices", role: "group", "aria-label": label }, ...buttons)
    bar.style.setProperty("--columns", columns || "none")
    bar.classList.toggle("in-columns", columns > 0)
    super([bar])
    this.#buttons = buttons
  }

  get value() {
    return this.#value
  }

  set value(place) {
    this.#value = place
    this.#buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === place)))
  }
}

let groups = 0

class Radio extends Control {
  #inputs

  constructor(label, { labels }, { changed }) {
    const name = `radio-${++groups}`
    const inputs = labels.map((text, place) => element("input", { type: "radio", name, onchange: () => changed() }))
    super([element("div", { class: "choices", role: "radiogroup", "aria-label": label },
      ...inputs.map((input, place) => element("label", {}, input, ...mathText(labels[place]))))])
    this.#inputs = inputs
  }

  get value() {
    return this.#inputs.findIndex(input => input.checked)
  }

  set value(place) {
    this.#inputs.forEach((input, index) => input.checked = index === place)
  }
}

class Checkbox extends Control {
  #input

  constructor(label, options, { changed }) {
    const input = element("input", { type: "checkbox", "aria-label": label })
    super([input], "label")
    this.#input = input
    input.onchange = () => changed()
  }

  get value() {
    return this.#input.checked
  }

  set value(on) {
    this.#input.checked = on
  }
}

/** A box to type in; what is being typed is not overwritten from elsewhere. */
class Box {
  #written = ""

  constructor(label, { evaluated = true, width, lines = 1 }, { changed, entered }) {
    const properties = {
      "aria-label": label, spellcheck: false, autocomplete: "off", autocapitalize: "off",
      class: evaluated ? "box code" : "box",
    }
    const several = lines > 1
    this.element = several
      ? element("textarea", { ...properties, rows: lines })
      : element("input", { ...properties, type: "text" })
    this.element.style.width = `${width + 3}ch`
    const tell = () => {
      if (this.value === this.#written) return
      this.#written = this.value
      changed()
    }
    this.element.onchange = tell
    this.element.onkeydown = event => {
      if (event.key !== "Enter" || (several && !event.ctrlKey && !event.metaKey && !event.shiftKey)) return
      event.preventDefault()
      event.stopPropagation()
      tell()
      entered()
    }
  }

  get value() {
    return this.element.value
  }

  set value(text) {
    const typing = document.activeElement === this.element && this.value !== this.#written
    this.#written = text
    if (!typing && this.value !== text) this.element.value = text
  }

  /** What was last told of. */
  get written() {
    return this.#written
  }
}

class Input extends Control {
  #box

  constructor(label, options, { changed, entered }) {
    const box = new Box(label, options, { changed, entered })
    super([box.element], "label")
    this.#box = box
  }

  get value() {
    return this.#box.written
  }

  set value(text) {
    this.#box.value = text
  }
}

class Grid extends Control {
  #rows

  constructor(label, { rows, columns, width }, { changed, entered }) {
    const boxes = Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) =>
      new Box(t("{label}, row {row}, column {column}", { label, row: row + 1, column: column + 1 }), { width }, { changed, entered })))
    super([element("div", { class: "grid", role: "group", "aria-label": label },
      ...boxes.map(row => element("div", {}, ...row.map(box => box.element))))])
    this.#rows = boxes
  }

  get value() {
    return this.#rows.map(row => row.map(box => box.written))
  }

  set value(texts) {
    this.#rows.forEach((row, index) => row.forEach((box, column) => box.value = texts[index][column]))
  }
}

class Colour extends Control {
  #picker
  #box

  constructor(label, { box }, { changed, entered }) {
    const picker = element("input", { type: "color", "aria-label": label })
    const text = new Box(t("{label}, as text", { label }), { width: 7 }, {
      entered,
      changed: () => {
        const colour = /^#?([0-9a-f]{6})$/i.exec(text.value.trim())
        this.value = colour ? `#${colour[1].toLowerCase()}` : picker.value
        if (colour) changed()
      },
    })
    super([picker, ...(box ? [text.element] : [])])
    this.#picker = picker
    this.#box = text
    picker.oninput = () => {
      this.#box.value = picker.value
      changed()
    }
  }

  get value() {
    return this.#picker.value
  }

  set value(colour) {
    this.#picker.value = colour
    this.#box.value = colour
    this.#box.element.value = colour
  }
}

/** True in the update that it was pressed for. */
class Button extends Control {
  value = false

  constructor(label, { text }, { changed }) {
    super([element("button", { type: "button" }, ...mathText(text))])
    this.element.firstChild.onclick = () => {
      this.value = true
      changed()
    }
  }
}

class Text extends Control {
  value = null

  constructor(label, { form, text = "", level }) {
    super([written(form, text, level)])
  }
}

function written(form, text, level) {
  if (form === "heading") {
    return element("p", { class: "heading-text", role: "heading", "aria-level": level + 1 }, ...mathText(text))
  }
  if (form === "rule") return element("hr")
  if (form === "html") return show([{ type: "text/html", data: new TextEncoder().encode(text) }])
  return element("p", {}, ...mathText(text))
}

const KINDS = {
  slider: Slider, range: Range, select: Select, buttons: Buttons, radio: Radio, checkbox: Checkbox,
  input: Input, grid: Grid, colour: Colour, button: Button, text: Text,
}

/** What a place of a slider stands for, as text. */
function named(options, place) {
  return options.labels ? options.labels[place] ?? "" : numberAt(options, place)
}

/** How many characters the longest of a slider's texts has, about. */
function widest(options) {
  const texts = options.labels ?? [0, 1, options.count >> 1, options.count - 2, options.count - 1]
    .map(place => numberAt(options, place))
  return Math.min(24, Math.max(...texts.map(text => text.length)))
}
