// The network: one WebSocket to the app server, for as long as the page is open.
//
// It comes back by itself after any interruption, waiting longer after each failure, and
// at once when the network or the page's tab returns. A silent connection is taken for
// dead. The sender of frames is told how far they were taken in (Ack), which is what lets
// it go on: it holds back a reader that lags.

import { amount } from "./usage.js"
import { Unit, pack, unpack } from "./wire.js"
import { t } from "./words.js"

const PING_EVERY = 15_000 // ms
const ANSWER_WITHIN = 5_000
const FIRST_WAIT = 250
const LONGEST_WAIT = 10_000
const ACK_BYTES = 128 * 1024
const ACK_AFTER = 200 // ms
const SENT_AWAY = 4403 // close code: the page may not stay open
const LARGEST = Number(document.body.dataset.largest) // bytes of a message to the server

export class Socket {
  #url
  #handlers
  #socket = null
  #failures = 0
  #retry = 0
  #ping = 0
  #deadline = 0
  #heard = 0
  #unacked = 0
  #last = null
  #ackTimer = 0

  /**
   * `handlers`: opened() is called on every new connection, before anything is received;
   * received(kind, value) for each message; lost(everOpen, why) when a connection ends, with the
   * reason if the server has sent this page away.
   */
  constructor(url, handlers) {
    this.#url = url
    this.#handlers = handlers
    addEventListener("online", () => this.#hurry())
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry())
    addEventListener("pageshow", event => event.persisted && this.#hurry())
    this.#connect()
  }

  /** Whether a message sent now has somewhere to go. */
  get open() {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  /** Send if connected; what must arrive is sent again by whoever needs it. */
  send(kind, value) {
    if (!this.open) return
    const message = pack(kind, value)
    if (message.length > LARGEST) this.#refuse(value, message.length)
    else this.#socket.send(message)
  }

  /** Say what the server would; it would end the connection, whenever that is sent again. */
  #refuse({ run, id = "" }, bytes) {
    const [size, largest] = [bytes, LARGEST].map(count => amount(count, Unit.BYTES))
    const reason = t("This is too large: {size}, of {largest} at most. Put it into a file of the worksheet.", { size, largest })
    this.#handlers.received("refused", { about: run ?? id, reason })
  }

  /** Drop the connection and make another. */
  renew() {
    if (this.#socket) this.#end(this.#socket)
  }

  /** Give up: nothing is connected any more. */
  stop() {
    const socket = this.#socket
    this.#forget()
    clearTimeout(this.#retry)
    this.#handlers = { opened() {}, received() {}, lost() {} }
    socket?.close()
  }

  #connect() {
    clearTimeout(this.#retry)
    const socket = new WebSocket(this.#url)
    socket.binaryType = "arraybuffer"
    this.#socket = socket
    this.#unacked = 0
    this.#last = null
    socket.onopen = () => {
      this.#failures = 0
      this.#heard = performance.now()
      this.#ping = setInterval(() => this.#probe(), PING_EVERY)
      this.#handlers.opened()
    }
    socket.onmessage = event => this.#receive(event.data)
    socket.onclose = event => this.#end(socket, event)
  }

  #receive(data) {
    this.#heard = performance.now()
    const { case: kind, value } = unpack(new Uint8Array(data))
    if (kind === "pong") return
    if (kind === "ping") return this.send("pong", {})
    if (kind === "frame") this.#takeIn(value, data.byteLength)
    this.#handlers.received(kind, value)
  }

  #takeIn({ session, seq }, bytes) {
    this.#last = { session, seq }
    this.#unacked += bytes
    if (this.#unacked >= ACK_BYTES) return this.#acknowledge()
    this.#ackTimer ||= setTimeout(() => this.#acknowledge(), ACK_AFTER)
  }

  #acknowledge() {
    clearTimeout(this.#ackTimer)
    this.#ackTimer = 0
    this.#unacked = 0
    if (this.#last) this.send("ack", this.#last)
  }

  /** Ask for a sign of life; without one the connection is dead, whatever TCP believes. */
  #probe() {
    if (this.#deadline || !this.open) return
    const asked = performance.now()
    this.send("ping", {})
    this.#deadline = setTimeout(() => {
      this.#deadline = 0
      if (this.#heard >= asked) return
      // A page that was asleep or busy has not looked yet: what came in waits behind us
      if (performance.now() - asked > ANSWER_WITHIN + 1000) this.#probe()
      else this.renew()
    }, ANSWER_WITHIN)
  }

  #hurry() {
    if (this.open) this.#probe()
    else if (this.#socket === null) this.#connect()
  }

  #end(socket, { code = 0, reason = "" } = {}) {
    if (socket !== this.#socket) return
    const wasOpen = this.#ping !== 0
    this.#forget()
    socket.close()
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++)
    this.#retry = setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2))
    this.#handlers.lost(wasOpen, code === SENT_AWAY ? reason : "")
  }

  #forget() {
    this.#socket = null
    clearInterval(this.#ping)
    clearTimeout(this.#deadline)
    clearTimeout(this.#ackTimer)
    this.#ping = this.#deadline = this.#ackTimer = 0
  }
}
