// The code full screen: a new one before the old one is stale, the time that is
// left, and the screen kept on.
import { awake, clock, draw, enlarge } from './code.js'
import { current, kept } from './keep.js'

const texts = JSON.parse(document.getElementById('kp-texts').textContent)
const box = document.querySelector('[data-show]')
const button = box.querySelector('[data-enlarge]')
const time = box.querySelector('[data-time]')
const status = box.querySelector('[data-status]')

// A code is asked for anew while the old one is still good for this long, in
// seconds: a slow network has time, and an officer has time to scan.
const ahead = 75
const patience = 8

let end = performance.now() + box.dataset.seconds * 1000
let asking = false
let next = 0 // when to ask again after a failure
const left = () => Math.ceil((end - performance.now()) / 1000)

async function refresh () {
  if (asking || performance.now() < next) return
  asking = true
  try {
    const response = await fetch(box.dataset.code, { headers: { Accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout?.(patience * 1000) })
    if (response.status === 401) return location.reload()
    if (!response.ok) throw new Error(String(response.status))
    const code = await response.json()
    button.replaceChildren(draw(code))
    end = performance.now() + code.seconds * 1000
    status.textContent = texts.new
  } catch {
    next = performance.now() + 5000
    await fallBack()
  } finally {
    asking = false
  }
}

// Without network, what was prepared for this child takes over when the code is
// stale.
async function fallBack () {
  if (left() > 0) return
  const code = current((await kept().catch(() => [])).filter((h) => h.child === box.dataset.child))
  if (!code) return
  button.replaceChildren(draw(code))
  end = performance.now() + code.seconds * 1000
}

function tick () {
  const seconds = left()
  if (seconds <= ahead) refresh()
  const old = seconds <= 0
  box.classList.toggle('kp-show--old', old)
  time.textContent = old ? texts.old : texts.left.replace('{time}', clock(seconds))
  if (old) status.textContent = texts.old
}

enlarge(button)
awake()
tick()
setInterval(tick, 1000)
// A phone that slept shows a fresh code as soon as it is looked at.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') {
    next = 0
    tick()
  }
})
