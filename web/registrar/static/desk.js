// What somebody types at the desk stays in this browser until it is registered:
// a lost connection costs nothing. It is kept encrypted, with a key that only a
// page for the same person holds, for a day at most.

const texts = JSON.parse(document.getElementById('kp-texts')?.textContent ?? '{}')
const prefix = 'kinpass-draft:'
const life = 24 * 60 * 60 * 1000

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole)
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
const text = (data) => btoa(Array.from(new Uint8Array(data), (b) => String.fromCharCode(b)).join(''))

// Whoever signs out has nothing kept any more, by what is still under way either.
let leaving = false

// Storage may be forbidden or full: then nothing is kept, and nothing says so.
const stored = {
  names() { try { return Object.keys(localStorage).filter((k) => k.startsWith(prefix)) } catch { return [] } },
  get(name) { try { return localStorage.getItem(name) } catch { return null } },
  set(name, value) { try { if (!leaving) localStorage.setItem(name, value); return !leaving } catch { return false } },
  remove(name) { try { localStorage.removeItem(name) } catch { /* nothing was kept */ } }
}

const holder = document.querySelector('[data-draft]')
let secret
const ours = async () => {
  secret ??= crypto.subtle.importKey('raw', bytes(holder.dataset.draft), 'AES-GCM', false, ['encrypt', 'decrypt'])
  return secret
}

const keep = async (key, draft) => {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await ours(), new TextEncoder().encode(JSON.stringify(draft)))
  return stored.set(prefix + key, JSON.stringify({ at: draft.at, iv: text(iv), data: text(sealed) }))
}

// open gives a draft, null for one that is another person's or broken. One that is
// too old is removed.
const open = async (name) => {
  try {
    const kept = JSON.parse(stored.get(name))
    if (Date.now() - kept.at > life) {
      stored.remove(name)
      return null
    }
    const data = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: bytes(kept.iv) }, await ours(), bytes(kept.data))
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    return null
  }
}

const locale = document.documentElement.lang === 'en' ? 'en-GB' : document.documentElement.lang
const clock = (at) => new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', numberingSystem: 'latn' }).format(new Date(at))
const moment = (at) => new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', hour: '2-digit', minute: '2-digit', numberingSystem: 'latn' }).format(new Date(at))

// Parts of a form that only matter after some answers.
const answer = (form, name) => {
  const one = form.querySelector(`[name="${name}"]:checked, select[name="${name}"], input[type="hidden"][name="${name}"]`)
  return one ? one.value : ''
}
const reveal = (form) => {
  for (const part of form.querySelectorAll('[data-when]')) {
    part.hidden = !part.dataset.is.split(' ').includes(answer(form, part.dataset.when))
  }
}
const unfold = (form) => {
  for (const part of form.querySelectorAll('details[data-open-if]')) {
    for (const name of part.dataset.openIf.split(' ')) {
      const field = form.elements[name]
      if (field instanceof RadioNodeList ? Array.from(field).some((x) => x.checked) : field?.type === 'checkbox' ? field.checked : field?.value && field.value !== 'none') part.open = true
    }
    if (part.querySelector('.govuk-form-group--error')) part.open = true
  }
}

const form = document.querySelector('form[data-draft-at]')
const final = document.querySelector('form[data-send]')

// say shows how things stand with what was typed.
const box = document.querySelector('[data-kept]')
const say = (message, offline) => {
  if (!box || !message) return
  box.hidden = false
  box.classList.toggle('desk-kept--offline', Boolean(offline))
  if (box.textContent !== message) box.textContent = message
}
const problem = (title, message) => {
  const b = document.querySelector('[data-offline]')
  b.querySelector('[data-offline-title]').textContent = title
  b.querySelector('[data-offline-text]').textContent = message
  b.hidden = false
  b.focus()
  b.scrollIntoView({ block: 'start' })
}

// reaches asks whether a form would arrive and be taken, and has it sent by whoever
// is signed in now, if that is the same person.
const reaches = async (f) => {
  try {
    const r = await fetch('/app/alive', { cache: 'no-store', headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(15000) })
    if (!r.ok) return r.status === 401 ? 'signed-out' : 'no'
    const { csrf, draft } = await r.json()
    if (draft !== holder.dataset.draft) return 'signed-out'
    f.elements.csrf.value = csrf
    return 'yes'
  } catch {
    return 'no'
  }
}

// Before a form is sent, it is asked whether it will arrive: a browser that finds
// no service would leave the page behind.
const careful = (f, before) => {
  let sure = false
  f.addEventListener('submit', async (event) => {
    if (sure) {
      sure = false
      return
    }
    event.preventDefault()
    const kept = await before()
    const there = await reaches(f)
    if (there === 'yes') {
      sure = true
      f.requestSubmit(event.submitter)
      return
    }
    problem(texts[there === 'no' ? 'offline-title' : 'signed-out-title'], texts[there === 'no' ? (kept ? 'offline-kept' : 'offline-not-kept') : 'signed-out-text'])
  })
}

