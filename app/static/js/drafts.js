// What was typed and is not stored yet, kept in this browser until it is.
//
// Tabs of one browser share the storage. A tab takes up its own drafts at once (after a
// reload), but those of another only when they have come to rest: that tab may be alive
// and about to store something newer.

import { uuid } from "./ids.js"

export const REST = 2000 // ms

export class Drafts {
  #prefix
  #titled
  #tab

  constructor(worksheet) {
    this.#titled = `salvus:title:${worksheet}`
    this.#prefix = `salvus:draft:${worksheet}:`
    this.#tab = sessionStorage.getItem("salvus:tab") ?? uuid()
    sessionStorage.setItem("salvus:tab", this.#tab)
  }

  /**
   * Keep the draft of a cell, with the state of its text; false if this browser can't (storage
   * full or forbidden).
   */
  keep(cell, content, state) {
    const text = toBase64(state)
    return write(this.#prefix + cell, JSON.stringify({ ...content, text, tab: this.#tab, time: Date.now() }))
  }

  drop(cell) {
    localStorage.removeItem(this.#prefix + cell)
  }

  /** A title that is not stored yet, null if there is none. */
  get title() {
    return localStorage.getItem(this.#titled)
  }

  set title(title) {
    if (title === null) localStorage.removeItem(this.#titled)
    else write(this.#titled, title)
  }

  /** [{cell, content, state}] that nobody else is about to store; `state` null if it was not kept. */
  restored() {
    const found = []
    for (const [key, text] of Object.entries(localStorage)) {
      if (!key.startsWith(this.#prefix)) continue
      const { tab, time, text: state, ...content } = JSON.parse(text)
      if (tab !== this.#tab && Math.abs(Date.now() - time) < REST) continue
      found.push({ cell: key.slice(this.#prefix.length), content, state: state ? fromBase64(state) : null })
    }
    return found
  }
}

function toBase64(bytes) {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0))
}

function write(key, text) {
  try {
    localStorage.setItem(key, text)
  } catch {
    return false
  }
  return true
}
