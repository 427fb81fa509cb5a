// The counter: scan, decide, compare, decide again. What was scanned is in this
// page's memory alone and is gone with the next travellers.
import * as engine from './engine.js'
import { scanCamera, scanImage, scanKeys, tidy, warm } from '../scan/scan.js'
import { $, $$, el, icon, announce, problem, faultText, begin, send } from './post.js'
import { t, has, count, scanTexts, age, day, years, name, country, number, ms, said } from './words.js'

const worst = ['red', 'amber', 'info', 'green']
const most = 60 // presentations of one sitting
const away = { green: 3, info: 3, amber: 15, red: 15 } // minutes after which names leave a screen that nobody touches

// What is remembered for the post, on this device.
const keptFacts = ['post', 'direction', 'exit', 'entry']
const post = (() => {
  try { return JSON.parse(localStorage.getItem('kinpass.post')) ?? {} } catch { return {} }
})()

// visit is those who stand at the counter. A child has what was shown for it,
// what the officer compared, and the last decision.
let visit
const newVisit = () => {
  visit = { session: 'v' + crypto.randomUUID(), children: [], at: 0, documents: [], hints: [], facts: {}, adding: false }
}
newVisit()

let camera = null
let busy = false
let taking = null // the code that is being decided about
let wanted = false // something was answered meanwhile
let waiting = [] // codes that came meanwhile
let view = ''

const child = () => visit.children[visit.at]

// Views.

const show = (name, focus) => {
  view = name
  for (const section of $$('[data-view]')) section.hidden = section.dataset.view !== name
  if (name !== 'scan') problem('')
  document.body.dataset.postView = name
  scrollTo(0, 0)
  focus?.focus()
  clock()
}

let timer
// clock starts anew whenever somebody does something.
const clock = () => {
  clearTimeout(timer)
  if (view !== 'decision' && view !== 'override') return
  const colour = visit.children.map((c) => c.decision.colour).sort((a, b) => worst.indexOf(a) - worst.indexOf(b))[0]
  timer = setTimeout(() => finish().then(() => announce(t('away'))), (away[colour] ?? 15) * 60000)
}
for (const kind of ['pointerdown', 'keydown', 'input']) addEventListener(kind, clock, { passive: true })

const where = () => {
  const parts = []
  if (post.post) parts.push(post.post)
  if (post.direction) parts.push(t('direction.' + post.direction))
  if (post.exit || post.entry) parts.push((post.exit ? country(post.exit) : '?') + (document.documentElement.dir === 'rtl' ? ' ← ' : ' → ') + (post.entry ? country(post.entry) : '?'))
  $('[data-where]').textContent = parts.length ? parts.join(' · ') : t('post.unset')
}

// Facts.

const facts = (c) => {
  const f = { session: visit.session }
  for (const k of keptFacts) if (post[k]) f[k] = post[k]
  for (const [k, v] of Object.entries(visit.facts)) if (v) f[k] = v
  if (visit.documents.length) f.adultDocuments = visit.documents
  if (c.confirm.size) f.confirm = [...c.confirm]
  if (c.deny.size) f.deny = [...c.deny]
  return f
}

// Deciding.

const decideFor = async (c) => engine.check({ presentations: c.shown, facts: facts(c) })

const policiesOf = (d) => [...new Set((d.policies ?? []).map((p) => p.id + '/' + p.version))]

// keep puts what was decided into this device's records. No name is in it.
const keep = async (c) => {
  const d = c.decision
  const record = {
    id: c.id, at: c.since, colour: d.colour, codes: d.reasons.map((r) => r.code), bundle: d.bundle.id, bundleAgeSeconds: d.bundle.ageSeconds,
    statusAgeSeconds: d.statusAgeSeconds, policies: policiesOf(d), post: post.post ?? '', ms: c.ms, open: true, sent: false, override: c.override
  }
  if (c.key === undefined) c.key = await engine.saveRecord(record)
  else await engine.changeRecord({ key: c.key, ...record })
}

