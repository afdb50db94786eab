// What screen readers say: a run has begun, ended, or failed.

const PAUSE = 300 // ms in which more that happens is said together

export class Announcer {
  #region
  #texts = []
  #timer = 0

  constructor(region) {
    this.#region = region
  }

  say(text) {
    this.#texts.push(text)
    this.#timer ||= setTimeout(() => {
      this.#timer = 0
      const told = this.#texts.length > 3 ? this.#texts.slice(-3) : this.#texts
      this.#region.textContent = told.join(". ")
      this.#texts = []
    }, PAUSE)
  }
}
