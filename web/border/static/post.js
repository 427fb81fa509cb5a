// What every page of the post has: the age of the border data and the network in
// view, and the way in which checks that were made here reach the service.
import * as engine from './engine.js'
import { t, age } from './words.js'

export const $ = (selector, within = document) => within.querySelector(selector)
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)]

// el makes an element: el('p', { class: 'x', text: 'y' }, …children).
export const el = (tag, { text, ...attributes } = {}, ...children) => {
  const e = document.createElement(tag)
  for (const [k, v] of Object.entries(attributes)) {
    if (v === true) e.setAttribute(k, '')
    else if (v !== false && v !== null && v !== undefined) e.setAttribute(k, v)
  }
  if (text !== undefined) e.textContent = text
  e.append(...children)
  return e
}

// icon gives the symbol of a colour.
export const icon = (colour, className = 'post-icon') => {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', className)
  svg.setAttribute('aria-hidden', 'true')
  svg.setAttribute('focusable', 'false')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', '#post-' + colour)
  svg.append(use)
  return svg
}

// announce tells who cannot see the page.
export const announce = (text) => { $('[data-said]').textContent = text }

// problem shows what went wrong, '' for nothing any more.
export const problem = (text) => {
  const box = $('[data-problem]')
  if (!box) return
  $('[data-problem-text]', box).textContent = text
  box.hidden = text === ''
  if (text !== '') box.focus()
}

// faultText says a fault of the engine in the page's words.
export const faultText = (fault) => {
  const known = t('fault.' + (fault?.code ?? ''))
  return known.startsWith('fault.') ? t('fault.other', { code: fault?.code ?? 'device' }) : known
}

const fresh = 24 * 3600
const week = 7 * fresh

// freshness gives the state of the border data: good, old or very old.
export const freshness = (bundle) => bundle === null ? 'none' : bundle.ageSeconds > week ? 'stale' : bundle.ageSeconds > fresh ? 'old' : 'good'

// stateOf says what an officer should know of an office's papers before anything
// else, and its colour. What the bundle knew to end may have ended since.
export const stateOf = (o) => {
  if (o.suspended) return ['suspended', 'red']
  if (o.lapses && Date.now() >= Date.parse(o.lapses)) return ['lapsed', 'red']
  if (o.takesBack) return ['takes-back', 'red']
  if (o.keyWithdrawn) return ['cut', 'yellow']
  if (!o.oldestList) return ['none', 'grey']
  return Date.now() - Date.parse(o.oldestList) > fresh * 1000 ? ['old', 'yellow'] : ['good', 'green']
}

const looks = { good: 'green', old: 'amber', stale: 'red', none: 'amber' }

const strip = (s) => {
  const box = $('[data-bundle]')
  const how = freshness(s.bundle)
  box.dataset.bundle = how
  $('[data-bundle-icon] use').setAttribute('href', '#post-' + looks[how])
  $('[data-bundle-text]').textContent = s.bundle === null ? t('strip.none') : t('strip.' + how, { age: age(s.bundle.ageSeconds) })
  const net = $('[data-net]')
  net.textContent = t(s.online ? 'strip.online' : 'strip.offline')
  net.dataset.net = s.online ? 'on' : 'off'
}

let token = (() => {
  try { return JSON.parse(document.getElementById('kp-csrf').textContent).token } catch { return '' }
})()

// ask sends JSON to the service as who is signed in. A page that was kept for
// times without a network has no token yet and asks for one.
const ask = async (path, body) => {
  const send = () => fetch(path, {
    method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF-Token': token }, body: JSON.stringify(body)
  })
  let answer = token ? await send() : null
  if (answer === null || answer.status === 403) {
    const got = await fetch('/app/token', { headers: { Accept: 'application/json' }, cache: 'no-store' })
    if (!got.ok) throw new Error('signed out')
    token = (await got.json()).token
    answer = await send()
  }
  if (!answer.ok) throw new Error('status ' + answer.status)
  return answer.json()
}

const abandoned = 15 * 60 * 1000
let sending = false

// send brings the service what was decided here since the last time: colours and
// codes, never a name. What is still open at the counter waits.
export const send = async () => {
  if (sending || !navigator.onLine) return
  sending = true
  try {
    const waiting = (await engine.records()).filter((r) => !r.sent && (!r.open || Date.now() - Date.parse(r.at) > abandoned)).slice(0, 50)
    if (waiting.length === 0) return
    await ask('/app/records', {
      records: waiting.map((r) => ({
        id: r.id, at: r.at, colour: r.colour, codes: r.codes, bundle: r.bundle, bundleAgeSeconds: r.bundleAgeSeconds,
        statusAgeSeconds: r.statusAgeSeconds, policies: r.policies, post: r.post,
        ...(r.override ? { override: { act: r.override.act, reason: r.override.reason, second: r.override.second, at: r.override.at } } : {})
      }))
    })
    // The reason is the service's from now on.
    for (const r of waiting) await engine.changeRecord({ ...r, sent: true, open: false, override: r.override && { act: r.override.act } })
    dispatchEvent(new Event('kinpass-sent'))
  } catch { /* sent another time */ } finally {
    sending = false
  }
}

// Records are of use for a month, as those of the service are.
const keep = 30 * 24 * 3600 * 1000

const forget = async () => {
  const all = await engine.records()
  if (all.length && all.every((r) => r.sent && Date.now() - Date.parse(r.at) > keep)) await engine.clearRecords()
}

// begin starts the engine for a page. It gives null, or why nothing can be
// checked.
export const begin = async () => {
  strip(engine.status())
  engine.subscribe(strip)
  setInterval(() => strip(engine.status()), 30000)
  let fault = null
  try { await engine.start() } catch (e) { fault = e }
  strip(engine.status())
  addEventListener('online', send)
  setInterval(send, 60000)
  send().then(forget).catch(() => {})
  return fault
}
