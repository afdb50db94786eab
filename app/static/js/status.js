// The state of connection and session in words. Pure.

import { Kind } from "./wire.js"

const WORDS = {
  [Kind.NONE]: "idle",
  [Kind.STARTING]: "starting",
  [Kind.IDLE]: "idle",
  [Kind.BUSY]: "busy",
  [Kind.DEAD]: "dead",
  [Kind.WAITING]: "waiting",
}

/**
 * {word, detail} for a connection ("new", "open", "lost" or "refused", with its reason)
 * and the session's latest State, null before the first.
 */
export function describe(connection, reason, state) {
  if (connection === "refused") return { word: "dead", detail: reason }
  if (connection === "lost") return { word: "reconnecting", detail: reason }
  if (connection === "new") return { word: "starting", detail: "connecting to the server" }
  if (!state) return { word: "starting", detail: "loading what was computed before" }
  if (state.kind === Kind.WAITING) {
    return { word: "waiting", detail: `place ${state.place} in the queue: ${state.reason}` }
  }
  const none = state.kind === Kind.NONE ? "a session starts when you run a cell" : ""
  return { word: WORDS[state.kind], detail: state.reason || none }
}

/**
 * What is said of what has been typed: whether it is `complete`ly stored, the connection is
 * `open`, and the database is `delayed`. `isKept`: by this browser alone.
 */
export function describeSaving({ complete, open, delayed }) {
  if (complete) return { text: open ? "saved" : "saved, offline", isKept: false }
  if (open && !delayed) return { text: "saving …", isKept: false }
  return { text: open ? "not saved yet: kept in this browser" : "offline: kept in this browser", isKept: true }
}
