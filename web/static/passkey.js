// Signing in, joining with an invitation, one more passkey, and confirming who
// is signed in: what needs the browser's own dialogue.

const decode = (text) => {
  const b64 = text.replace(/-/g, '+').replace(/_/g, '/')
  return Uint8Array.from(atob(b64 + '='.repeat((4 - (b64.length % 4)) % 4)), (c) => c.charCodeAt(0))
}
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

// A refusal that the service put into words.
class Refused extends Error {
  constructor (message, code) {
    super(message)
    this.code = code
  }
}

const box = document.querySelector('[data-passkey]')
const find = (name) => box.querySelector(`[data-${name}]`)

async function send (path, body, csrf = box.dataset.csrf) {
  let response
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF-Token': csrf },
      body: JSON.stringify(body)
    })
  } catch {
    throw new Refused(box?.dataset.offline)
  }
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) throw new Refused(answer.message || box?.dataset.offline, answer.code)
  return answer
}

async function create (options) {
  const o = options.publicKey
  o.challenge = decode(o.challenge)
  o.user.id = decode(o.user.id)
  for (const c of o.excludeCredentials ?? []) c.id = decode(c.id)
  const made = await navigator.credentials.create({ publicKey: o })
  return {
    id: made.id,
    rawId: encode(made.rawId),
    type: made.type,
    authenticatorAttachment: made.authenticatorAttachment ?? undefined,
    clientExtensionResults: {},
    response: {
      clientDataJSON: encode(made.response.clientDataJSON),
      attestationObject: encode(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? []
    }
  }
}

async function prove (options) {
  const o = options.publicKey
  o.challenge = decode(o.challenge)
  for (const c of o.allowCredentials ?? []) c.id = decode(c.id)
  const made = await navigator.credentials.get({ publicKey: o })
  return {
    id: made.id,
    rawId: encode(made.rawId),
    type: made.type,
    authenticatorAttachment: made.authenticatorAttachment ?? undefined,
    clientExtensionResults: {},
    response: {
      clientDataJSON: encode(made.response.clientDataJSON),
      authenticatorData: encode(made.response.authenticatorData),
      signature: encode(made.response.signature),
      userHandle: made.response.userHandle ? encode(made.response.userHandle) : null
    }
  }
}

// confirm proves anew who is signed in. Scripts of other pages call it when the
// service answers them with the code "confirm-needed", and then ask again.
export async function confirm (csrf) {
  await send('/app/confirm', await prove(await send('/app/confirm/options', {}, csrf)), csrf)
}

function say (text) {
  find('problem').hidden = true
  find('status').textContent = text
}

function complain (error) {
  let text = box.dataset.cancelled
  if (error instanceof Refused) text = error.message
  else if (error.name === 'InvalidStateError') text = box.dataset.exists
  else if (error.name === 'NotSupportedError') text = box.dataset.unsupported
  find('status').textContent = ''
  find('problem-text').textContent = text
  find('problem').hidden = false
  find('problem').focus()
}

// One thing at a time: a second press while the dialogue is open does nothing.
let busy = false
async function once (act) {
  if (busy) return
  busy = true
  try {
    if (!window.PublicKeyCredential) throw new Refused(box.dataset.unsupported)
    say(box.dataset.waiting)
    await act()
  } catch (error) {
    complain(error)
  } finally {
    busy = false
  }
}

const acts = {
  'sign-in': async () => {
    await send('/app/sign-in', await prove(await send('/app/sign-in/options', {})))
    // What a link brings in its fragment comes along.
    location.assign(box.dataset.next + location.hash)
  },
  join: async () => {
    await send('/app/join', await create(await send('/app/join/options', { code })))
    location.assign(box.dataset.next)
  },
  add: async () => {
    let options
    try {
      options = await send('/app/account/passkeys/options', {})
    } catch (error) {
      if (error.code !== 'confirm-needed') throw error
      await confirm(box.dataset.csrf)
      options = await send('/app/account/passkeys/options', {})
    }
    await send('/app/account/passkeys', await create(options))
    location.assign(box.dataset.next)
  },
  confirm: async () => {
    await confirm(box.dataset.csrf)
    goOn()
  },
  press: async () => {
    await send('/app/confirm/press', {})
    goOn()
  }
}

// goOn sends the form that was held back, or opens the page.
function goOn () {
  const held = find('held')
  if (held) held.submit()
  else location.assign(box.dataset.next)
}

let code = ''
async function open (text) {
  const answer = await send('/app/join/open', { code: text })
  code = text
  say('')
  find('invited-text').textContent = answer.text
  find('code-form').hidden = true
  find('invited').hidden = false
  const organisation = find('organisation')
  if (organisation) organisation.hidden = !answer.organisation
  find('go').focus()
}

if (box) {
  find('go').addEventListener('click', () => once(acts[box.dataset.passkey]))
  if (box.dataset.passkey === 'join') {
    find('code-form').addEventListener('submit', (event) => {
      event.preventDefault()
      once(() => open(box.querySelector('#code').value))
    })
    find('organisation-go')?.addEventListener('click', () => once(async () => {
      location.assign((await send('/app/join/organisation', { code })).location)
    }))
    // The invitation comes in the fragment, which no server sees. It does not
    // stay in the address bar and the history.
    if (location.hash.length > 1) {
      const text = decodeURIComponent(location.hash.slice(1))
      history.replaceState(null, '', location.pathname)
      once(() => open(text))
    }
  }
}
