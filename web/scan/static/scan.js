// Reads codes: from a camera, from a picture, from a scanner that types.
//
//   const camera = await scanCamera(video, (text, info) => …)   until camera.stop()
//   const text = await scanImage(file)                          null: no code in it
//   const end = scanKeys(document, (text) => …)                 until end()
//
// A ScanError has a code: refused, none, busy, unsupported, broken or picture;
// its words are the message "scan.js." + code.

// ScanError says why there is nothing to scan with.
export class ScanError extends Error {
  constructor(code, cause) {
    super(code, { cause })
    this.code = code
  }
}

let worker
let waiting = new Map()
let last = 0
let ready

// warm loads the reader ahead of the first picture. It is safe to call again.
export function warm() {
  ready ??= new Promise((resolve, reject) => {
    const broken = () => {
      for (const { reject } of waiting.values()) reject(new ScanError('broken'))
      waiting = new Map()
      worker?.terminate()
      worker = ready = undefined // the next attempt begins anew
      reject(new ScanError('broken'))
    }
    worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    worker.addEventListener('error', broken)
    worker.addEventListener('message', ({ data }) => {
      if (data.ready) resolve()
      else if (data.broken) broken()
      else {
        waiting.get(data.id)?.resolve(data)
        waiting.delete(data.id)
      }
    })
  })
  ready.catch(() => {}) // whoever waits hears of it
  return ready
}

// look gives { text, ms } of one picture: { frame, seen } or { width, height, pixels }.
// The frame or the pixels go with it.
async function look(picture, thorough) {
  await warm()
  return new Promise((resolve, reject) => {
    const id = ++last
    waiting.set(id, { resolve, reject })
    worker.postMessage({ id, ...picture, thorough }, [picture.frame ?? picture.pixels])
  })
}

// pixelsOf takes the pixels out of a canvas.
function pixelsOf(context, width, height) {
  return { width, height, pixels: context.getImageData(0, 0, width, height).data.buffer }
}

// canvasOf gives a canvas to read pixels from.
function canvasOf(width, height) {
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  return [canvas, canvas.getContext('2d', { willReadFrequently: true })]
}

function why(error) {
  switch (error?.name) {
    case 'NotAllowedError': case 'SecurityError': return 'refused'
    case 'NotFoundError': case 'OverconstrainedError': case 'DevicesNotFoundError': return 'none'
    case 'NotReadableError': case 'AbortError': return 'busy'
    default: return 'broken'
  }
}

// The camera of the last time on this device: at a desk it is hardly ever the
// one that the browser would take.
const chosen = 'kinpass.camera'

// open asks for a camera: the one named, or one that looks away from the user.
async function open(id) {
  if (!navigator.mediaDevices?.getUserMedia) throw new ScanError('unsupported')
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } }
  for (const which of id ? [{ deviceId: { exact: id } }, { facingMode: 'environment' }] : [{ facingMode: 'environment' }]) {
    try {
      return await navigator.mediaDevices.getUserMedia({ video: { ...size, ...which }, audio: false })
    } catch (error) {
      if (error.name !== 'OverconstrainedError') throw new ScanError(why(error), error)
    }
  }
  throw new ScanError('none')
}

const away = 2000 // ms out of view after which a code is told again

// seenOf gives how much of the camera's width and height a <video> shows that its
// picture fills (object-fit: cover). What nobody sees is not looked at.
function seenOf(video) {
  const { videoWidth, videoHeight, clientWidth, clientHeight } = video
  if (!clientWidth || !clientHeight) return { width: 1, height: 1 }
  const scale = Math.max(clientWidth / videoWidth, clientHeight / videoHeight)
  return { width: Math.min(1, clientWidth / scale / videoWidth), height: Math.min(1, clientHeight / scale / videoHeight) }
}

