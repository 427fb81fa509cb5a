// This device: what it checks with, how it gets newer, how fast it is.
import * as engine from './engine.js'
import { $, el, begin, problem, faultText, freshness, stateOf } from './post.js'
import { t, age, moment, number, ms, kilobytes, percent } from './words.js'

const budget = 100 // ms from the camera's picture to the decision on the screen

const rows = (list, pairs) => list.replaceChildren(...pairs.map(([key, value, values]) =>
  el('div', { class: 'govuk-summary-list__row' }, el('dt', { class: 'govuk-summary-list__key', text: t('device.' + key, values) }), el('dd', { class: 'govuk-summary-list__value', text: value }))))

const bundle = (s) => {
  const b = s.bundle
  $('[data-anchor-changed]').hidden = !engine.anchorInfo()?.changed
  $('[data-anchor-offered]').textContent = (engine.anchorInfo()?.offered ?? []).join(' ')
  offices(b?.offices ?? [])
  if (b === null) return rows($('[data-bundle-facts]'), [['age', t('strip.none')]])
  rows($('[data-bundle-facts]'), [
    ['age', t('device.age-' + freshness(b), { age: age(b.ageSeconds) })],
    ['signed', moment(b.signedAt)],
    ['number', String(b.sequence)],
    ['id', b.id],
    ['hub', b.hub],
    ...(b.oldestList ? [['oldest', `${moment(b.oldestList)} (${age((Date.now() - Date.parse(b.oldestList)) / 1000)})`]] : []),
    ...(b.refused ? [['refused', number(b.refused)]] : []),
    ['contents', t('device.contents-text', { issuers: number(b.issuers ?? 0), lists: number(b.lists ?? 0), policies: number(b.policies ?? 0), size: kilobytes(b.bytes ?? 0) })],
    ['anchor', (engine.anchorInfo()?.fingerprints ?? []).join(' ')]
  ])
}

// offices shows what each office's lists know.
const offices = (all) => {
  $('[data-offices-shown]').hidden = all.length === 0
  const cell = (label, child) => el('td', { class: 'govuk-table__cell', 'data-label': $(`[data-label-${label}]`).textContent }, child)
  $('[data-offices]').replaceChildren(...all.map((o) => {
    const [state, colour] = stateOf(o)
    return el('tr', { class: 'govuk-table__row' },
      el('th', { class: 'govuk-table__header', scope: 'row' }, el('bdi', { text: o.country ? `${o.name} (${o.country})` : o.name })),
      cell('lists', el('span', { text: number(o.lists) })),
      cell('known', el('span', { text: o.oldestList ? moment(o.oldestList) : '–' })),
      cell('state', el('strong', { class: `govuk-tag govuk-tag--${colour}`, text: t('device.state-' + state) })))
  }))
}

const program = (s) => rows($('[data-program]'), [
  ['wasm', ms(s.wasmMs)],
  ['go', s.go],
  ...(packed ? [['packed', kilobytes(packed)]] : []),
  ['kept', t(s.persisted ? 'device.kept-yes' : 'device.kept-no')]
])

let packed = 0

const times = async () => {
  const all = (await engine.records()).filter((r) => r.ms?.total > 0)
  const total = all.map((r) => r.ms.total).sort((a, b) => a - b)
  const at = (share) => total[Math.min(total.length - 1, Math.floor(total.length * share))]
  if (total.length === 0) return rows($('[data-times]'), [['measured', t('device.none')]])
  const within = total.filter((took) => took <= budget).length
  rows($('[data-times]'), [
    ['measured', number(total.length)],
    ['median', ms(at(0.5))],
    ['slowest', ms(at(0.95))],
    ['budget', percent(within / total.length), { budget: ms(budget) }]
  ])
  $('[data-bars]').replaceChildren(...all.slice(0, 20).map((r) => el('li', { 'data-slow': r.ms.total > budget },
    el('span', { text: t('device.parts', { total: ms(r.ms.total), camera: ms(r.ms.camera ?? 0), read: ms(r.ms.read), decide: ms(r.ms.decide), show: ms(r.ms.show ?? 0) }) }),
    el('meter', { min: 0, max: 2 * budget, high: budget, value: Math.min(r.ms.total, 2 * budget), 'aria-label': ms(r.ms.total) }))))
}

const updated = (text) => { $('[data-updated]').textContent = text }

// attempt brings newer border data and says what came of it.
const attempt = async (bring) => {
  problem('')
  updated(t('device.updating'))
  try {
    const before = engine.status().bundle?.sequence
    const got = await bring()
    updated(t(got.sequence === before ? 'device.newest' : 'device.updated', { time: moment(got.signedAt) }))
  } catch (fault) {
    updated('')
    problem(faultText(fault))
  }
  bundle(engine.status())
}

$('[data-update]').addEventListener('click', () => attempt(engine.updateBundle))
// Another anchor makes the data in hand worthless: new data comes with it.
$('[data-anchor-accept]').addEventListener('click', () => attempt(() => engine.acceptAnchor().then(engine.updateBundle)))
$('[data-bundle-file]').addEventListener('change', async ({ target }) => {
  if (target.files.length) await attempt(() => engine.loadBundle(target.files[0]))
  target.value = ''
})

const fault = await begin()
if (fault !== null) problem(faultText(fault))
engine.subscribe((s) => { bundle(s); program(s) })
bundle(engine.status())
program(engine.status())
await times()
fetch(new URL('check.wasm.gz', import.meta.url)).then(async (r) => { packed = (await r.arrayBuffer()).byteLength; program(engine.status()) }, () => {})
