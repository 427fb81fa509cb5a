// The border check in a worker of its own: the Go check as WebAssembly, and what
// the post keeps on this device between two starts. engine.js talks to it.
'use strict'

importScripts('wasm_exec.js')

const NAME = 'kinpass-border'
const STATE = 'state' // one value a key: anchor, bundle, history, key, clock, versions
const RECORDS = 'records' // what was decided, sealed, in order
const keepRecords = 30 * 24 * 3600 * 1000 // milliseconds, as the service keeps its own

let kp // what Go gave
let db
let loaded = { anchor: 0, bundle: 0, history: 0 } // versions that Go holds
let versions = {} // those that were on the device when this page had the lock last
let info = null // of the bundle in force
let anchors = null // { fingerprints, since, changed, offered }
let problem = null // why nothing can be decided, as a fault
let wasmMs = 0
let checkMs = 0
let play = null // the rehearsal
let reached = null // whether the service answered when it was asked last
let transfer = null // how the bundle came last: { how: 'unchanged' | 'delta' | 'full', bytes, of, resumed, at }

class Refusal extends Error {
  constructor (fault) {
    super(fault.detail)
    this.fault = fault
  }
}

const refuse = (code, detail, hint) => { throw new Refusal({ code, detail, hint }) }

const bytes = (text) => new TextEncoder().encode(text)

// ask calls Go and gives what it gives; a fault is thrown.
const ask = (name, ...args) => {
  const out = kp[name](...args)
  if (out && out.fault) throw new Refusal(JSON.parse(out.fault))
  return out
}

// What is kept on this device.

const asked = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

const finished = (tx) => new Promise((resolve, reject) => {
  tx.oncomplete = () => resolve()
  tx.onabort = tx.onerror = () => reject(tx.error)
})

const openStore = async () => {
  const request = indexedDB.open(NAME, 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STATE)
    request.result.createObjectStore(RECORDS, { autoIncrement: true })
  }
  db = await asked(request)
  db.onversionchange = () => db.close()
}

const get = (key) => asked(db.transaction(STATE).objectStore(STATE).get(key))

// put keeps values, all or none. It waits until they are on the disk (strict) or
// until the browser has given them to the system (relaxed): those outlast this
// page and the browser, and a power cut only when something strict came after.
const put = async (values, durability = 'strict') => {
  const tx = db.transaction(STATE, 'readwrite', { durability })
  for (const [key, value] of Object.entries(values)) tx.objectStore(STATE).put(value, key)
  await finished(tx)
}

// Several pages of the app share what is kept; one at a time changes it.
const alone = (f) => navigator.locks.request(NAME, f)

// pen gives the key that seals what this post remembers. It never leaves the
// browser. There is one, whoever asks first.
let penKey
const pen = () => {
  penKey = penKey || navigator.locks.request(NAME + '-key', async () => {
    let key = await get('key')
    if (!key) {
      key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
      await put({ key })
    }
    return key
  })
  return penKey
}

const seal = async (text) => {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const body = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await pen(), bytes(text))
  return { iv, body }
}

const unseal = async ({ iv, body }) => new TextDecoder().decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await pen(), body))

// Time. A source that is trusted tells it whenever it is asked for a bundle;
// from then on a clock that nobody sets carries it on.

let trusted = null // { at, since, wall }

const patience = 20000 // milliseconds; a network that does not answer is none

// request asks the service for something that is the same for everybody.
const request = async (address, cache) => {
  try {
    const response = await fetch(address, { cache, credentials: 'omit', signal: AbortSignal.timeout(patience) })
    const body = await response.arrayBuffer()
    reached = true
    return { response, body }
  } catch (e) {
    reached = false
    tell()
    refuse('offline', 'the service does not answer', 'the check goes on with the bundle of this device')
  }
}

const heard = async (response) => {
  const at = Date.parse(response.headers.get('Date') || '')
  if (!at) return
  trusted = { at, since: performance.now(), wall: Date.now() }
  await put({ clock: at })
}

// times gives what is known of the present. While a device sleeps, the clock
// that nobody sets may stand still: that it is later than we counted is then no
// sign of a wrong clock, and what was counted is only the earliest that it can be.
const times = async () => {
  const now = Date.now()
  const atLeast = await get('clock') || 0
  if (!trusted) return { now, trusted: 0, atLeast }
  const counted = Math.round(trusted.at + performance.now() - trusted.since)
  const slept = now - trusted.wall - (performance.now() - trusted.since) > 60000
  return slept ? { now, trusted: 0, atLeast: Math.max(atLeast, counted) } : { now, trusted: counted, atLeast }
}