// decide decides about one child, for the first time or again.
const decide = async (c) => {
  c.decision = await decideFor(c)
  c.id ??= c.decision.id
  c.since ??= c.decision.at
  visit.hints = c.decision.hints ?? []
}

const painted = () => new Promise((resolve) => requestAnimationFrame(() => { const p = new MessageChannel(); p.port1.onmessage = resolve; p.port2.postMessage(0) }))

// place finds the child whom a further code is about, null for another child.
// The check says it: shown together, they come to fewer decisions than children.
const place = async (text) => {
  if (visit.children.length === 0) return null
  const one = { confirm: new Set(), deny: new Set() }
  const firsts = visit.children.map((c) => c.shown[0])
  const all = await engine.check({ presentations: [...firsts, text], group: true, facts: facts(one) })
  if (all.decisions.length > firsts.length) return null
  for (const c of visit.children) {
    const pair = await engine.check({ presentations: [c.shown[0], text], group: true, facts: facts(one) })
    if (pair.decisions.length === 1) return c
  }
  return null
}

// take takes what was scanned. info tells when the camera saw it and how long
// reading took.
const take = async (text, info = {}) => {
  // A scanner does not say a code twice: what comes meanwhile waits its turn.
  if (busy) {
    if (text !== taking && waiting.length < most && !waiting.some((w) => w.text === text)) waiting.push({ text, info })
    return
  }
  // What lies on the reader of documents is an adult's, not a code.
  if (!/^KP1:/.test(text) && /^[A-Z0-9<\s]{28,}$/i.test(text) && text.includes('<')) return takeDocument(text)
  // In front of a decision the next code is that of the next travellers only
  // when an officer says so.
  if (view === 'decision' && !visit.adding) return announce(t('scan.first-done'))
  if (view !== 'scan' && view !== 'decision') return
  if (visit.children.some((c) => c.shown.includes(text))) {
    if (visit.adding) problem(t('scan.same'))
    return
  }
  if (visit.adding && !/^KP1:/.test(text)) return problem(t('scan.not-ours'))
  if (visit.children.reduce((n, c) => n + c.shown.length, 0) >= most) return problem(t('scan.full'))
  busy = true
  taking = text
  problem('')
  const began = performance.now()
  try {
    const known = await place(text)
    const c = known ?? { shown: [], confirm: new Set(), deny: new Set(), override: null }
    if (known && known.shown.length >= 4) return problem(t('scan.full'))
    c.shown.push(text)
    try {
      await decide(c)
    } catch (fault) {
      c.shown.pop()
      throw fault
    }
    const decided = performance.now()
    if (!known) visit.children.push(c)
    visit.at = visit.children.indexOf(c)
    const buzz = { red: [200, 100, 200, 100, 200], amber: [200, 100, 200], info: [100], green: [100] }[c.decision.colour]
    navigator.vibrate?.(buzz)
    if (visit.adding && $('[data-many]').checked) {
      added()
      announce(t('word.' + c.decision.colour))
    } else {
      if (visit.adding) await decideAll()
      visit.adding = false
      decision(true, true)
    }
    await painted()
    const end = performance.now()
    if (!known) {
      // A scanner that types and a picture from a file have no moment of being seen.
      const from = info.frame ?? began - (info.ms ?? 0)
      c.ms = {
        camera: Math.round(began - from - (info.ms ?? 0)), read: Math.round(info.ms ?? 0), decide: Math.round(decided - began),
        show: Math.round(end - decided), total: Math.round(end - from)
      }
    }
    later(child())
    await keep(c)
  } catch (fault) {
    show('scan')
    problem(faultText(fault))
    camera?.again()
  } finally {
    taking = null
    idle()
  }
}

// decideAll decides about everybody again: what later codes brought counts for
// those before, too.
const decideAll = async () => {
  for (const c of visit.children) await decide(c)
}

// again decides anew after the officer answered or entered something.
const again = async (what) => {
  if (busy) {
    wanted = true
    return
  }
  busy = true
  try {
    const before = child().decision.colour
    if (what === 'one') await decide(child())
    else await decideAll()
    for (const c of visit.children) await keep(c)
    decision(false)
    const after = child().decision.colour
    $('[data-changed]').textContent = before === after ? t('changed.same', { word: t('word.' + after) }) : t('changed.new', { word: t('word.' + after) })
  } catch (fault) {
    $('[data-changed]').textContent = faultText(fault)
  } finally {
    idle()
  }
}

