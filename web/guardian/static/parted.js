// A part of a credential on the screen: large, passed on, or copied.
import { awake, enlarge } from './code.js'

const button = document.querySelector('[data-enlarge]')
if (button) enlarge(button)
awake()

const text = document.querySelector('[data-text]')
const share = document.querySelector('[data-share]')
const copy = document.querySelector('[data-copy]')
const status = document.querySelector('[data-status]')

share.hidden = !navigator.share
share.addEventListener('click', () => navigator.share({ text: text.value }).catch(() => {}))
copy.hidden = !navigator.clipboard
copy.addEventListener('click', async () => {
  await navigator.clipboard.writeText(text.value)
  status.textContent = status.dataset.copied
})