// What is the same all day at one desk and says nothing of anybody.
const usual = 'kinpass-desk:'
const fillUsual = () => {
  for (const field of form.querySelectorAll('[name="office"], [name="place-country"]')) {
    if (!field.value) field.value = stored.get(usual + field.name) ?? ''
  }
}
const keepUsual = () => {
  for (const name of ['office', 'place-country']) {
    if (form.elements[name]?.value) stored.set(usual + name, form.elements[name].value)
  }
}

if (form) {
  const key = () => form.elements.key.value
  let touched = false
  const values = () => Array.from(new FormData(form)).filter(([name]) => !['csrf', 'key'].includes(name))
  const save = async () => {
    const at = Date.now()
    const ok = await keep(key(), { at, kind: form.dataset.draftKind, where: form.dataset.draftAt, values: values() })
    if (ok) say(fill(navigator.onLine ? texts.kept : texts['kept-offline'], { time: clock(at) }), !navigator.onLine)
    return ok
  }
  let timer
  const changed = () => {
    touched = true
    clearTimeout(timer)
    timer = setTimeout(save, 400)
  }
  form.addEventListener('input', changed)
  form.addEventListener('change', () => { reveal(form); changed() })
  addEventListener('offline', () => { if (touched) save(); else say(texts['kept-offline-empty'], true) })
  addEventListener('online', () => { if (touched) save(); else box.hidden = true })
  careful(form, save)

  // A draft that is taken up again keeps its key, so that a form which was sent
  // before and is sent once more is known.
  const wanted = location.hash.startsWith('#draft=') ? location.hash.slice(7) : ''
  if (wanted) {
    history.replaceState(null, '', location.pathname + location.search)
    const draft = await open(prefix + wanted)
    if (draft) {
      for (const field of form.elements) if (['checkbox', 'radio'].includes(field.type)) field.checked = false
      for (const [name, value] of draft.values) {
        for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
          if (['checkbox', 'radio'].includes(field.type)) field.checked ||= field.value === value
          else field.value = value
        }
      }
      form.elements.key.value = wanted
      say(fill(texts.restored, { time: moment(draft.at) }))
    }
  }
  if (form.hasAttribute('data-fresh') && !wanted) fillUsual()
  form.addEventListener('submit', keepUsual)
  reveal(form)
  unfold(form)
}

if (final) {
  careful(final, async () => stored.get(prefix + final.dataset.send) !== null)
  final.addEventListener('submit', () => { try { sessionStorage.setItem(prefix + 'sent', final.dataset.send) } catch { /* the draft goes by itself after a day */ } })
}

// What is registered need not be kept.
if (document.querySelector('[data-done]')) {
  try {
    const sent = sessionStorage.getItem(prefix + 'sent')
    if (sent) stored.remove(prefix + sent)
    sessionStorage.removeItem(prefix + 'sent')
  } catch { /* it goes by itself after a day */ }
}

// What was begun and not sent.
const list = document.querySelector('[data-drafts]')
if (list) {
  for (const name of stored.names()) {
    const draft = await open(name)
    if (!draft || !draft.where.startsWith('/app/')) continue
    const item = document.createElement('li')
    item.className = 'kp-card'
    const title = document.createElement('p')
    title.className = 'govuk-body govuk-!-margin-bottom-1'
    title.textContent = fill(texts['draft-' + draft.kind], { time: moment(draft.at) })
    const actions = document.createElement('p')
    actions.className = 'kp-card__actions'
    const go = document.createElement('a')
    go.className = 'govuk-link'
    go.href = draft.where + '#draft=' + name.slice(prefix.length)
    go.textContent = texts['draft-go']
    const away = document.createElement('button')
    away.type = 'button'
    away.className = 'kp-link-button kp-link-button--danger'
    away.textContent = texts['draft-delete']
    away.addEventListener('click', () => {
      stored.remove(name)
      item.remove()
      list.hidden = list.querySelector('li') === null
    })
    actions.append(go, away)
    item.append(title, actions)
    list.querySelector('[data-draft-list]').append(item)
    list.hidden = false
  }
}

// The letter and the PIN are printed apart.
const printing = document.querySelector('[data-print-buttons]')
if (printing) {
  printing.hidden = false
  for (const button of printing.querySelectorAll('[data-print]')) {
    button.addEventListener('click', () => {
      document.documentElement.dataset.printing = button.dataset.print
      print()
      delete document.documentElement.dataset.printing
    })
  }
}

// Whoever signs out leaves nothing behind.
for (const out of document.querySelectorAll('form[action^="/app/sign-out"]')) {
  out.addEventListener('submit', () => { leaving = true; for (const name of stored.names()) stored.remove(name) })
}
