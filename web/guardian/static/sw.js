// The service worker: a page that is there without network, and the files that
// it needs. No page about anybody is ever kept.
// The service puts `kept` in front: { version, files, pages }.
const cacheName = 'documents ' + kept.version

const renew = async (cache) => cache.put(kept.pages[0], await fetch(kept.pages[0], { cache: 'no-store' }))

addEventListener('install', (event) => event.waitUntil((async () => {
  const cache = await caches.open(cacheName)
  await cache.addAll(kept.files)
  await renew(cache)
  await skipWaiting()
})()))

addEventListener('activate', (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith('documents ') && name !== cacheName) await caches.delete(name)
  await clients.claim()
})()))

addEventListener('message', (event) => {
  if (event.data === 'language') event.waitUntil(caches.open(cacheName).then(renew).catch(() => {}))
})

const stored = async (request) => (await caches.open(cacheName)).match(request, { ignoreVary: true, ignoreSearch: true })

// A network that does not answer is none: whoever stands in a queue does not
// wait for it.
const patience = 10000

async function page (request) {
  try {
    return await Promise.race([fetch(request), new Promise((resolve, reject) => setTimeout(reject, patience))])
  } catch {
    return (await stored(kept.pages[0])) ?? Response.error()
  }
}

addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (url.origin !== location.origin || request.method !== 'GET') return
  if (request.mode === 'navigate') event.respondWith(page(request))
  else if (kept.files.includes(url.pathname)) event.respondWith(stored(request).then((found) => found ?? fetch(request)))
})