// idle goes on with what came while something was decided.
const idle = () => {
  busy = false
  if (wanted) {
    wanted = false
    again()
  } else if (waiting.length > 0) {
    const next = waiting.shift()
    take(next.text, next.info)
  }
}

// The screens.

const person = (c, i, press) => {
  const who = (c.decision.child?.names ?? []).map(name).join(' / ') || t('nobody', { number: String(i + 1) })
  const inside = [icon(c.decision.colour), el('span', { class: 'post-people__name kp-name', dir: 'auto', text: who }), el('strong', { text: t('word.' + c.decision.colour) + (c.override ? ' · ' + t('override.short') : '') })]
  return el('li', { 'data-colour': c.decision.colour }, press
    ? el('button', { type: 'button', class: 'post-people__button', 'aria-current': String(i === visit.at), 'data-person': i }, ...inside)
    : el('span', { class: 'post-people__button' }, ...inside))
}

// added lists whom the scan view has already.
const added = () => {
  const box = $('[data-added]')
  box.hidden = visit.children.length === 0
  const tally = worst.map((w) => [w, visit.children.filter((c) => c.decision.colour === w).length]).filter(([, n]) => n > 0)
  $('[data-added-title]').textContent = count('scan.added', visit.children.length) + ' – ' + tally.map(([w, n]) => number(n) + ' ' + t('word.' + w)).join(' · ')
  $('[data-added-list]').replaceChildren(...visit.children.map((c, i) => person(c, i, false)))
  $('[data-scan-title]').textContent = t(visit.adding ? 'scan.title-more' : 'scan.title')
}

// decision shows what was decided about the child in view. Soon: first what an
// officer acts on and whom they look at, and what they may ask or look up when
// that is painted (later).
const decision = (focus = true, soon = false) => {
  const c = child()
  const words = said(c.decision)
  verdict(c, words)
  if (!soon) rest(c, words)
  $('[data-rest]').setAttribute('aria-busy', String(soon))
  if (view !== 'decision') show('decision', focus ? $('[data-verdict]') : undefined)
  else if (focus) $('[data-verdict]').focus()
}

// later shows the rest of a decision, if it is still in view.
const later = (c) => {
  if (view !== 'decision' || child() !== c) return
  rest(c, said(c.decision))
  $('[data-rest]').setAttribute('aria-busy', 'false')
}

const rest = (c, words) => {
  ask(c.decision)
  why(c.decision, words, c.ms)
}

const verdict = (c, words) => {
  const d = c.decision
  const people = $('[data-people]')
  people.hidden = visit.children.length < 2
  people.replaceChildren(...visit.children.map((c, i) => person(c, i, true)))

  const panel = $('[data-verdict]')
  panel.dataset.colour = d.colour
  $('[data-symbol] use').setAttribute('href', '#post-' + d.colour)
  $('[data-word]').textContent = t('word.' + d.colour)
  $('[data-sub]').textContent = t('sub.' + d.colour)
  $('[data-lines]').replaceChildren(...words.lines.map((text) => el('li', { text })))
  $('[data-next]').textContent = words.next
  $('[data-next-box]').dataset.colour = d.colour
  $('[data-changed]').textContent = ''
  const over = $('[data-overridden]')
  over.hidden = !c.override
  if (c.override) over.textContent = t('override.done-' + c.override.act) + (c.override.second ? ' ' + t('override.second-is', { second: c.override.second }) : '') + ' ' + t('override.keeps', { word: t('word.' + d.colour) })
  compare(c, d)
}

