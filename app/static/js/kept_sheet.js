// A worksheet's cells as they were last seen here: shown while the server has not answered, so
// that a page can be read and written at once, on the slowest network and without one. What was
// typed and is not stored is not here, but in drafts.js. Output is the server's alone.

import { pack, unpack } from "./wire.js"

const CACHE = "salvus-sheets" // which service_worker.js empties

/** A promise of the worksheet message that was kept, null if there is none. */
export async function keptSheet() {
  if (!globalThis.caches) return null
  try {
    const response = await (await caches.open(CACHE)).match(location.href)
    return response ? unpack(new Uint8Array(await response.arrayBuffer())).value : null
  } catch {
    return null // of another release, or forbidden
  }
}

/** Keep this one for the next time. */
export async function keepSheet(value) {
  if (!globalThis.caches) return
  try {
    await (await caches.open(CACHE)).put(location.href, new Response(pack("worksheet", value)))
  } catch {
    // this browser keeps nothing
  }
}

/** Have the service worker keep what this page is made of. */
export async function keepPage() {
  if (!navigator.serviceWorker) return
  try {
    await navigator.serviceWorker.register("/service-worker.js")
    const { active } = await navigator.serviceWorker.ready
    const assets = performance.getEntriesByType("resource").map(({ name }) => name)
    active.postMessage({ page: location.href, assets: assets.filter(name => name.startsWith(`${location.origin}/`)) })
  } catch {
    // it works without, only not offline
  }
}
