// Menus: a button, and below it what can be done, made when it is opened.

import { element } from "./dom.js"

let open = null

/**
 * Let `button` open a menu. `items()` gives {text, keys, checked, disabled, does(), href} for
 * each line, null for a rule between two; `checked` is undefined where nothing is on or off.
 */
export function giveMenu(button, items) {
  button.setAttribute("aria-haspopup", "menu")
  button.setAttribute("aria-expanded", "false")
  button.addEventListener("click", () => open?.button === button ? close() : show(button, items()))
  button.addEventListener("keydown", event => {
    if (event.key !== "ArrowDown") return
    event.preventDefault()
    show(button, items())
  })
}

function show(button, items) {
  close()
  const list = element("div", { class: "menu-list", role: "menu", "aria-label": button.getAttribute("aria-label") })
  list.append(...items.map(item => item ? line(item) : element("hr")))
  list.addEventListener("keydown", event => move(event, list))
  button.after(list)
  button.setAttribute("aria-expanded", "true")
  open = { button, list }
  // Above the button where there is no room below it
  if (list.getBoundingClientRect().bottom > innerHeight && button.getBoundingClientRect().top > innerHeight / 2) list.classList.add("up")
  list.querySelector(":scope > :not(:disabled, hr)")?.focus()
}

function line({ text, keys = "", checked, disabled = false, does, href }) {
  const label = [element("span", { text }), element("kbd", { text: keys })]
  if (href) return element("a", { role: "menuitem", href, onclick: () => close() }, ...label)
  const made = element("button", {
    type: "button", disabled, role: checked === undefined ? "menuitem" : "menuitemcheckbox",
    onclick: () => {
      close(true)
      does()
    },
  }, ...label)
  if (checked !== undefined) made.setAttribute("aria-checked", checked)
  return made
}

function move(event, list) {
  const lines = [...list.querySelectorAll(":scope > :not(:disabled, hr)")]
  const at = lines.indexOf(document.activeElement)
  const goals = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }
  if (event.key === "Escape") close(true)
  else if (event.key === "Tab") return close()
  else if (event.key in goals) lines[(goals[event.key] + lines.length) % lines.length].focus()
  else return
  event.preventDefault()
  event.stopPropagation()
}

function close(refocus = false) {
  if (!open) return
  open.list.remove()
  open.button.setAttribute("aria-expanded", "false")
  if (refocus) open.button.focus()
  open = null
}

document.addEventListener("pointerdown", ({ target }) => {
  if (open && !open.list.contains(target) && !open.button.contains(target)) close()
})