// The check.

const loadCheck = async () => {
  const began = performance.now()
  const go = new Go()
  const running = new Promise((resolve) => { self.kinpassReady = resolve })
  const packed = await fetch('check.wasm.gz')
  if (!packed.ok) refuse('check-missing', 'the check could not be loaded', 'connect to the network once')
  const plain = packed.body.pipeThrough(new DecompressionStream('gzip'))
  const { instance } = await WebAssembly.instantiateStreaming(new Response(plain, { headers: { 'Content-Type': 'application/wasm' } }), go.importObject)
  go.run(instance).catch(() => {}).then(() => { problem = { code: 'check-ended', detail: 'the check has ended', hint: 'open the page again' } })
  await running
  kp = self.kinpassCheck
  wasmMs = Math.round(performance.now() - began)
}

// latest brings Go what another page has put in force.
const latest = async () => {
  versions = await get('versions') || {}
  if (versions.anchor && versions.anchor !== loaded.anchor) {
    const kept = await get('anchor')
    anchors = { fingerprints: JSON.parse(ask('anchor', bytes(kept.file)).value), since: kept.since, changed: false, offered: [] }
    loaded = { anchor: versions.anchor, bundle: 0, history: 0 }
    info = null
  }
  if (!loaded.anchor) return
  if (versions.bundle && versions.bundle !== loaded.bundle) {
    const kept = await get('bundle')
    loaded.bundle = versions.bundle
    // One that cannot be read any more is replaced by the next; what was known
    // of it counts until then.
    try {
      info = JSON.parse(ask('restore', new Uint8Array(kept.data), kept.known).value)
      problem = null
    } catch (e) {
      info = null
      problem = faultOf(e)
    }
  }
  if ((versions.history || 0) !== loaded.history) {
    const kept = await get('history')
    let text = ''
    if (kept) {
      try { text = await unseal(kept) } catch (e) { refuse('history-unreadable', 'what this post remembers of earlier checks cannot be read') }
    }
    ask('remember', text)
    loaded.history = versions.history || 0
  }
}

// kept puts values and counts the version of what they are. Who calls it has the
// lock and called latest.
const kept = async (what, values, durability) => {
  const counted = { ...versions, [what]: (versions[what] || 0) + 1 }
  await put({ ...values, versions: counted }, durability)
  versions = counted
  loaded[what] = counted[what]
}

// askAnchor asks for the trust anchor where this app comes from, and for the
// time. The first anchor is kept; another one later is only told of, for somebody
// to compare, until accept says that it was.
const askAnchor = async (accept) => {
  const { response, body } = await request('/app/anchor', 'no-store')
  if (!response.ok) return
  const file = new TextDecoder().decode(body)
  await alone(async () => {
    await heard(response)
    await latest()
    const have = await get('anchor')
    if (have && have.file === file) {
      anchors = { ...anchors, changed: false, offered: [] }
      return
    }
    const offered = JSON.parse(ask('fingerprints', new Uint8Array(body)).value)
    if (have && !accept) {
      anchors = { ...anchors, changed: true, offered }
      return
    }
    await put({ anchor: { file, since: Date.now() }, bundle: null, versions: { ...versions, anchor: (versions.anchor || 0) + 1, bundle: 0 } })
    await latest()
  })
  tell()
}

// inForce keeps what Go has put in force: out is what it gave, data the bundle.
const inForce = async (out, data) => {
  const got = JSON.parse(out.value)
  if (out.known) await kept('bundle', { bundle: { data: data.buffer, known: out.known }, clock: Date.parse(got.signedAt) })
  info = got
  problem = null
  tell()
  return got
}

const take = (data) => alone(async () => {
  await latest()
  if (!loaded.anchor) refuse('anchor-missing', 'this device has no trust anchor yet', 'connect to the network once')
  // A file from a stick may be what changed since the bundle of this device.
  const change = data.length > 4 && String.fromCharCode(...data.subarray(0, 4)) === 'KPD2'
  const out = change ? ask('patch', data, Date.now()) : ask('take', data, Date.now())
  return inForce(out, change ? out.data : data)
})

