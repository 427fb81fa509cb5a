// What was decided on this device: times, colours and codes.
import * as engine from './engine.js'
import { $, el, icon, begin } from './post.js'
import { t, has, count, moment, ms } from './words.js'

const list = $('[data-list]')

const show = async () => {
  const all = await engine.records()
  const unsent = all.filter((r) => !r.sent).length
  $('[data-unsent]').textContent = unsent ? count('history.unsent', unsent) : ''
  $('[data-none]').hidden = all.length > 0
  list.replaceChildren(...all.slice(0, 200).map((r) => {
    const details = el('ul', { class: 'govuk-list govuk-body-s' }, ...r.codes.map((c) => el('li', { text: has('code.' + c) ? t('code.' + c) : c })))
    const item = el('li', { class: 'post-entry', 'data-colour': r.colour },
      el('div', { class: 'post-entry__head' }, icon(r.colour), el('strong', { text: t('word.' + r.colour) }), el('time', { datetime: r.at, text: moment(r.at) })),
      details)
    if (r.override) item.append(el('p', { class: 'govuk-body-s', text: t('override.done-' + r.override.act) }))
    item.append(el('p', { class: 'govuk-body-s post-quiet', text: t('history.with', { post: r.post || '–', ms: r.ms ? ms(r.ms.total) : '–', sent: t(r.sent ? 'history.sent' : 'history.waiting') }) }))
    return item
  }))
}

const fault = await begin()
if (fault === null || engine.status().go) await show()
addEventListener('kinpass-sent', show)
