// Why something was refused, as the page tells it.

import { LOCALE, said, t, tn } from "./words.js"

const MINUTE = 60_000 // ms
const LATE = 5000 // ms that a message may take

/** The reason of a Refused message. */
export function reasonOf({ reason, tooMany }) {
  if (!tooMany) return said(reason)
  const { allowed, seconds, network } = tooMany
  // The server counts by whole minutes
  const at = new Date(Math.ceil((Date.now() + seconds * 1000 - LATE) / MINUTE) * MINUTE)
  const time = at.toLocaleTimeString(LOCALE, { hour: "2-digit", minute: "2-digit" })
  if (network) return t("All from your network together may run {allowed} cells an hour; the next at {time}.", { allowed, time })
  return tn("You may run {count} cell an hour; the next at {time}.", "You may run {count} cells an hour; the next at {time}.", allowed, { time })
}
