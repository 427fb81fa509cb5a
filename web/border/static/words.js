// The page's words, and how a decision is said in them.

const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? '{}')

const texts = read('kp-texts')
export const scanTexts = read('scan-texts')
export const lang = document.documentElement.lang
const locale = (lang === 'en' ? 'en-GB' : lang) + '-u-nu-latn'

const fill = (text, values) => text.replace(/\{([a-zA-Z]+)\}/g, (all, name) => values[name] ?? all)

// t gives a text with its placeholders filled.
export const t = (key, values = {}) => fill(typeof texts[key] === 'string' ? texts[key] : key, values)

export const has = (key) => typeof texts[key] === 'string'

const plurals = new Intl.PluralRules(lang)

// count gives the form of a text that goes with n.
export const count = (key, n) => {
  const forms = texts[key] ?? {}
  return fill(forms[plurals.select(n)] ?? forms.other ?? key, { count: n })
}

// age says how long ago something was, in the largest whole unit.
export const age = (seconds) => {
  if (seconds < 90) return count('age.minutes', 1)
  if (seconds < 5400) return count('age.minutes', Math.round(seconds / 60))
  if (seconds < 48 * 3600) return count('age.hours', Math.round(seconds / 3600))
  return count('age.days', Math.floor(seconds / 86400))
}

export const moment = (date) => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(date))
export const number = (n) => new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }).format(n)

const unit = (n, unit, digits = 0) => new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits: digits }).format(n)
export const ms = (n) => unit(n, 'millisecond')
export const kilobytes = (bytes) => unit(bytes / 1024, 'kilobyte')
export const percent = (share) => new Intl.NumberFormat(locale, { style: 'percent' }).format(share)

// day writes a date of a record as far as it is known.
export const day = (text) => text.split('/').map((d) => {
  const [year, month, date] = d.split('-').map(Number)
  if (!month) return String(year)
  const options = date ? { dateStyle: 'long' } : { year: 'numeric', month: 'long' }
  return new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }).format(new Date(Date.UTC(year, month - 1, date || 1)))
}).join(' – ')

// years gives how old somebody is today, null where that is not certain.
export const years = (birth, now = new Date()) => {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(birth)
  if (!found) return null
  const [, y, m, d] = found.map(Number)
  const had = now.getMonth() + 1 > m || (now.getMonth() + 1 === m && now.getDate() >= d)
  return now.getFullYear() - y - (had ? 0 : 1)
}

// name writes a name of a machine-readable zone as people read it.
export const name = (mrz) => {
  const [primary, secondary = ''] = mrz.split('<<').map((part) => part.replaceAll('<', ' ').trim())
  return secondary ? primary + ', ' + secondary : primary
}

let countries
// country gives the name of a country in the page's language.
export const country = (code) => {
  countries ??= new Map([...document.querySelector('[data-countries]')?.content.querySelectorAll('option') ?? []].map((o) => [o.value, o.textContent]))
  return countries.get(code) ?? code
}

// nextOf names the next step of a code: many share one.
export const nextOf = {
  SCAN_UNREADABLE: 'scan-again',
  SIG_INVALID: 'second-line',
  ISSUER_UNTRUSTED: 'second-line',
  ISSUER_UNKNOWN_STALE: 'update',
  ISSUER_KEY_REVOKED: 'second-line',
  ISSUER_KEY_UNPROVEN: 'desk',
  ISSUER_NOT_ACCREDITED: 'second-line',
  ISSUER_SUSPENDED: 'desk',
  CRED_UNREADABLE: 'desk',
  CRED_EXPIRED_RECENT: 'renew',
  CRED_EXPIRED: 'second-line',
  CRED_NOT_YET_VALID: 'second-line',
  STATUS_REVOKED: 'second-line',
  STATUS_SUSPENDED: 'second-line',
  STATUS_NOT_ISSUED: 'second-line',
  STATUS_STALE: 'update',
  STATUS_UNKNOWN: 'desk',
  STATUS_INDEX_REUSED: 'desk',
  HOLDER_BINDING_FAILED: 'new-code-or-second-line',
  PRESENTATION_REPEATED: 'new-code',
  PAPER_BEARER: 'compare-both',
  CHILD_MISMATCH: 'second-line',
  PORTRAIT_STALE: 'identify',
  DOC_UNREADABLE: 'document-again',
  DOC_NAME_PARTIAL: 'compare-names',
  DOC_NAME_MISMATCH: 'second-line',
  DOC_COMPARE: 'compare-document',
  LINK_BROKEN: 'second-line',
  BIRTH_MISSING: 'birth',
  NOT_A_MINOR: 'adult',
  AGE_UNCERTAIN_TREAT_AS_CHILD: 'as-child',
  NO_AUTHORITY: 'second-line',
  GUARDIAN_MISMATCH: 'second-line',
  POWER_MISSING: 'second-line',
  BASIS_PROVISIONAL: 'authority',
  EXIT_PROHIBITED: 'second-line',
  DEST_NOT_ALLOWED: 'second-line',
  DEST_UNKNOWN: 'destination',
  ABSENCE_TOO_LONG: 'return',
  MANDATE_CONDITIONS: 'conditions',
  CONSENT_MISSING_CO: 'other-guardian',
  CONSENT_MISSING: 'second-line',
  CONSENT_QUORUM: 'second-line',
  CONSENT_SCOPE: 'second-line',
  CONSENT_WITHDRAWN: 'second-line',
  CONSENT_ASSURANCE_LOW: 'call-guardians',
  CONSENT_OLD: 'call-guardians',
  CONSENT_REUSED: 'earlier-journeys',
  RECEIVER_UNVERIFIED: 'receiver',
  PARENT_MANDATE_UNKNOWN: 'other-parent',
  PARENTAGE_MISSING: 'full-certificate',
  RECORD_INCOMPLETE_EXPECTED: 'no-blame',
  SIGNAL_2: 'colleague',
  SIGNAL_3: 'colleague',
  SIGNAL_5: 'colleague',
  SIGNAL_6: 'colleague',
  FACTS_MISSING: 'enter',
  DEVICE_CLOCK: 'clock',
  POLICY_STALE: 'update',
  OK: 'pass'
}

const textOf = (r) => has('code.' + r.code) ? t('code.' + r.code) : r.text
const stepOf = (r) => has('next.' + nextOf[r.code]) ? t('next.' + nextOf[r.code]) : r.next

// said gives a decision's lines, its next step and its reasons in the page's
// words. Which lines and which step was decided before: here they are only put
// into other words.
export const said = (d) => {
  const lines = [...new Set(d.lines.map((line) => {
    const r = d.reasons.find((r) => r.text === line)
    return r ? textOf(r) : line
  }))]
  const exact = d.reasons.find((r) => r.next === d.next)
  const asks = d.reasons.find((r) => r.code === 'FACTS_MISSING')
  let next = d.next
  if (exact) next = stepOf(exact)
  else if (asks && d.next.startsWith(asks.next)) next = stepOf(asks) + ' (' + d.ask.map((fact) => t('fact.' + fact)).join('; ') + ')'
  return { lines, next, reasons: d.reasons.map((r) => ({ code: r.code, colour: r.colour, text: textOf(r), next: stepOf(r) })) }
}