// scanCamera shows the camera in a <video> and calls onText with each code as it
// comes into view: with its text and { frame, ms }, when the camera took the
// picture (as performance.now(); where the browser does not tell, when it gave us
// the picture) and how long reading took. A code that stays in view is told once;
// one that was away for two seconds is told again. Where onText gives a promise,
// no picture is looked at before that is kept: whoever decides needs the machine.
//
// It gives { stop(), again(but), cameras(), use(id), current(), canLight(),
// light(on) }. again lets the code that is in view be told once more, but for
// these (as tidy gives them), which must go out of view first. When the camera
// goes away, onEnd is called with a ScanError.
export async function scanCamera(video, onText, onEnd = () => {}) {
  const reader = warm()
  let stream
  let stopped = false
  let told = new Map() // what was told, to when it was in view last
  let fresh = false // no picture since again
  const [canvas, context] = canvasOf(0, 0)

  const release = () => {
    for (const track of stream?.getTracks() ?? []) track.stop()
    stream = undefined
  }
  const stop = () => {
    stopped = true
    release()
    video.srcObject = null
    document.removeEventListener('visibilitychange', shown)
  }
  const start = async (id) => {
    release()
    stream = await open(id)
    if (stopped) return release()
    const own = stream
    stream.getVideoTracks()[0].addEventListener('ended', () => {
      if (!stopped && stream === own) {
        stop()
        onEnd(new ScanError('busy'))
      }
    })
    video.muted = true
    video.playsInline = true
    video.srcObject = stream
    await video.play().catch(() => {})
  }
  // A phone that was put away takes the camera from the page.
  const shown = () => {
    if (document.visibilityState === 'visible' && !stopped) video.play().catch(() => {})
  }

  const next = (then) => video.requestVideoFrameCallback
    ? video.requestVideoFrameCallback((now, meta) => then(meta.captureTime ?? now))
    : setTimeout(() => then(performance.now()), 60)

  // picture takes what the camera shows now. A VideoFrame goes to the reader as it
  // is; on a canvas the page would have to draw it and to wait for its pixels.
  const picture = () => {
    const part = seenOf(video)
    if (globalThis.VideoFrame) {
      try {
        return { frame: new VideoFrame(video), seen: part }
      } catch { /* a browser that makes none of a video */ }
    }
    const width = Math.round(video.videoWidth * part.width)
    const height = Math.round(video.videoHeight * part.height)
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width
      canvas.height = height
    }
    context.drawImage(video, (video.videoWidth - width) / 2, (video.videoHeight - height) / 2, width, height, 0, 0, width, height)
    return pixelsOf(context, width, height)
  }

  const frame = async (taken) => {
    if (stopped) return
    if (video.videoWidth && video.videoHeight) {
      let found
      try {
        found = await look(picture(), false)
      } catch (error) {
        if (stopped) return
        stop()
        onEnd(error)
        return
      }
      if (stopped) return
      const now = performance.now()
      for (const [code, seen] of told) {
        if (fresh) told.set(code, now)
        else if (now - seen > away) told.delete(code)
      }
      fresh = false
      if (found.text !== null) {
        const code = tidy(found.text)
        if (!told.has(code)) {
          told.set(code, now)
          await onText(found.text, { frame: taken, ms: found.ms })
        }
        if (told.has(code)) told.set(code, performance.now())
      }
    }
    if (!stopped) next(frame)
  }

  let id = null
  try { id = localStorage.getItem(chosen) } catch { /* a browser that keeps nothing */ }
  try {
    await start(id)
    await reader
  } catch (error) {
    stop()
    throw error instanceof ScanError ? error : new ScanError('broken', error)
  }
  document.addEventListener('visibilitychange', shown)
  next(frame)
  const track = () => stream?.getVideoTracks()[0]
  return {
    stop,
    again(but = []) {
      told = new Map(but.map((code) => [code, 0]))
      fresh = true
    },
    async cameras() {
      const all = await navigator.mediaDevices.enumerateDevices()
      return all.filter((d) => d.kind === 'videoinput').map((d) => ({ id: d.deviceId, label: d.label }))
    },
    current: () => track()?.getSettings().deviceId,
    async use(id) {
      await start(id)
      try { localStorage.setItem(chosen, id) } catch { /* asked again next time */ }
    },
    canLight: () => track()?.getCapabilities?.().torch === true,
    light: (on) => track()?.applyConstraints({ advanced: [{ torch: on }] })
  }
}

