// Permalinks: the code of a cell, and what the controls of its interacts are set to, in an
// address. They are behind its "#", which no browser sends, so that no server stores or logs them.

const PACKED = "z=" // JSON, deflated
const PLAIN = "c=" // JSON as it is: what embed.js writes

/** The part of an address, with its "#", that keeps {code, values}; `values` as of Cell. */
export async function fragmentOf(kept) {
  const json = new Blob([JSON.stringify(kept)])
  const packed = json.stream().pipeThrough(new CompressionStream("deflate-raw"))
  return "#" + PACKED + toBase64(new Uint8Array(await new Response(packed).arrayBuffer()))
}

/** What such a part of an address keeps: {code, values}; null if it is none. */
export async function keptIn(fragment) {
  const text = fragment.replace(/^#/, "")
  try {
    const bytes = fromBase64(text.slice(PLAIN.length))
    if (text.startsWith(PLAIN)) return read(new TextDecoder().decode(bytes))
    if (!text.startsWith(PACKED)) return null
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))
    return read(await new Response(stream).text())
  } catch {
    return null
  }
}

function read(json) {
  const { code, values } = JSON.parse(json)
  return typeof code === "string" ? { code, values: Array.isArray(values) ? values : [] } : null
}

function toBase64(bytes) {
  const text = Array.from(bytes, byte => String.fromCharCode(byte)).join("")
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")
}

function fromBase64(text) {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/")
  return Uint8Array.from(atob(standard), letter => letter.charCodeAt(0))
}