const compare = (c, d) => {
  $('[data-compare]').hidden = d.child === null && d.compare === null
  if (d.child !== null) {
    $('[data-child-name]').replaceChildren(...d.child.names.map((n) => el('bdi', { dir: 'ltr', text: name(n) })))
    const old = years(d.child.birthDate)
    $('[data-child-facts]').textContent = [
      d.child.birthDate ? t('compare.born', { day: day(d.child.birthDate) }) : t('compare.born-unknown'),
      old === null ? '' : count('compare.years', old), t('sex.' + ([1, 2].includes(d.child.sex) ? d.child.sex : 0))
    ].filter(Boolean).join(' · ')
    $('[data-portrait]').textContent = t(d.compare?.portrait ? 'compare.portrait' : 'compare.no-portrait')
  }
  $('[data-child]').hidden = d.child === null
  const twins = $('[data-twins]')
  twins.hidden = !(d.compare?.twins > 1)
  twins.textContent = d.compare?.twins > 1 ? t('compare.twins', { number: String(d.compare.twins) }) : ''
  const adults = d.compare?.adults ?? []
  $('[data-adult-list]').replaceChildren(...adults.map((a) => el('li', {},
    el('p', { class: 'post-name' }, ...(a.names ?? []).map((n) => el('bdi', { dir: 'ltr', text: name(n) }))),
    el('p', { class: 'govuk-body', text: has('role.' + a.role) ? t('role.' + a.role) : t('role.other') }))))
  $('[data-adults-title]').textContent = t(adults.length === 0 ? 'compare.adults-none' : 'compare.adults')
  $('[data-answer="document"]').hidden = adults.length === 0
  $('[data-receiver]').hidden = !d.reasons.some((r) => r.code === 'RECEIVER_UNVERIFIED') && !c.confirm.has('receiver') && !c.deny.has('receiver')
  for (const group of $$('[data-answer]')) {
    const what = group.dataset.answer
    $('[data-say="yes"]', group).setAttribute('aria-pressed', String(c.confirm.has(what)))
    $('[data-say="no"]', group).setAttribute('aria-pressed', String(c.deny.has(what)))
  }
  documents()
}

// ask shows the questions whose answers could change the outcome.
const ask = (d) => {
  const box = $('[data-ask]')
  const can = d.ask.filter((fact) => fact !== 'adultDocument' && factField(fact))
  box.hidden = can.length === 0
  const fields = can.map((fact) => {
    const group = factField(fact).closest('.govuk-form-group').cloneNode(true)
    const input = $('[data-fact]', group)
    input.id = 'ask-' + input.id
    $('label', group).htmlFor = input.id
    input.value = visit.facts[fact] ?? ''
    return group
  })
  $('[data-ask-fields]').replaceChildren(...fields)
}

const factField = (fact) => $('[data-facts-here] [data-fact="' + fact + '"]')

const why = (d, words, took) => {
  $('[data-reasons]').replaceChildren(...words.reasons.map((r) => el('li', { 'data-colour': r.colour }, icon(r.colour), el('span', {}, el('span', { text: r.text }), ' ', el('code', { dir: 'ltr', text: r.code })))))
  $('[data-decided-with]').replaceChildren(t('why.bundle') + ' ', el('bdi', { dir: 'ltr', text: d.bundle.id.slice(0, 8) }), ' · ' + age(d.bundle.ageSeconds))
  const pairs = [['why.data', age(d.bundle.ageSeconds)]]
  if (d.statusAgeSeconds >= 0) pairs.push(['why.lists', age(d.statusAgeSeconds)])
  for (const p of d.policies ?? []) pairs.push(['why.policy', p.label + (p.country ? ' (' + country(p.country) + ')' : '')])
  const time = el('div', {}, el('dt', { text: t('why.time') }), el('dd', { 'data-took': true, text: took ? t('took', { ms: ms(took.total) }) : '' }))
  $('[data-with]').replaceChildren(...pairs.map(([key, value]) => el('div', {}, el('dt', { text: t(key) }), el('dd', { text: value }))), time)
}

// Documents of adults.

// zoneIn gives the machine-readable lines of a text that has more in it, as
// programs that read letters from a picture give it.
const zoneIn = (text) => {
  const lines = text.split(/\r\n|[\r\n\v\f\u2028\u2029]/)
  const zone = lines.filter((l) => /^\s*[A-Z0-9<«‹ ]{28,48}\s*$/i.test(l) && (/[<«‹]/.test(l) || lines.length < 4))
  return zone.length >= 2 && zone.length <= 3 && zone.length < lines.filter((l) => l.trim()).length ? zone.join('\n') : text
}

