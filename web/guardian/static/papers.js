// Consents: links that are copied and sent, and what the other guardians did
// meanwhile.
const texts = JSON.parse(document.getElementById('kp-texts')?.textContent ?? '{}')

const link = document.querySelector('[data-link]')
const said = document.querySelector('[data-copied]')
const copy = document.querySelector('[data-copy]')
if (copy && navigator.clipboard) {
  copy.hidden = false
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(link.textContent.trim())
      said.textContent = texts.copied
    } catch {
      said.textContent = texts['not-copied']
    }
  })
}
const send = document.querySelector('[data-send]')
if (send && navigator.share) {
  send.hidden = false
  send.addEventListener('click', () => navigator.share({ text: link.textContent.trim() }).catch(() => {}))
}

// Somebody who opened a link in a message has its secret in the fragment, which
// no server sees. It stays in this tab until its owner has signed in, and then
// neither in the address bar nor in the history.
const kept = 'kinpass link'
const box = document.querySelector('[data-open-link]')
if (box) {
  const [, drop] = location.pathname.match(/^\/app\/link\/([\w-]+)$/) ?? []
  if (drop && location.hash.length > 1) {
    sessionStorage.setItem(kept, `${location.origin}/wallet/drops/${drop}${location.hash}`)
    history.replaceState(null, '', '/app/link')
  }
  const text = sessionStorage.getItem(kept)
  const field = box.querySelector('#link')
  if (field && text) {
    if (!field.value) field.value = text
    sessionStorage.removeItem(kept)
  } else if (link && text) {
    link.textContent = text
  }
}

// What the others did since the page was made.
const page = document.querySelector('[data-news]')
if (page) {
  const ask = async () => {
    if (document.hidden) return
    try {
      const r = await fetch(page.dataset.news, { headers: { Accept: 'application/json' } })
      if (!r.ok) return
      const n = await r.json()
      if (`${n.state} ${n.joined} ${n.signed}` === page.dataset.now) return
      document.querySelector('[data-news-text]').textContent = texts.news
      setTimeout(() => location.replace(location.pathname), 1500)
      clearInterval(timer)
    } catch {
      // There is no connection now; the next time there may be.
    }
  }
  const timer = setInterval(ask, 5000)
  document.addEventListener('visibilitychange', ask)
}

const print = document.querySelector('[data-print]')
if (print) {
  print.hidden = false
  print.addEventListener('click', () => window.print())
}
for (const choice of document.querySelectorAll('select[name="second"]')) choice.addEventListener('change', () => choice.form.submit())
