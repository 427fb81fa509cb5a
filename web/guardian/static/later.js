// Preparing for a place without network: the codes come an hour at a time and
// are sealed on this phone.
import { forget, keep } from './keep.js'

const texts = JSON.parse(document.getElementById('kp-texts').textContent)
const form = document.querySelector('[data-later]')
const bar = form.querySelector('progress')
const status = form.querySelector('[data-status]')
const problem = document.querySelector('[data-problem]')
const when = form.querySelector('#when')
const hour = 3600000

const pad = (n) => String(n).padStart(2, '0')
const local = (d) => `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}`
const tomorrow = new Date()
tomorrow.setHours(24, 0, 0, 0)
when.min = local(new Date())
when.max = local(new Date(Date.now() + 72 * hour))
when.value = local(tomorrow)

const chosen = (name) => form.querySelector(`[name=${name}]:checked`)?.value ?? ''
const other = form.querySelector('[data-when]')
const follow = () => { other.hidden = chosen('start') !== 'other' }
form.addEventListener('change', follow)
follow()

function begin () {
  switch (chosen('start')) {
    case 'tomorrow': return tomorrow.getTime()
    case 'other': return new Date(when.value).getTime()
  }
  return Date.now()
}

async function codes (from) {
  for (let tries = 0; ; tries++) {
    try {
      const response = await fetch(form.action, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF-Token': form.querySelector('[name=csrf]').value },
        body: JSON.stringify({ from: new Date(from).toISOString(), with: chosen('with') }),
        signal: AbortSignal.timeout?.(30000)
      })
      if (response.ok) return (await response.json()).codes
      if (response.status !== 429 && response.status < 500) throw Object.assign(new Error((await response.json().catch(() => ({}))).message || texts.failed), { final: true })
    } catch (error) {
      if (error.final) throw error
    }
    // Others of the same network may be preparing, too.
    if (tries === 9) throw new Error(texts.failed)
    await new Promise((resolve) => setTimeout(resolve, 5000))
  }
}

let busy = false
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  if (busy) return
  busy = true
  problem.hidden = true
  const trip = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('')
  // The clock of the service counts; the phone's may be wrong.
  const skew = Number(form.dataset.now) - opened
  const start = begin() + (chosen('start') === 'now' ? skew : 0)
  const hours = Number(chosen('hours'))
  bar.hidden = false
  bar.max = hours
  bar.value = 0
  status.textContent = texts.working
  try {
    if (!Number.isFinite(start)) throw new Error(texts.when)
    for (let i = 0; i < hours; i++) {
      const from = start + i * hour
      const list = (await codes(from)).map((c) => ({ from: Date.parse(c.from), until: Date.parse(c.until), size: c.size, bits: c.bits }))
      const whole = list.length >= hour / (4 * 60000)
      await keep({ trip, from, until: whole ? from + hour : list.at(-1).until, skew, child: form.dataset.child, name: form.dataset.name, codes: list })
      bar.value = i + 1
      if (!whole) break
    }
    location.assign('/app/kept')
  } catch (error) {
    await forget(trip).catch(() => {})
    problem.querySelector('[data-problem-text]').textContent = error.message
    problem.hidden = false
    problem.focus()
    bar.hidden = true
    status.textContent = ''
    busy = false
  }
})

const opened = Date.now() - performance.now() + (performance.getEntriesByType('navigation')[0]?.responseStart ?? 0)
