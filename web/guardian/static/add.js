// Takes a code into a form: from the camera, from a picture, from a link that
// brings it.
import { ScanError, scanCamera, scanImage } from '../scan/scan.js'

const refusals = JSON.parse(document.getElementById('kp-texts').textContent)
const form = document.querySelector('[data-add]')
const offer = form.querySelector('[data-text] textarea, [data-text] input')
// What is asked next, or is pressed then.
const after = [...form.querySelectorAll('input:not([type=hidden]):not([type=file]), button[type=submit]')]
  .find((e) => e !== offer && offer.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)
const find = (name) => document.querySelector(`[data-${name}]`)
const video = document.querySelector('[data-window] video')

function take (text) {
  offer.value = text
  for (const name of ['text', 'camera', 'picture']) find(name).hidden = true
  find('read').textContent = '✓ ' + form.dataset.said
  find('problem').hidden = true
  after.focus()
}

function complain (error) {
  find('problem-text').textContent = refusals[error instanceof ScanError ? error.code : 'broken']
  find('problem').hidden = false
  find('problem').focus()
}

let camera = null
function close () {
  camera?.stop()
  camera = null
  find('window').hidden = true
  find('camera').hidden = offer.value !== ''
}

find('camera').addEventListener('click', async () => {
  find('camera').hidden = true
  find('window').hidden = false
  find('problem').hidden = true
  try {
    camera = await scanCamera(video, (text) => {
      close()
      take(text)
    }, (error) => {
      close()
      complain(error)
    })
  } catch (error) {
    close()
    complain(error)
  }
})
find('stop').addEventListener('click', close)

document.getElementById('picture').addEventListener('change', async (event) => {
  const file = event.target.files[0]
  if (!file) return
  try {
    const text = await scanImage(file)
    if (text === null) return complain(new ScanError('no-code'))
    take(text)
  } catch (error) {
    complain(error)
  }
})
find('scan').hidden = false

// A link to the wallet brings the offer in its fragment, which no server sees.
// It does not stay in the address bar and the history.
if (location.hash.length > 1) {
  const text = decodeURIComponent(location.hash.slice(1))
  history.replaceState(null, '', location.pathname)
  if (text.startsWith('openid-credential-offer:')) take(text)
}
