// Markdown cells: what a person has written, with formulas, as a part of the page.
//
// A worksheet may come from elsewhere, so what Markdown makes is cleaned: no scripts, styles,
// forms or frames remain, names get a prefix, and pictures are only those within the text.

import DOMPurify from "dompurify"
import { parseMarkdown } from "./markdown.js"
import { hasFormulas, loadKatex, typesetIn } from "./latex.js"

const OPTIONS = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: ["style", "form", "input", "button", "select", "textarea", "option", "dialog", "audio", "video", "source", "track"],
  FORBID_ATTR: ["style", "class", "srcset", "popover", "popovertarget", "tabindex", "contenteditable", "accesskey", "autofocus", "is", "slot"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  SANITIZE_NAMED_PROPS: true,
  RETURN_DOM_FRAGMENT: true,
}

/** A promise of the elements of Markdown `source`. */
export function prose(source) {
  return cleaned(parseMarkdown(source))
}

/** The same of HTML from elsewhere, made harmless, with the formulas in it typeset. */
export async function cleaned(html) {
  const made = DOMPurify.sanitize(html, OPTIONS)
  for (const link of made.querySelectorAll("a[href]")) {
    if (link.getAttribute("href").startsWith("#")) continue
    link.target = "_blank"
    link.rel = "noopener noreferrer"
  }
  for (const image of made.querySelectorAll("img")) {
    if (!image.src.startsWith("data:image/")) image.replaceWith(image.alt || "Picture")
  }
  const holder = document.createElement("div")
  holder.append(made)
  if (hasFormulas(holder.textContent)) await loadKatex()
  typesetIn(holder)
  return [...holder.childNodes]
}
