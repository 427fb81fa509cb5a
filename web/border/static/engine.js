// The border check as pages use it. It runs in worker.js; without a network as
// well as with one.

// Fault is what the check refuses to do, in the API's words.
export class Fault extends Error {
  constructor ({ code, detail, hint, fields }) {
    super(detail)
    this.name = 'Fault'
    this.code = code
    this.hint = hint || ''
    this.fields = fields || []
  }
}

const every = 5 * 60 * 1000 // how often a page that is open asks for a newer bundle
const none = { info: null, anchors: null, problem: null, reached: null, wasmMs: 0, checkMs: 0, go: '' }

let worker
let starting
let state = none
let ready = false
let persisted = false
let count = 0
const waiting = new Map()
const listeners = new Set()

const call = (name, argument) => new Promise((resolve, reject) => {
  waiting.set(++count, { resolve, reject })
  worker.postMessage({ id: count, name, argument })
})

const hear = ({ data }) => {
  if (data.state) {
    state = data.state
    return changed()
  }
  const w = waiting.get(data.id)
  waiting.delete(data.id)
  if (data.fault) w.reject(new Fault(data.fault))
  else w.resolve(data.value)
}

const changed = () => {
  const now = status()
  for (const f of listeners) f(now)
}

const broke = (e) => {
  const fault = new Fault({ code: 'device', detail: e.message || 'the check could not be started' })
  for (const w of waiting.values()) w.reject(fault)
  waiting.clear()
}

// start gives a promise that is kept when something can be decided. It is broken
// with a Fault when that cannot be: the device has no bundle yet and no network,
// or lacks what the check needs.
export const start = () => {
  starting = starting || (async () => {
    worker = new Worker(new URL('worker.js', import.meta.url))
    worker.onmessage = hear
    worker.onerror = broke
    addEventListener('online', () => { changed(); updateBundle().catch(() => {}) })
    addEventListener('offline', changed)
    setInterval(() => { if (navigator.onLine && !document.hidden) updateBundle().catch(() => {}) }, every)
    // What a post remembers must outlast a full disk.
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist().then((p) => { persisted = p }, () => {})
    state = await call('start')
    ready = true
    changed()
  })()
  return starting.then(() => {
    if (state.info === null || state.problem) throw new Fault(state.problem || { code: 'bundle-missing', detail: 'there is no border bundle to check with' })
  })
}

// status says how things are, at once:
// { ready, online, persisted, wasmMs, checkMs, go, problem: null|{code, detail},
//   bundle: null|{id, sequence, version, hub, signedAt, ageSeconds, oldestList, trustList, issuers, lists, refused, policies, bytes},
//   transfer: null|{how: 'unchanged'|'delta'|'full', bytes, of, resumed, at} }: how the bundle came last
export const status = () => {
  const i = state.info
  return {
    ready: ready && i !== null && !state.problem,
    online: navigator.onLine && state.reached !== false,
    persisted,
    wasmMs: state.wasmMs,
    checkMs: state.checkMs,
    go: state.go,
    problem: state.problem,
    transfer: state.transfer,
    bundle: i === null ? null : { ...i, version: i.sequence, ageSeconds: Math.max(0, Math.floor((Date.now() - Date.parse(i.signedAt)) / 1000)) }
  }
}

// subscribe calls f with status() whenever it changed; what it gives ends that.
export const subscribe = (f) => {
  listeners.add(f)
  return () => listeners.delete(f)
}

// check decides: { presentations: [text…], group, facts } with the facts of
// POST /checks, whose answer it gives.
export const check = ({ presentations, group = false, facts = {} }) => call('check', { presentations, group, facts })

// rehearse makes the check warm and gives the decision about people who do not
// exist. It changes nothing.
export const rehearse = () => call('rehearse')

// updateBundle asks the service for its newest bundle. It gives the bundle's
// info; new tells whether it was not in force before.
export const updateBundle = () => call('updateBundle').then(changedAfter)

// loadBundle takes a bundle from a File or an ArrayBuffer.
export const loadBundle = async (from) => changedAfter(await call('loadBundle', from instanceof ArrayBuffer ? from : await from.arrayBuffer()))

const changedAfter = (value) => {
  changed()
  return value
}

// anchorInfo says whom this device believes: { fingerprints: [text…], since,
// changed, offered }. changed: the service names another anchor now, whose
// fingerprints are offered; acceptAnchor believes that one, and then a new bundle
// is needed.
export const anchorInfo = () => state.anchors === null ? null : { ...state.anchors, since: new Date(state.anchors.since) }
export const acceptAnchor = () => call('acceptAnchor')

// forgetHistory makes the post remember nothing: codes shown before, crossings
// of consents. For a supervisor, when it cannot be read any more.
export const forgetHistory = () => call('forgetHistory')

// What was decided, kept sealed on this device, newest first. No name is kept.
const record = (r) => {
  const { key, child, compare, presentations, lines, ...rest } = r
  return rest
}
export const saveRecord = (r) => call('saveRecord', record(r))
export const changeRecord = (r) => call('changeRecord', { key: r.key, record: record(r) })
export const records = () => call('records')
export const clearRecords = () => call('clearRecords')

// texts gives the words of every code in English.
export const texts = () => call('texts')
