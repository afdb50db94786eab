// Which frames this page has seen, so that each is shown once. Pure.
//
// Frames are numbered within a session and arrive in order, the stored ones of earlier
// sessions first. After an interruption the page asks for what follows the last frame it
// has of the session that is alive; what it gets twice it drops here.

export class Timeline {
  #seen = new Map()
  #live = ""
  #resumed = ""

  /** Whether a frame is new, which it then is no longer. */
  accept({ session, seq }) {
    if (seq <= (this.#seen.get(session) ?? 0n)) return false
    this.#seen.set(session, seq)
    if (session === this.#live) this.#resumed = session
    return true
  }

  /** From now on `session` ("" for none) is the one that serves the worksheet. */
  follow(session) {
    this.#live = session
    if (this.#seen.has(session)) this.#resumed = session
  }

  /** Where to go on: the session, and the last frame that is known of it. */
  get position() {
    return { session: this.#resumed, after: this.#seen.get(this.#resumed) ?? 0n }
  }
}
