// Saving to the person's Dropbox: the worksheet, or a file of its folder.

import { t } from "./words.js"

export const isThere = () => "dropbox" in document.getElementById("sheet").dataset

/**
 * Save what is at `path` in the folder of the worksheet at `base`; "" is the worksheet itself.
 * `progress(share)` is told how much of it is there, null if that is not known. What came of it:
 * {said}, or {problem, connect} with `connect` if it helps to connect the Dropbox.
 */
export async function save(base, path, progress) {
  try {
    const body = new URLSearchParams({ path })
    const response = await fetch(`${base}/dropbox`, { method: "POST", body, headers: { Accept: "application/x-ndjson" } })
    if (!response.ok) return { problem: t("The server answers {status}.", response) }
    let last = {}
    for await (const line of linesOf(response.body)) {
      last = JSON.parse(line)
      if ("sent" in last) progress(last.size ? Math.min(1, last.sent / last.size) : null)
    }
    if (last.said || last.problem) return last
  } catch {
    // It broke off: what has come of it is not known
  }
  return { problem: t("The site can't be reached. Look into your Dropbox whether it was saved.") }
}

async function* linesOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let held = ""
  for (;;) {
    const { done, value } = await reader.read()
    const lines = (held + (value ?? "")).split("\n")
    held = lines.pop()
    yield* lines
    if (done) return
  }
}