const takeDocument = async (text) => {
  const zone = zoneIn(text.trim())
  if (!zone || visit.documents.length >= 8) return
  if (!visit.documents.includes(zone)) visit.documents.push(zone)
  if (visit.children.length) await again()
  else announce(t('document.taken'))
  documents()
}

// documents lists what was read. Of a number only the end is shown: it is for
// telling two apart.
const documents = () => {
  $('[data-document-list]').replaceChildren(...visit.documents.map((text, i) => {
    const lines = text.split('\n')
    const line = el('li', { class: 'post-document' }, el('span', { class: 'post-mono', dir: 'ltr', text: lines.length === 3 ? lines[2] : lines[0] }),
      el('button', { type: 'button', class: 'kp-link-button', 'data-forget': i, text: t('document.forget'), 'aria-label': t('document.forget-number', { number: String(i + 1) }) }))
    const hint = visit.hints.find((h) => (h.path ?? h.Path) === '/adultDocuments/' + i)
    if (hint) line.append(el('p', { class: 'govuk-error-message', text: t('document.bad') }))
    return line
  }))
}

const mayTakeDocument = async () => {
  const field = $('#document')
  const error = $('[data-document-error]')
  const empty = field.value.trim() === ''
  error.hidden = !empty
  error.textContent = empty ? t('document.empty') : ''
  field.setAttribute('aria-describedby', empty ? 'document-error document-hint' : 'document-hint')
  if (empty) return field.focus()
  const text = field.value
  field.value = ''
  await takeDocument(text)
}

// Ending and going on.

// wipe takes everybody's names off the page.
const wipe = () => {
  for (const section of ['[data-child-name]', '[data-child-facts]', '[data-adult-list]', '[data-people]', '[data-added-list]', '[data-document-list]', '[data-lines]', '[data-reasons]', '[data-with]', '[data-decided-with]', '[data-ask-fields]']) $(section).replaceChildren()
}

// finish ends the visit: names, codes and documents leave this page. Where the
// same people show a new code, what was entered about them stays.
const finish = async (same = false) => {
  const closing = visit.children
  const { session, documents: had, facts } = visit
  newVisit()
  waiting = []
  wanted = false
  if (same) Object.assign(visit, { session, documents: had, facts })
  wipe()
  for (const field of $$('[data-facts-here] [data-fact]')) field.value = visit.facts[field.dataset.fact] ?? ''
  for (const field of ['#document', '#text', '#reason', '#second']) $(field).value = ''
  $('[data-many]').checked = false
  $('[data-changed]').textContent = ''
  added()
  documents()
  show('scan', $('[data-scan-title]'))
  camera?.again(closing.flatMap((c) => c.shown)) // which the travellers before may still hold there
  for (const c of closing) {
    if (c.key === undefined) continue
    const record = (await engine.records()).find((r) => r.key === c.key)
    if (record) await engine.changeRecord({ ...record, open: false })
  }
  send()
}

const add = () => {
  visit.adding = true
  added()
  show('scan', $('[data-scan-title]'))
}

// Overriding.

const overriding = () => {
  const d = child().decision
  $('[data-was]').replaceChildren(icon(d.colour), el('strong', { text: t('word.' + d.colour) }), ' ', said(d).lines[0] ?? '')
  $('[data-was]').dataset.colour = d.colour
  $('[data-override-problem]').hidden = true
  for (const r of $$('input[name="act"]')) r.checked = false
  second()
  show('override', $('#override-title'))
}

const act = () => $('input[name="act"]:checked')?.value ?? ''

// second asks for a second person where one is needed: to let pass what is red.
const second = () => { $('[data-group="second"]').hidden = !(child().decision.colour === 'red' && act() === 'pass') }

