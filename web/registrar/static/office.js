// What the office's pages do beyond forms: print a sheet, follow an import, and
// send a large file in parts.
for (const button of document.querySelectorAll('[data-print-page]')) {
  button.hidden = false
  button.addEventListener('click', () => print())
}

for (const field of document.querySelectorAll('[data-go-to]')) {
  field.addEventListener('change', () => field.form.requestSubmit())
}

// An import that is on its way.
const bar = document.querySelector('[data-progress]')
if (bar) {
  const ask = async () => {
    try {
      const answer = await fetch(bar.dataset.progress, { headers: { Accept: 'application/json' } })
      const { lines, of, state } = await answer.json()
      bar.max = Math.max(of, 1)
      bar.value = lines
      document.querySelector('[data-progress-text]').textContent = `${lines} / ${of}`
      if (state !== 'running') { location.reload(); return }
    } catch { /* the connection comes back, or somebody reloads */ }
    setTimeout(ask, 700)
  }
  ask()
}

// Files of any size: whole lines in parts that every server takes.
const form = document.querySelector('form[data-parts]')
if (form) {
  form.addEventListener('submit', async (event) => {
    const files = [...form.querySelector('input[type=file]').files]
    if (files.every((f) => f.size === 0)) return // the page says what is wrong
    event.preventDefault()
    const button = form.querySelector('button[type=submit]')
    const state = form.querySelector('[data-sending]')
    const csrf = form.querySelector('[name=csrf]').value
    button.disabled = true
    const size = 400_000
    try {
      let job = ''
      const all = files.reduce((sum, f) => sum + f.size, 0) || 1
      let done = 0
      for (const file of files) {
        for (let at = 0; at < file.size; at += size) {
          const body = new Blob([file.slice(at, at + size), at + size >= file.size ? '\n' : ''])
          const answer = await fetch('/app/import/parts' + (job ? '?job=' + job : ''), { method: 'POST', body, headers: { 'X-CSRF-Token': csrf, Accept: 'application/json', 'Content-Type': 'application/octet-stream' } })
          const got = await answer.json()
          if (!answer.ok) throw new Error(got.message)
          job = got.job
          done += Math.min(size, file.size - at)
          state.textContent = `${Math.round(100 * done / all)} %`
        }
      }
      location.assign('/app/import/' + job)
    } catch (error) {
      state.textContent = error.message
      button.disabled = false
    }
  })
}

// A text that is given away as a file.
for (const button of document.querySelectorAll('[data-save]')) {
  button.hidden = false
  button.addEventListener('click', () => {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([document.getElementById(button.dataset.save).value], { type: 'text/plain' }))
    link.download = button.dataset.saveAs
    link.click()
    URL.revokeObjectURL(link.href)
  })
}
