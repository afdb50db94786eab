// Keeps what a worksheet's page is made of, so that it opens at once on a slow network, and
// without one. Static files never change under their address. A page comes from the network if
// that answers soon, else as it was last time, while the answer is kept for the next time.
// What worksheets contain is kept by the pages themselves (kept_sheet.js). Who signs out leaves
// nothing of theirs behind.

const STATIC = "salvus-static"
const PAGES = "salvus-pages"
const SHEETS = "salvus-sheets" // of kept_sheet.js
const SOON = 400 // ms
const MOST_PAGES = 50
const RELEASES = 2 // whose static files are kept: pages of the one before may be open
const ASSET = /^\/(static|words)\/[0-9a-f]{12}[/.]/
const SHEET = /^\/w\/[0-9a-f-]{36}$/

addEventListener("install", () => skipWaiting())
addEventListener("activate", event => event.waitUntil(clients.claim()))

addEventListener("fetch", event => {
  const { request } = event
  const { origin, pathname, search } = new URL(request.url)
  if (origin !== location.origin) return
  if (request.method === "POST" && pathname.startsWith("/sign-out")) event.waitUntil(forget())
  if (request.method !== "GET") return
  if (ASSET.test(pathname)) event.respondWith(asset(request))
  else if (request.mode === "navigate" && SHEET.test(pathname) && !search) event.respondWith(page(event))
})

// A page that was there before us says what it is made of
addEventListener("message", event => event.waitUntil(keep(event.data)))

async function keep({ page, assets }) {
  const kept = await caches.open(STATIC)
  for (const address of assets) {
    if (ASSET.test(new URL(address).pathname) && !await kept.match(address)) await kept.add(address).catch(() => {})
  }
  await prune(kept)
  const response = await fetch(page).catch(() => null)
  if (response) await keepPage(new Request(page), response)
}

async function asset(request) {
  const kept = await caches.open(STATIC)
  const found = await kept.match(request.url)
  if (found) return found
  const response = await fetch(request)
  if (response.ok && response.type === "basic") await kept.put(request.url, response.clone()).catch(() => {})
  return response
}

async function page(event) {
  const { request } = event
  const known = await (await caches.open(PAGES)).match(request.url)
  const answer = fetch(request).then(async response => {
    await keepPage(request, response.clone())
    return response
  })
  if (!known) return answer
  event.waitUntil(answer.catch(() => {}))
  const late = new Promise(resolve => setTimeout(() => resolve(known), SOON))
  return Promise.race([answer.catch(() => known), late])
}

async function keepPage(request, response) {
  const kept = await caches.open(PAGES)
  if (response.status === 403 || response.status === 404) {
    await kept.delete(request.url)
    return void await (await caches.open(SHEETS)).delete(request.url)
  }
  if (!response.ok || response.redirected) return
  await kept.put(request.url, response).catch(() => {}) // it is the newest of the keys then
  const keys = await kept.keys()
  for (const key of keys.slice(0, -MOST_PAGES)) await kept.delete(key)
}

/** Forget the files of releases before the latest ones. */
async function prune(kept) {
  const keys = await kept.keys()
  const release = key => new URL(key.url).pathname.match(ASSET)[0] // a catalogue has its own
  const all = [...new Set(keys.map(release).reverse())]
  const latest = ["/static", "/words"].flatMap(kind => all.filter(one => one.startsWith(kind)).slice(0, RELEASES))
  for (const key of keys) if (!latest.includes(release(key))) await kept.delete(key)
}

async function forget() {
  await caches.delete(PAGES)
  await caches.delete(SHEETS)
}