const override = async (event) => {
  event.preventDefault()
  const reason = $('#reason').value.trim()
  const other = $('#second').value.trim()
  const two = !$('[data-group="second"]').hidden
  const wrong = []
  if (!act()) wrong.push(['act', t('override.act-missing')])
  if ([...reason].length < 10) wrong.push(['reason', t('override.reason-short')])
  if (two && [...other].length < 2) wrong.push(['second', t('override.second-missing')])
  for (const group of $$('[data-override-form] [data-group]')) {
    const mine = wrong.find(([field]) => field === group.dataset.group)
    group.classList.toggle('govuk-form-group--error', mine !== undefined)
    $('.govuk-error-message', group)?.remove()
    if (mine) group.prepend(el('p', { class: 'govuk-error-message', id: mine[0] + '-error', text: mine[1] }))
  }
  const box = $('[data-override-problem]')
  box.hidden = wrong.length === 0
  $('[data-override-errors]').replaceChildren(...wrong.map(([field, text]) => el('li', {}, el('a', { href: '#' + field, text }))))
  if (wrong.length) return box.focus()
  child().override = { act: act(), reason, second: two ? other : '', at: new Date().toISOString() }
  await keep(child())
  $('#reason').value = ''
  $('#second').value = ''
  decision()
}

// The camera.

const lit = async (on) => {
  const button = $('[data-light]')
  await camera?.light(on)
  button.setAttribute('aria-pressed', String(on))
}

const dark = (is) => {
  $('[data-video]').hidden = is
  $('[data-dark]').hidden = !is
  $('[data-camera-tools]').hidden = is
}

let awake = null

const startCamera = async () => {
  problem('')
  try {
    camera = await scanCamera($('[data-video]'), (text, info) => {
      if (view === 'scan') return take(tidy(text), info)
    }, (error) => {
      camera = null
      dark(true)
      problem(scanTexts[error.code] ?? scanTexts.broken)
    })
  } catch (error) {
    dark(true)
    problem(scanTexts[error.code] ?? scanTexts.broken)
    return
  }
  dark(false)
  $('[data-light]').hidden = !camera.canLight()
  const all = await camera.cameras()
  $('[data-cameras-group]').hidden = all.length < 2
  $('[data-cameras]').replaceChildren(...all.map((c, i) => el('option', { value: c.id, text: c.label || t('camera', { number: String(i + 1) }), selected: c.id === camera.current() })))
  try { awake = await navigator.wakeLock?.request('screen') } catch { /* the screen goes dark when it likes */ }
}

const stopCamera = () => {
  camera?.stop()
  camera = null
  awake?.release().catch(() => {})
  dark(true)
}

// The page.