// patch makes the newest bundle of what changed since the one of this device.
const patch = (delta, from) => alone(async () => {
  await latest()
  if (!info || info.id !== from) return null // another page was faster
  const out = ask('patch', delta, Date.now())
  return inForce(out, out.data)
})

// download fetches a large file. What breaks off goes on where it was, as long as
// something comes; a server that knows no ranges sends all of it again.
const download = async (address) => {
  let parts = []
  let length = 0
  let tag = ''
  let resumed = 0
  for (let failed = 0; ;) {
    const before = length
    const stop = new AbortController()
    let watch = setTimeout(() => stop.abort(), patience)
    try {
      const headers = length ? { Range: `bytes=${length}-`, ...(tag ? { 'If-Range': tag } : {}) } : {}
      const response = await fetch(address, { cache: 'no-store', credentials: 'omit', headers, signal: stop.signal })
      reached = true
      const on = response.status === 206 && (response.headers.get('Content-Range') || '').startsWith(`bytes ${length}-`)
      if (response.status === 416 || (response.status === 206 && !on)) {
        parts = []
        length = 0
        throw new Error('another file')
      }
      if (!response.ok) return { response, bytes: null }
      if (on) resumed = length
      else { parts = []; length = 0 }
      tag = response.headers.get('ETag') || ''
      if (tag.startsWith('W/')) tag = ''
      const reader = response.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        clearTimeout(watch)
        watch = setTimeout(() => stop.abort(), patience)
        parts.push(value)
        length += value.length
      }
      const bytes = new Uint8Array(length)
      let at = 0
      for (const part of parts) { bytes.set(part, at); at += part.length }
      return { response, bytes, resumed }
    } catch (e) {
      if (length > before) failed = 0
      if (++failed >= 3) {
        reached = false
        tell()
        refuse('offline', 'the service does not answer', 'the check goes on with the bundle of this device')
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * failed))
    } finally {
      clearTimeout(watch)
    }
  }
}

// newest asks what the newest bundle is; null where the service does not say.
const newest = async () => {
  const { response, body } = await request('/bundle/manifest', 'no-cache')
  if (!response.ok) return null
  try { return JSON.parse(new TextDecoder().decode(body)) } catch (e) { return null }
}

const came = (how, bytes, of, resumed = 0) => {
  transfer = { how, bytes, of, resumed, at: Date.now() }
  tell()
}

// refresh asks for the anchor, the time and the newest bundle: what changed since
// that of this device if there is such a file and it leads there, and the whole
// bundle otherwise. What comes is verified in any case; the list of what there is
// is only believed for saving a transfer.
const refresh = async () => {
  await askAnchor(false)
  const index = await newest()
  const have = info
  if (index && have && index.id === have.id && !problem) {
    came('unchanged', 0, index.size)
    return { ...have, new: false }
  }
  if (index && have && !problem && index.hub === have.hub &&
      (index.onDemand || (index.deltas || []).some((d) => d.from === have.sequence && d.to === index.sequence))) {
    try {
      const { response, body } = await request(`/bundles/delta/${have.sequence}-${index.sequence}.kpd`, 'no-store')
      if (response.ok) {
        const got = await patch(new Uint8Array(body), have.id)
        if (got) {
          came('delta', body.byteLength, index.size)
          return got
        }
      }
    } catch (e) { /* the whole bundle says what is wrong, if anything is */ }
  }
  const { response, bytes, resumed } = await download('/bundle')
  if (!response.ok) refuse('bundle-unavailable', 'the service has no bundle now', 'try again later')
  const got = await take(bytes)
  came('full', bytes.length, bytes.length, resumed)
  return got
}

// forgetRecords deletes the records whose time is over.
const forgetRecords = async () => {
  const tx = db.transaction(RECORDS, 'readwrite')
  const store = tx.objectStore(RECORDS)
  for (const key of await asked(store.getAllKeys())) {
    const { at } = await asked(store.get(key))
    if (at > Date.now() - keepRecords) break // they are in order
    store.delete(key)
  }
  await finished(tx)
}

