// The panel with examples by subject: searched, put into the worksheet, run there. A name of
// Sage's that is searched for is explained, too.

import { element } from "./dom.js"
import { Explanation } from "./explanation.js"
import { hasWords } from "./search.js"
import { t, tn } from "./words.js"

const NAME = /^[A-Za-z_][\w.]*$/

export class Guide {
  #panel
  #handlers
  #query
  #list
  #note
  #explain
  #explanation
  #subjects = null // once they were asked for

  /**
   * `panel`: the element. `handlers`: insert(code), run(code) as a cell; inspect(panel, name)
   * asks for help, which is given to `help` or told to `tell`; closed(); otherLanguage() of the
   * session, "" if it is Sage or not known.
   */
  constructor(panel, handlers) {
    this.#panel = panel
    this.#handlers = handlers
    this.#query = panel.querySelector("input")
    this.#list = panel.querySelector(".subjects")
    this.#note = panel.querySelector("[role=status]")
    this.#explain = panel.querySelector(".explain")
    this.#explanation = new Explanation(this.#list, { closed: () => this.#query.focus(), tried: handlers.insert })
    const bar = document.querySelector(".bar") // may have one row or several
    new ResizeObserver(() => panel.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar)
    panel.querySelector(".close").onclick = () => this.toggle()
    this.#query.oninput = () => this.#search()
    this.#explain.onclick = () => handlers.inspect(this, this.#query.value.trim())
    panel.addEventListener("keydown", event => event.key === "Escape" && this.#leave())
  }

  get isOpen() {
    return !this.#panel.hidden
  }

  async toggle() {
    this.#panel.hidden = !this.#panel.hidden
    if (!this.isOpen) return this.#handlers.closed()
    this.#query.select()
    this.#query.focus()
    if (!this.#subjects) await this.#load()
  }

  help(reply) {
    this.tell("")
    this.#explanation.show(reply)
  }

  tell(text) {
    this.#note.textContent = text
  }

  async #load() {
    this.tell(t("loading …"))
    try {
      const answer = await fetch("/examples")
      if (!answer.ok) throw new Error(answer.statusText)
      this.#subjects = await answer.json()
    } catch {
      return this.tell(t("The examples can't be had now: open this panel again when there is a connection."))
    }
    this.#search()
  }

  #leave() {
    if (this.#explanation.isOpen) this.#explanation.close(true)
    else this.toggle()
  }

  #search() {
    const query = this.#query.value.trim()
    this.#explanation.close()
    this.#explain.hidden = !NAME.test(query)
    this.#explain.textContent = t("What is {name}?", { name: query })
    if (!this.#subjects) return
    const found = this.#subjects
      .map(({ title, examples }) => ({ title, examples: examples.filter(each => isFound(title, each, query)) }))
      .filter(({ examples }) => examples.length)
    const count = found.reduce((sum, { examples }) => sum + examples.length, 0)
    const other = this.#handlers.otherLanguage()
    const warning = other && t("These examples are for Sage; here is {other}.", { other })
    this.tell(query ? tn("{count} example", "{count} examples", count) : warning)
    this.#list.replaceChildren(...found.map(subject => this.#subject(subject, Boolean(query))))
  }

  #subject({ title, examples }, open) {
    const made = element("details", { open }, element("summary", { text: title, lang: "en" }))
    const fill = () => made.childElementCount > 1 || made.append(...examples.map(each => this.#example(each)))
    if (open) fill()
    made.addEventListener("toggle", fill)
    return made
  }

  #example({ title, text, code }) {
    const does = (text, name, act) => element("button", { type: "button", text, "aria-label": name, onclick: () => act(code) })
    const { insert, run } = this.#handlers
    return element("article", { "aria-label": title, lang: "en" },
      element("h3", { text: title }), rendered(text),
      element("pre", { text: code, tabIndex: 0 }),
      element("p", { lang: document.documentElement.lang }, does(t("Insert"), t("Insert “{title}”", { title }), insert), " ", does(t("Run"), t("Run “{title}”", { title }), run)))
  }
}

/** Whether each word is somewhere in an example. */
function isFound(subject, { title, text, code }, query) {
  return hasWords(`${subject} ${title} ${text} ${code}`, query)
}

/** Markdown, as soon as what shows it is loaded. */
function rendered(source) {
  const made = element("div", { class: "prose", text: source })
  import("./prose.js").then(async ({ prose }) => made.replaceChildren(...await prose(source)), () => {})
  return made
}