// scanImage gives the text of the code in a picture (a File or Blob), null if
// there is none. Large pictures are looked at smaller, too: a photograph of a
// code on paper is read best at about the size of a screen.
export async function scanImage(blob) {
  let image
  try {
    image = await createImageBitmap(blob)
  } catch (error) {
    throw new ScanError('picture', error)
  }
  try {
    let before = 0
    for (const longest of [2400, 1200, 4800, 700]) {
      const scale = Math.min(1, longest / Math.max(image.width, image.height))
      const width = Math.max(1, Math.round(image.width * scale))
      const height = Math.max(1, Math.round(image.height * scale))
      if (width === before) continue
      before = width
      const [, context] = canvasOf(width, height)
      context.fillStyle = '#fff' // what is transparent is paper
      context.fillRect(0, 0, width, height)
      context.drawImage(image, 0, 0, width, height)
      const { text } = await look(pixelsOf(context, width, height), true)
      if (text !== null) return text
    }
    return null
  } finally {
    image.close()
  }
}

// How a scanner types: far faster than people, and much at once.
const gap = 60 // ms between two keys, at most
const pause = 400 // ms that a busy computer may hold up what is surely a scanner
const rest = 400 // ms after which it has typed everything
const least = 16 // characters, fewer than any code or document line has

// scanKeys calls onText with what a hardware scanner types while no field has
// the focus. Lines (the two or three of a travel document) come together, with
// "\n" between them. It gives a function that ends it.
export function scanKeys(target, onText) {
  let text = ''
  let at = 0
  let timer
  const quick = () => text.length >= 4
  const finish = () => {
    clearTimeout(timer)
    const whole = text.replace(/^\s+|[\r\n]+$/g, '') // a code may end with a space
    text = ''
    if (whole.length >= least) onText(tidy(whole))
  }
  const typed = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return
    const to = event.composedPath()[0]
    if (to instanceof Element && to.matches('input:not([type=button], [type=submit], [type=checkbox], [type=radio]), textarea, select, [contenteditable]')) return
    const end = event.key === 'Enter' || event.key === 'Tab'
    if (!end && event.key.length !== 1) return
    const now = event.timeStamp
    if (now - at > (text.length < 8 ? gap : pause)) text = ''
    at = now
    if (end && !quick()) return
    // The keys of a scanner must not press what happens to have the focus.
    if (quick()) event.preventDefault()
    text += end ? '\n' : event.key
    clearTimeout(timer)
    // Only a travel document has a further line.
    if (end && !/^[A-Z0-9<]{28,46}(\n[A-Z0-9<]{28,46})?\n$/i.test(text)) finish()
    else timer = setTimeout(finish, rest)
  }
  const released = (event) => {
    if (quick() && event.timeStamp - at < rest) event.preventDefault()
  }
  target.addEventListener('keydown', typed, true)
  target.addEventListener('keyup', released, true)
  return () => {
    clearTimeout(timer)
    target.removeEventListener('keydown', typed, true)
    target.removeEventListener('keyup', released, true)
  }
}

// tidy undoes what scanners do to a code of ours: letters in the wrong case, and
// a few characters in front of it (ISO/IEC 15424).
export function tidy(text) {
  const at = text.slice(0, 12).toUpperCase().indexOf('KP1:')
  return at < 0 ? text : text.slice(at).replace(/[\r\n]+$/, '').toUpperCase()
}
