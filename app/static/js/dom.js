// Elements in one call.

/** An element with these properties (class, text, aria-*, on*) and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value
    else if (key === "text") made.textContent = value
    else if (key.includes("-") || key === "role") made.setAttribute(key, value)
    else made[key] = value
  }
  made.append(...children)
  return made
}

/** Text nodes and spans for styled runs (ansi.js). */
export function styled(runs) {
  return runs.map(({ text, classes }) => classes ? element("span", { class: classes, text }) : text)
}