const wire = () => {
  $('[data-documents-here]').append($('template[data-documents]').content.cloneNode(true))
  $('[data-facts-here]').append($('template[data-facts]').content.cloneNode(true))
  const options = $('template[data-countries]').content
  for (const select of $$('select[data-country]')) select.append(options.cloneNode(true))
  for (const key of ['post', 'exit', 'entry']) $('[data-kept="' + key + '"]').value = post[key] ?? ''
  for (const r of $$('input[name="direction"]')) r.checked = r.value === post.direction

  $('[data-start]').addEventListener('click', startCamera)
  $('[data-stop]').addEventListener('click', stopCamera)
  $('[data-light]').addEventListener('click', () => lit($('[data-light]').getAttribute('aria-pressed') !== 'true'))
  $('[data-cameras]').addEventListener('change', ({ target }) => camera?.use(target.value).catch((e) => problem(scanTexts[e.code] ?? scanTexts.broken)))
  $('[data-picture]').addEventListener('change', async ({ target }) => {
    const file = target.files[0]
    target.value = ''
    if (!file) return
    try {
      const began = performance.now()
      const text = await scanImage(file)
      if (text === null) problem(scanTexts['no-code'])
      else await take(tidy(text), { ms: performance.now() - began })
    } catch (error) {
      problem(scanTexts[error.code] ?? scanTexts.broken)
    }
  })
  $('[data-typed]').addEventListener('submit', (event) => {
    event.preventDefault()
    const text = $('#text').value.replace(/^\s+|[\r\n]+$/g, '')
    if (text === '') return problem(t('scan.empty'))
    $('#text').value = ''
    take(tidy(text))
  })
  scanKeys(document, take)

  document.addEventListener('click', ({ target }) => {
    const at = target.closest('[data-person]')
    if (at) {
      visit.at = Number(at.dataset.person)
      return decision()
    }
    const answer = target.closest('[data-say]')
    if (answer) {
      const what = answer.closest('[data-answer]').dataset.answer
      const [to, from] = answer.dataset.say === 'yes' ? [child().confirm, child().deny] : [child().deny, child().confirm]
      from.delete(what)
      if (!to.delete(what)) to.add(what) // pressed again: taken back
      return again('one')
    }
    const forget = target.closest('[data-forget]')
    if (forget) {
      visit.documents.splice(Number(forget.dataset.forget), 1)
      visit.hints = []
      if (visit.children.length) again()
      else documents()
    }
  })
  document.addEventListener('change', ({ target }) => {
    const fact = target.dataset?.fact
    if (!fact) return
    visit.facts[fact] = target.value
    for (const other of $$('[data-fact="' + fact + '"]')) if (other !== target) other.value = target.value
    if (visit.children.length) again()
  })
  $('[data-take-document]').addEventListener('click', mayTakeDocument)
  $('[data-show]').addEventListener('click', async () => {
    visit.adding = false
    await again()
    decision()
  })
  for (const b of ['[data-done]', '[data-end]']) $(b).addEventListener('click', () => finish())
  $('[data-again]').addEventListener('click', () => finish(true))
  $('[data-add]').addEventListener('click', add)
  $('[data-override]').addEventListener('click', overriding)
  $('[data-override-back]').addEventListener('click', () => decision())
  $('[data-override-form]').addEventListener('submit', override)
  for (const r of $$('input[name="act"]')) r.addEventListener('change', second)
  $('[data-change-post]').addEventListener('click', () => show('post', $('#post-title')))
  $('[data-post-form]').addEventListener('submit', (event) => {
    event.preventDefault()
    for (const key of ['post', 'exit', 'entry']) post[key] = $('[data-kept="' + key + '"]').value.trim()
    post.direction = $('input[name="direction"]:checked')?.value ?? ''
    try { localStorage.setItem('kinpass.post', JSON.stringify(post)) } catch { /* asked again after a reload */ }
    where()
    show('scan', $('[data-scan-title]'))
  })
  // The same place serves before a scan and beside the adult's card after one.
  const documentsNode = $$('[data-documents-here] > *')
  new MutationObserver(() => $(view === 'decision' ? '[data-documents-there]' : '[data-documents-here]').append(...documentsNode))
    .observe(document.body, { attributes: true, attributeFilter: ['data-post-view'] })
}

// rehearse decides about people who do not exist and draws that where nobody sees
// it, so that nothing is done for the first time when travellers come. It draws and
// wipes in one piece: nothing is painted, focused or announced.
const rehearse = async () => {
  for (let i = 0; i < 3; i++) {
    const made = { shown: [], confirm: new Set(), deny: new Set(), override: null, decision: await engine.rehearse(), ms: { total: 100 } }
    if (busy || visit.children.length + visit.documents.length > 0) return
    const section = $('[data-view="decision"]')
    const words = said(made.decision)
    verdict(made, words)
    rest(made, words)
    section.hidden = false
    section.getBoundingClientRect() // has the browser lay it out
    section.hidden = true
    wipe()
  }
}

wire()
where()
added()
show(Object.keys(post).length ? 'scan' : 'post')
warm().catch(() => {})
const fault = await begin()
if (fault !== null) problem(faultText(fault))
else await rehearse().catch(() => {})
document.body.dataset.postReady = fault === null ? 'yes' : 'no'
// Who let this page use the camera before wants it at once.
try {
  if (view === 'scan' && (await navigator.permissions.query({ name: 'camera' })).state === 'granted') await startCamera()
} catch { /* the button starts it */ }
// Names do not stay in a page that a browser keeps aside.
addEventListener('pagehide', () => { if (visit.children.length) { stopCamera(); finish() } })
