// One file on its way into the worksheet's folder: piece by piece, so that it goes on where it
// was after the network was away, or the page was loaded again and the file chosen again.

import { t } from "./words.js"
const PIECE = 1 << 19 // bytes, as in app/folders.py
const FIRST_WAIT = 500 // ms
const LONGEST_WAIT = 10_000

export class Upload {
  #base
  #file
  #path
  #handlers
  #id = ""
  #over = false

  /**
   * `base`: the worksheet's address; `path`: in the folder. `handlers`: progress(share, text),
   * ended(problem), which is empty when all of it is there.
   */
  constructor(base, file, path, handlers) {
    this.#base = base
    this.#file = file
    this.#path = path
    this.#handlers = handlers
    this.#run()
  }

  cancel() {
    this.#over = true
    if (this.#id) fetch(`${this.#base}/uploads/${this.#id}/cancel`, { method: "POST" }).catch(() => {})
    this.#handlers.ended("cancelled")
  }

  async #run() {
    let answer = null
    let wait = FIRST_WAIT
    while (!this.#over) {
      const { done, problem } = await this.#step(answer)
      if (this.#over) return
      if (problem) return this.#end(problem)
      if (done) {
        answer = done
        wait = FIRST_WAIT
        this.#id = answer.id
        this.#handlers.progress(this.#file.size ? answer.received / this.#file.size : 1, "")
        if (answer.complete) return this.#end("")
      } else {
        answer = null // what has arrived is asked first
        this.#handlers.progress(null, t("waiting for the network"))
        await new Promise(resolve => setTimeout(resolve, wait))
        wait = Math.min(2 * wait, LONGEST_WAIT)
      }
    }
  }

  #end(problem) {
    this.#over = true
    this.#handlers.ended(problem)
  }

  /** Begin, or go on after `answer`: {done}, {problem}, or nothing if it should be tried again. */
  async #step(answer) {
    try {
      const response = answer ? await this.#send(answer) : await this.#begin()
      if (response.ok) return { done: await response.json() }
      if (response.status >= 500 || response.status === 429) return {}
      return { problem: (await response.text()).trim() }
    } catch (error) {
      if (error.name === "NotReadableError" || error.name === "NotFoundError") return { problem: t("the file has changed or gone") }
      return {}
    }
  }

  #begin() {
    const { size, lastModified } = this.#file
    const body = new URLSearchParams({ path: this.#path, size, mark: `${size} ${lastModified}` })
    return fetch(`${this.#base}/uploads`, { method: "POST", body, headers: { Accept: "text/plain" } })
  }

  async #send({ id, received }) {
    // Read first: a file that has changed is then no trouble of the network
    const body = await this.#file.slice(received, received + PIECE).arrayBuffer()
    const headers = { Accept: "text/plain", "Content-Type": "application/octet-stream" }
    return fetch(`${this.#base}/uploads/${id}?start=${received}`, { method: "POST", body, headers })
  }
}
