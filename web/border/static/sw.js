// The service worker of the officer's app: it keeps the pages that work without
// a network, as nobody's, and every file that they need. It decides nothing;
// worker.js does. The service puts `kept` in front: { version, files, pages }.
const cacheName = 'border ' + kept.version
const page = (path) => '/app/offline' + path.slice('/app'.length)

// A network that does not answer is none: whoever stands at a counter does not
// wait for it.
const patience = 3000

const renew = async (cache) => Promise.all(kept.pages.map(async (path) => {
  const response = await fetch(page(path), { cache: 'no-store' })
  if (!response.ok || response.redirected) throw new Error(path)
  await cache.put(page(path), response)
}))

addEventListener('install', (event) => event.waitUntil((async () => {
  const cache = await caches.open(cacheName)
  await cache.addAll(kept.files)
  await renew(cache)
  await skipWaiting()
})()))

addEventListener('activate', (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith('border ') && name !== cacheName) await caches.delete(name)
  await clients.claim()
})()))

const stored = async (request) => (await caches.open(cacheName)).match(request, { ignoreVary: true })

// follow keeps the pages in the language that was chosen last.
const follow = async (response) => {
  const before = await stored(page(kept.pages[0]))
  const now = response.headers.get('Content-Language')
  if (before && now && before.headers.get('Content-Language') !== now) await renew(await caches.open(cacheName))
}

const inTime = (promise) => Promise.race([promise, new Promise((resolve, reject) => setTimeout(reject, patience))])

// visit asks the service, and where that does not answer gives the page as it is
// kept; for a page that is not kept, the way to the first one.
const visit = async (event) => {
  try {
    const response = await inTime(fetch(event.request))
    if (response.status < 500) {
      event.waitUntil(follow(response).catch(() => {}))
      return response
    }
  } catch { /* no network */ }
  const path = new URL(event.request.url).pathname
  if (!kept.pages.includes(path)) return Response.redirect(kept.pages[0])
  return (await stored(page(path))) ?? Response.error()
}

addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (url.origin !== location.origin || request.method !== 'GET') return
  if (request.mode === 'navigate') event.respondWith(visit(event))
  else if (kept.files.includes(url.pathname)) event.respondWith(stored(url.pathname).then((found) => found ?? fetch(request)))
})
