// The state of connection and session in words. Pure.

import { Kind } from "./wire.js"
import { said, t } from "./words.js"

const WORDS = {
  [Kind.NONE]: "idle",
  [Kind.STARTING]: "starting",
  [Kind.IDLE]: "idle",
  [Kind.BUSY]: "busy",
  [Kind.DEAD]: "dead",
  [Kind.WAITING]: "waiting",
}
const TEXTS = {
  idle: t("idle"), starting: t("starting"), busy: t("busy"), dead: t("dead"), waiting: t("waiting"), reconnecting: t("reconnecting"),
}

/**
 * The {word, text} for a connection ("new", "open", "lost" or "refused", with its reason)
 * and the session's latest State, null before the first.
 */
export function describe(connection, reason, state) {
  const { word, detail } = stateOf(connection, reason, state)
  return { word, text: detail ? `${TEXTS[word]} — ${detail}` : TEXTS[word] }
}

function stateOf(connection, reason, state) {
  if (connection === "refused") return { word: "dead", detail: reason }
  if (connection === "lost") return { word: "reconnecting", detail: reason }
  if (connection === "new") return { word: "starting", detail: t("connecting to the server") }
  if (!state) return { word: "starting", detail: t("loading what was computed before") }
  if (state.kind === Kind.WAITING) {
    return { word: "waiting", detail: t("place {place} in the queue: {reason}", { place: state.place, reason: said(state.reason) }) }
  }
  const none = state.kind === Kind.NONE ? t("a session starts when you run a cell") : ""
  return { word: WORDS[state.kind], detail: said(state.reason) || none }
}

/**
 * What is said of what has been typed: whether it is `complete`ly stored, the connection is
 * `open`, and the database is `delayed`. `isKept`: by this browser alone.
 */
export function describeSaving({ complete, open, delayed }) {
  if (complete) return { text: open ? t("saved") : t("saved, offline"), isKept: false }
  if (open && !delayed) return { text: t("saving …"), isKept: false }
  return { text: open ? t("not saved yet: kept in this browser") : t("offline: kept in this browser"), isKept: true }
}
