// Shows what was prepared, with network or without.
import { awake, clock, draw, enlarge } from './code.js'
import { current, forget, kept } from './keep.js'

const texts = JSON.parse(document.getElementById('kp-texts').textContent)
const list = document.querySelector('[data-list]')
const none = document.querySelector('[data-none]')
const box = document.querySelector('[data-show]')
const button = box.querySelector('[data-enlarge]')
const time = box.querySelector('[data-time]')
const lang = document.documentElement.lang === 'en' ? 'en-GB' : document.documentElement.lang
const format = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short', numberingSystem: 'latn' })

const network = () => { document.querySelector('[data-offline]').hidden = navigator.onLine }
addEventListener('online', network)
addEventListener('offline', network)
network()

let trips = new Map()
let open = null // the trip whose code is on the screen
let drawn = 0

const byClock = (h) => (t) => format.format(new Date(t - h.skew))

async function show () {
  trips = group(await kept())
  const items = []
  for (const [trip, hours] of trips) {
    const item = document.querySelector('[data-item]').content.cloneNode(true)
    const say = byClock(hours[0])
    item.querySelector('[data-name]').textContent = hours[0].name
    item.querySelector('[data-span]').textContent = texts.span.replace('{from}', say(hours[0].codes[0].from)).replace('{to}', say(hours.at(-1).until))
    const go = item.querySelector('[data-open]')
    go.addEventListener('click', () => raise(trip))
    go.disabled = !current(hours)
    item.querySelector('[data-early]').hidden = Boolean(current(hours))
    item.querySelector('[data-forget]').addEventListener('click', async () => {
      await forget(trip)
      await show()
    })
    items.push(item)
  }
  list.replaceChildren(...items)
  none.hidden = items.length > 0
}

function group (hours) {
  const out = new Map()
  for (const h of hours) out.set(h.trip, [...(out.get(h.trip) ?? []), h])
  return out
}

function raise (trip) {
  open = trip
  drawn = 0
  document.querySelector('[data-all]').hidden = true
  box.hidden = false
  box.querySelector('[data-name]').textContent = trips.get(trip)[0].name
  awake()
  tick()
  box.querySelector('h1').focus()
}

box.querySelector('[data-done]').addEventListener('click', () => {
  open = null
  box.hidden = true
  document.querySelector('[data-all]').hidden = false
  show()
})

function tick () {
  if (!open) return
  const code = current(trips.get(open))
  box.classList.toggle('kp-show--old', !code)
  if (!code) {
    time.textContent = texts.over
    return
  }
  if (code.from !== drawn) {
    button.replaceChildren(draw(code))
    drawn = code.from
  }
  time.textContent = texts.next.replace('{time}', clock(code.seconds))
}

enlarge(button)
setInterval(tick, 1000)
setInterval(() => { if (!open) show() }, 30000)
show()
