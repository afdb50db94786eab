// The text of a cell, which others may edit at the same time: a Yjs document of one text.
// Edits merge, in any order and however often they come, so nothing is lost or doubled.

import {
  Doc, UndoManager, applyUpdate, createAbsolutePositionFromRelativePosition,
  createRelativePositionFromTypeIndex, decodeRelativePosition, encodeRelativePosition,
  encodeStateAsUpdate, encodeStateVectorFromUpdate,
} from "codemirror"

const ELSEWHERE = "elsewhere"
const LARGE = 64 * 1024 // bytes of news in which much may be text that was deleted again

export class SharedText {
  #doc = new Doc()
  #stored = null // what the server has, as a state vector
  #isGuess = false

  /** How often it was edited here. */
  edits = 0
  /** Called when it is. */
  edited = () => {}

  constructor() {
    this.text = this.#doc.getText("code")
    this.undo = new UndoManager(this.text, { trackedOrigins: new Set() })
    this.#doc.on("update", (update, origin) => {
      if (origin === ELSEWHERE) return
      this.edits++
      this.edited()
    })
  }

  /** A text that begins here. */
  static of(code) {
    const made = new SharedText()
    if (code) made.text.insert(0, code)
    return made
  }

  /** One that the server has. */
  static stored(state) {
    const made = new SharedText()
    made.take(state)
    return made
  }

  /** One that was kept in this browser. */
  static kept(state) {
    const made = new SharedText()
    made.merge(state)
    return made
  }

  /** One of which only the code is known, until the server tells. */
  static guessed(code) {
    const made = SharedText.of(code)
    made.edits = 0
    made.#isGuess = true
    return made
  }

  /** Take what the server has. */
  take(state) {
    if (this.#isGuess && !this.edits) {
      this.#doc.transact(() => this.text.delete(0, this.text.length), ELSEWHERE)
    }
    this.#isGuess = false
    this.merge(state)
    this.#stored = encodeStateVectorFromUpdate(state)
  }

  /** Take what was edited elsewhere, or here before. */
  merge(state) {
    applyUpdate(this.#doc, state, ELSEWHERE)
  }

  /** All there has been. */
  get state() {
    return encodeStateAsUpdate(this.#doc)
  }

  /** What the server may lack. */
  get news() {
    const news = encodeStateAsUpdate(this.#doc, this.#stored ?? undefined)
    return news.length < LARGE ? news : swept(this.state, this.#stored ?? undefined)
  }

  /** A place in it that stays where it is in the text, whatever is edited. */
  anchor(offset) {
    return encodeRelativePosition(createRelativePositionFromTypeIndex(this.text, offset))
  }

  /** The offset of such a place; null if that is not here yet. */
  offset(anchor) {
    try {
      return createAbsolutePositionFromRelativePosition(decodeRelativePosition(anchor), this.#doc)?.index ?? null
    } catch {
      return null // it makes no sense
    }
  }
}

/** What is new since `stored`, without text that was deleted: Undo keeps that here. */
function swept(state, stored) {
  const doc = new Doc()
  applyUpdate(doc, state)
  return encodeStateAsUpdate(doc, stored)
}
