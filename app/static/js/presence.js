// Tells the server that a person is here, so that their session does not count as idle.

const OFTEN = 20_000 // ms between two messages while a person is busy
const SIGNS = ["pointerdown", "keydown", "wheel", "touchmove"]

export class Presence {
  #tell
  #told = 0

  /** `tell()` sends the message. */
  constructor(tell) {
    this.#tell = tell
    for (const sign of SIGNS) {
      document.addEventListener(sign, () => this.#seen(), { capture: true, passive: true })
    }
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.now()
    })
  }

  /** Somebody certainly is. */
  now() {
    this.#told = performance.now()
    this.#tell()
  }

  #seen() {
    if (performance.now() - this.#told > OFTEN) this.now()
  }
}