const calls = {
  start: async () => {
    try {
      await Promise.all([loadCheck(), openStore()])
      try { await alone(latest) } catch (e) { problem = faultOf(e) }
    } catch (e) {
      problem = faultOf(e)
      throw e
    }
    // What is on the device decides; the network is asked beside that.
    if (info !== null) {
      refresh().catch(() => {})
    } else {
      try { await refresh() } catch (e) { problem = problem || faultOf(e) }
    }
    forgetRecords().catch(() => {})
    return state()
  },
  state: async () => state(),
  // The answer goes out when what the post has to remember is written, and before
  // the disk has it for good. This lock is held until then, so no page decides in
  // between. What is left is a power cut within these milliseconds: then this post
  // knows nothing of a code that was shown to it, as another post knows nothing
  // of it, for the five minutes at most that the code lasts; of a consent for so
  // many crossings it counts one less. Whoever wanted that would have to take the
  // power from the device in front of the officer, at once, and it would be gone
  // for the next code, too. What cannot be written is still no decision.
  check: (request, answer) => alone(async () => {
    const [now] = await Promise.all([times(), latest()])
    const began = performance.now()
    const out = ask('check', JSON.stringify({ ...request, ...now }))
    const said = JSON.parse(out.value)
    if (said.fault) throw new Refusal(said.fault)
    checkMs = Math.round((performance.now() - began) * 10) / 10
    if (out.history) await kept('history', { history: await seal(out.history) }, 'relaxed')
    ask('keep')
    answer(said.group || said.result)
    tell()
    if (out.history) await put({ versions }).catch(() => {}) // and all before it
  }),
  // What a device does for the first time takes it far longer than later. So a
  // code of made-up people is decided about in a made-up world, on a stage of its
  // own: nothing of it is kept, and it is nothing that this post ever saw.
  rehearse: async () => {
    play = play || await (await fetch('rehearsal.json')).json()
    const said = JSON.parse(ask('rehearse', bytes(play.anchor), Uint8Array.from(atob(play.bundle), (c) => c.charCodeAt(0)), play.now, play.request).value)
    await alone(async () => {
      await Promise.all([times(), latest(), seal('')])
      await put({ versions }, 'relaxed')
    })
    return said.result
  },
  updateBundle: refresh,
  loadBundle: async (data) => {
    if (!loaded.anchor) await askAnchor(false).catch(() => {})
    return take(new Uint8Array(data))
  },
  acceptAnchor: async () => {
    await askAnchor(true)
    return anchors
  },
  forgetHistory: () => alone(async () => {
    await latest().catch(() => {})
    await kept('history', { history: null })
    ask('remember', '')
    if (problem && problem.code === 'history-unreadable') problem = null
    tell()
  }),
  saveRecord: async (record) => {
    const sealed = { ...await seal(JSON.stringify(record)), at: Date.now() }
    const tx = db.transaction(RECORDS, 'readwrite')
    const key = await asked(tx.objectStore(RECORDS).add(sealed))
    await finished(tx)
    return key
  },
  changeRecord: async ({ key, record }) => {
    const sealed = await seal(JSON.stringify(record))
    const tx = db.transaction(RECORDS, 'readwrite')
    const before = await asked(tx.objectStore(RECORDS).get(key))
    if (before) tx.objectStore(RECORDS).put({ ...sealed, at: before.at }, key)
    await finished(tx)
  },
  records: async () => {
    const store = db.transaction(RECORDS).objectStore(RECORDS)
    const [keys, values] = await Promise.all([asked(store.getAllKeys()), asked(store.getAll())])
    const out = []
    for (let i = keys.length - 1; i >= 0; i--) {
      try { out.push({ key: keys[i], ...JSON.parse(await unseal(values[i])) }) } catch (e) { /* sealed with another key: nobody's any more */ }
    }
    return out
  },
  clearRecords: async () => {
    const tx = db.transaction(RECORDS, 'readwrite')
    tx.objectStore(RECORDS).clear()
    await finished(tx)
  },
  texts: async () => JSON.parse(ask('texts').value)
}

const faultOf = (e) => e instanceof Refusal ? e.fault : { code: 'device', detail: String(e && e.message || e) }

const state = () => ({ info, anchors, problem, reached, transfer, wasmMs, checkMs, go: kp ? kp.go : '' })

const tell = () => postMessage({ state: state() })

self.onmessage = async ({ data: { id, name, argument } }) => {
  try {
    let answered = false
    const answer = (value) => {
      if (!answered) postMessage({ id, value })
      answered = true
    }
    answer(await calls[name](argument, answer))
  } catch (e) {
    postMessage({ id, fault: faultOf(e) })
  }
}
