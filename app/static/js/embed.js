// Shows the code in a page, of whatever site, as cells that run: <pre class="salvus">.
//
// Each gets a frame of the site that this script came from. Until the frame says that it is
// there the page's own code stays to be seen; it also does if the site is away. Nothing is asked
// of the site before a cell comes near the screen, and no session begins before somebody runs it.
// An ordinary script, as it is loaded by pages that are not ours.

(() => {
  const PATIENCE = 20_000 // ms in which a frame that has been loaded says that it works
  const FIRST_HEIGHT = "5rem"
  const site = new URL(document.currentScript.src).origin
  const cells = []

  function embed(code) {
    const text = code.textContent.replace(/^\n|\s+$/g, "")
    const values = valuesOf(code)
    const bytes = new TextEncoder().encode(JSON.stringify({ code: text, values }))
    const packed = btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""))
    const frame = document.createElement("iframe")
    frame.src = `${site}/embed#c=${packed.replaceAll("+", "-").replaceAll("/", "_")}`
    frame.title = code.title || "A cell that runs: Sage"
    frame.loading = "lazy"
    frame.allow = "clipboard-write"
    frame.style.cssText = `display:block;width:100%;height:${FIRST_HEIGHT};border:0;visibility:hidden;position:absolute;left:0`
    const place = document.createElement("div")
    place.style.position = "relative"
    code.replaceWith(place)
    place.append(code, frame)
    const cell = { code, frame, timer: 0 }
    frame.addEventListener("load", () => {
      cell.timer = setTimeout(() => frame.remove(), PATIENCE)
    }, { once: true })
    cells.push(cell)
  }

  function valuesOf(code) {
    try {
      return JSON.parse(code.dataset.values ?? "[]")
    } catch (error) {
      console.error("data-values of a Salvus cell:", error.message, code)
      return []
    }
  }

  function hear({ origin, source, data }) {
    const cell = origin === site && cells.find(({ frame }) => frame.contentWindow === source)
    if (!cell || !data?.salvus) return
    clearTimeout(cell.timer)
    cell.code.hidden = true
    const { style } = cell.frame
    Object.assign(style, { visibility: "visible", position: "static" })
    if (data.salvus.height > 0) style.height = `${Math.min(data.salvus.height, 20_000)}px`
  }

  function start() {
    addEventListener("message", hear)
    for (const code of document.querySelectorAll("pre.salvus")) embed(code)
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start)
  else start()
})()
