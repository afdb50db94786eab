// Code that was copied with the prompts of a terminal or a manual. Pure.

const PROMPT = /^\s*(?:sage:|>>>|In ?\[\d*\]:)(?: |$)/
const CONTINUED = /^\s*(?:\.\.\.\.:|\.\.\.:?|\.{3,}:)(?: |$)/

/**
 * Pasted text without prompts, and without the results between them, which are no code.
 * Text whose first line has none is left as it is.
 */
export function withoutPrompts(text) {
  const lines = text.split("\n")
  if (!PROMPT.test(lines.find(line => line.trim()) ?? "")) return text
  const kept = []
  let inCode = false
  for (const line of lines) {
    const prompt = line.match(PROMPT) ?? (inCode && line.match(CONTINUED))
    inCode = Boolean(prompt)
    if (prompt) kept.push(line.slice(prompt[0].length))
  }
  return kept.join("\n").trimEnd()
}
