// The search finds while one types; without this script its form does. A link to
// an operation or a schema opens it.
const form = document.querySelector('[data-search]')
const box = form.querySelector('input')
const count = document.querySelector('[data-count]')
const all = [...document.querySelectorAll('[data-words]')]

function find () {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean)
  let found = 0
  for (const one of all) {
    one.hidden = !words.every((w) => one.dataset.words.includes(w))
    if (!one.hidden && !('schema' in one.dataset)) found++
  }
  for (const group of document.querySelectorAll('[data-group]')) {
    group.hidden = ![...group.querySelectorAll('[data-words]')].some((one) => !one.hidden)
  }
  count.textContent = count.dataset.text.replace('{number}', found)
}

function open () {
  const one = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (!(one instanceof HTMLDetailsElement)) return
  if (one.hidden) {
    box.value = ''
    find()
  }
  one.open = true
  one.scrollIntoView()
}

// What the server left out cannot be found here: then its form searches.
if (!new URLSearchParams(location.search).get('q')) {
  form.querySelector('button').hidden = true
  form.addEventListener('submit', (event) => event.preventDefault())
  box.addEventListener('input', find)
}
addEventListener('hashchange', open)
open()
