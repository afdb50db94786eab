// Questions to the session and their answers: completions and inspections.

import { uuid } from "./ids.js"
import { said, t } from "./words.js"

const PARTIAL = t("the session is computing: this is what Sage itself has, without your names")

export class Questions {
  #send
  #waiting = new Map() // by request: who gets the answer

  /** `send(kind, value)` says whether it could be sent. */
  constructor(send) {
    this.#send = send
  }

  async complete(cell, code, cursor) {
    const reply = await this.#ask("complete", { code, cursor })
    if (reply?.busy || reply?.reason) cell.tell(said(reply.reason) || t("no completion while the session computes"))
    else if (reply?.partial) cell.tell(PARTIAL)
    return reply
  }

  async inspect(cell, code, cursor) {
    const reply = await this.#ask("inspect", { code, cursor })
    if (reply?.found) cell.help(reply)
    if (reply?.partial) cell.tell(PARTIAL)
    else if (reply && !reply.found) cell.tell(said(reply.reason) || (reply.busy ? t("no help while the session computes") : t("no help on this")))
  }

  /** A promise of the answer; null when there will be none. */
  #ask(kind, question) {
    const request = uuid()
    if (!this.#send(kind, { request, ...question })) return Promise.resolve(null)
    return new Promise(resolve => this.#waiting.set(request, resolve))
  }

  /** Give an answer to who asked; whether somebody had. */
  answer(request, reply) {
    const resolve = this.#waiting.get(request)
    this.#waiting.delete(request)
    resolve?.(reply)
    return Boolean(resolve)
  }

  /** There will be no answers. */
  giveUp() {
    for (const request of [...this.#waiting.keys()]) this.answer(request, null)
  }
}
