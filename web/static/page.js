// What every page does: the components of govuk-frontend. Without JavaScript a
// page still shows everything.
import { initAll } from './govuk.js'

document.body.classList.add('js-enabled', 'govuk-frontend-supported')
initAll()

// A menu that stays open behind what one does next is in the way.
for (const menu of document.querySelectorAll('.kp-languages')) {
  document.addEventListener('click', (event) => {
    if (!menu.contains(event.target)) menu.open = false
  })
  menu.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && menu.open) {
      menu.open = false
      menu.querySelector('summary').focus()
    }
  })
}

// Times in the reader's own zone, in the page's language and its order of day
// and month.
const locale = document.documentElement.lang === 'en' ? 'en-GB' : document.documentElement.lang
for (const element of document.querySelectorAll('time[data-local]')) {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', numberingSystem: 'latn' })
  element.textContent = format.format(new Date(element.dateTime))
}

// The way out: the screen is empty at once, the browser goes on to a page that
// says nothing and from which Back does not return, and the session ends. Three
// times Escape does the same.
const exit = document.querySelector('[data-exit]')
if (exit) {
  const leave = () => {
    document.documentElement.hidden = true
    document.title = '…'
    if (exit.dataset.csrf) navigator.sendBeacon('/app/sign-out', new URLSearchParams({ csrf: exit.dataset.csrf }))
    location.replace(navigator.onLine ? exit.href : 'about:blank')
  }
  exit.addEventListener('click', (event) => {
    event.preventDefault()
    leave()
  })
  let pressed = []
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    pressed = [...pressed.filter((t) => event.timeStamp - t < 2000), event.timeStamp]
    if (pressed.length >= 3) leave()
  })
  // A page that the browser kept for Back shows what it was, signed in or not.
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload()
  })
}
