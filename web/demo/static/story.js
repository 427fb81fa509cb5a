// A story that is being played: what has happened since is taken over from the
// same page, asked for again. Without this script a link does it.
const pause = 500

async function follow () {
  const state = document.querySelector('[data-state]')
  if (state.dataset.state === 'over') return
  let page
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: 'text/html' }, cache: 'no-store' })
    if (!answer.ok) throw new Error(String(answer.status))
    page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  } catch {
    setTimeout(follow, 4 * pause)
    return
  }
  const list = document.querySelector('[data-scenes]')
  // Who has scrolled up to read is left where they are.
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 80
  const scenes = [...page.querySelectorAll('[data-scenes] > li')].slice(list.children.length)
  for (const scene of scenes) list.append(document.adoptNode(scene))
  const now = page.querySelector('[data-state]')
  if (now.dataset.state !== state.dataset.state) {
    const status = state.querySelector('[data-status]')
    status.textContent = now.querySelector('[data-status]').textContent
    state.dataset.state = now.dataset.state
    for (const more of [...now.children].slice(1)) state.append(document.adoptNode(more))
  } else if (scenes.length) {
    const last = scenes.at(-1).querySelector('h2, p')
    const word = scenes.at(-1).querySelector('.demo-decision__word')
    state.querySelector('[data-status]').textContent = [last?.textContent, word?.textContent].filter(Boolean).join(' – ')
  }
  if (scenes.length && atEnd) scrollTo({ top: document.documentElement.scrollHeight, behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' })
  setTimeout(follow, pause)
}

follow()
