// What every page of the wallet does: it can be opened without network, forgets
// what is over, and reads itself aloud.
import { forgetAll, purge } from './keep.js'

if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register('/app/sw.js', { scope: '/app/' }).then((r) => {
    // The page without network speaks the language that was chosen last.
    const lang = document.documentElement.lang
    if (r.active && localStorage.getItem('lang') !== lang) r.active.postMessage('language')
    localStorage.setItem('lang', lang)
  }).catch(() => {})
}

purge().catch(() => {})

// Who signs out or deletes everything leaves nothing behind. Leaving quickly keeps what was prepared:
// it may be the papers of the way out.
for (const form of document.querySelectorAll('form[action^="/app/sign-out"], form[action="/app/account/delete"]')) {
  form.addEventListener('submit', async (event) => {
    if (form.elements.sure?.checked === false) return // it is asked again, and nothing is deleted
    event.preventDefault()
    await Promise.race([forgetAll().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1500))])
    form.submit()
  })
}

// Reading aloud, where the phone has a voice for the page's language.
const button = document.querySelector('[data-aloud]')
if (button && 'speechSynthesis' in window) {
  const lang = document.documentElement.lang
  const voices = () => speechSynthesis.getVoices().filter((v) => v.lang.toLowerCase().split(/[-_]/)[0] === lang)
  const offer = () => { button.hidden = voices().length === 0 }
  offer()
  speechSynthesis.addEventListener?.('voiceschanged', offer)
  const stop = () => {
    speechSynthesis.cancel()
    button.setAttribute('aria-pressed', 'false')
  }
  stop()
  button.addEventListener('click', () => {
    if (button.getAttribute('aria-pressed') === 'true') return stop()
    const parts = []
    for (const e of document.querySelectorAll('main :is(h1, h2, h3, p, dt, dd, li, legend, label, .govuk-hint, .govuk-button)')) {
      // What another listed element holds is read with it; what is not to be seen
      // is not read.
      if (e === button || e.closest('[hidden], noscript') || !e.offsetParent || e.parentElement.closest('main :is(p, dt, dd, legend, label, .govuk-button)')) continue
      if (e.matches('li, dd, dt') && e.querySelector('h1, h2, h3, p, dl, ul, .govuk-button, label')) continue
      const text = e.innerText.trim()
      if (text) parts.push(text)
    }
    button.setAttribute('aria-pressed', 'true')
    // A text at a time: old phones stop in the middle of long ones.
    parts.forEach((text, i) => {
      const u = new SpeechSynthesisUtterance(text)
      u.lang = lang
      u.voice = voices()[0] ?? null
      u.rate = 0.9
      if (i === parts.length - 1) u.onend = stop
      speechSynthesis.speak(u)
    })
  })
  addEventListener('pagehide', stop)
}
