// What the phone keeps for a journey without network: codes for times to come,
// an hour in a record, each sealed with a key that no script can take out of the
// browser. What is over is deleted, and with the last of it the key.

const name = 'documents'
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
  request.onblocked = () => resolve() // it is done when the other window closes
})

let base
function open () {
  base ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('keys')
      request.result.createObjectStore('kept', { keyPath: 'id' })
    }
    request.onsuccess = () => {
      request.result.onversionchange = () => {
        request.result.close()
        base = undefined
      }
      resolve(request.result)
    }
    request.onerror = () => reject(request.error)
  })
  return base
}

// One thing at a time, in whatever window: what is being deleted must not be made
// anew by who reads it.
const alone = (act) => (...args) => navigator.locks ? navigator.locks.request(name, () => act(...args)) : act(...args)

async function store (table, mode) {
  return (await open()).transaction(table, mode).objectStore(table)
}

async function key () {
  const found = await done((await store('keys', 'readonly')).get('seal'))
  if (found) return found
  const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  // The first one counts, if another page made one meanwhile.
  try {
    await done((await store('keys', 'readwrite')).add(made, 'seal'))
    return made
  } catch {
    return done((await store('keys', 'readonly')).get('seal'))
  }
}

// keep seals one hour of a journey: its trip (a random name), the place in it,
// from and until in milliseconds, and what is to be kept.
export const keep = alone(async ({ trip, from, until, skew, ...content }) => {
  const id = `${trip} ${from}`
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(id) }, await key(), new TextEncoder().encode(JSON.stringify(content)))
  await done((await store('kept', 'readwrite')).put({ id, trip, from, until, skew, iv, sealed }))
})

// The time by the clock of the service that signed: the phone's may be wrong.
const now = (record) => Date.now() + record.skew

// kept gives the hours that are not over, in order.
export const kept = alone(async () => {
  if (!(await any())) return []
  const records = await done((await store('kept', 'readonly')).getAll())
  const out = []
  for (const r of records) {
    if (r.until <= now(r)) continue
    try {
      const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: r.iv, additionalData: new TextEncoder().encode(r.id) }, await key(), r.sealed)
      out.push({ ...JSON.parse(new TextDecoder().decode(text)), trip: r.trip, from: r.from, until: r.until, skew: r.skew })
    } catch { /* what cannot be opened is of no use */ }
  }
  return out.sort((a, b) => a.from - b.from)
})

// any says whether anything was ever kept, without making the place for it.
async function any () {
  if (!indexedDB.databases) return true
  return (await indexedDB.databases()).some((d) => d.name === name)
}

// forget deletes a journey.
export const forget = alone(async (trip) => {
  if (!(await any())) return
  const s = await store('kept', 'readwrite')
  for (const r of await done(s.getAll())) if (r.trip === trip) s.delete(r.id)
  await tidy()
})

// tidy deletes what is over, and everything with the last of it.
async function tidy () {
  if (!(await any())) return
  const s = await store('kept', 'readwrite')
  let left = 0
  for (const r of await done(s.getAll())) {
    if (r.until <= now(r)) s.delete(r.id)
    else left++
  }
  if (!left) await destroy()
}

export const purge = alone(tidy)

// destroy deletes everything, the key first of all.
async function destroy () {
  if (!(await any())) return
  try {
    await done((await store('keys', 'readwrite')).clear())
    await done((await store('kept', 'readwrite')).clear())
    ;(await open()).close()
  } finally {
    base = undefined
    await done(indexedDB.deleteDatabase(name))
  }
}

export const forgetAll = alone(destroy)

// current gives the code of some hours that is good now, and until when it is to
// be shown; undefined before the first and after the last.
export function current (hours) {
  for (const h of hours) {
    const t = now(h)
    let i = h.codes.length - 1
    while (i >= 0 && h.codes[i].from > t) i--
    if (i < 0 || t >= h.codes[i].until || t >= h.until) continue
    return { ...h.codes[i], seconds: Math.ceil((Math.min(h.codes[i + 1]?.from ?? h.until, h.codes[i].until) - t) / 1000) }
  }
}
