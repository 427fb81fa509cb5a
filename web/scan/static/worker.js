// Looks for a QR code in one picture after another, off the page's own thread.
import {
  prepareZXingModule, defaultReaderOptions, encodeFormats, BINARIZERS, CHARACTER_SETS, EAN_ADD_ON_SYMBOLS, TEXT_MODES
} from './zxing/reader/index.js'

const ready = prepareZXingModule({
  overrides: { locateFile: (name) => new URL('./zxing/' + name, import.meta.url).href },
  fireImmediately: true
})

// The package's own readBarcodes would have a camera's picture in colour, only to
// make it grey again. This is how it asks its WebAssembly, which takes grey; only
// for QR codes: nothing of ours is in another.
const options = {
  ...defaultReaderOptions,
  formats: encodeFormats(['QRCode']),
  binarizer: BINARIZERS.indexOf(defaultReaderOptions.binarizer),
  characterSet: CHARACTER_SETS.indexOf(defaultReaderOptions.characterSet),
  eanAddOnSymbol: EAN_ADD_ON_SYMBOLS.indexOf(defaultReaderOptions.eanAddOnSymbol),
  textMode: TEXT_MODES.indexOf('Plain'),
  maxNumberOfSymbols: 1,
  tryHarder: true
}

// read gives the text of the code in a grey picture, null if there is none.
const read = async ({ width, height, grey }, thorough) => {
  const zxing = await ready
  const at = zxing._malloc(grey.length)
  try {
    zxing.HEAPU8.set(grey, at)
    const found = zxing.readBarcodesFromPixmap(at, width, height, { ...options, tryDenoise: thorough })
    for (let i = 0; i < found.size(); i++) {
      const code = found.get(i)
      if (code.isValid && code.text) return code.text
    }
    return null
  } finally {
    zxing._free(at)
  }
}

// coloured makes a picture of red, green, blue and opacity grey (ITU-R BT.601).
const coloured = ({ width, height, data }) => {
  const grey = new Uint8Array(width * height)
  for (let i = 0, from = 0; i < grey.length; i++, from += 4) grey[i] = (306 * data[from] + 601 * data[from + 1] + 117 * data[from + 2] + 512) >> 10
  return { width, height, grey }
}

// middle gives the part of a frame that is seen, each side of it a share.
const middle = ({ visibleRect, displayWidth, displayHeight }, seen) => {
  const lies = visibleRect.width < visibleRect.height !== displayWidth < displayHeight // a telephone's camera
  const even = (n) => 2 * Math.round(n / 2) // colour is in fours of pixels
  const width = Math.max(2, even(visibleRect.width * (lies ? seen.height : seen.width)))
  const height = Math.max(2, even(visibleRect.height * (lies ? seen.width : seen.height)))
  return { x: visibleRect.x + even((visibleRect.width - width) / 2), y: visibleRect.y + even((visibleRect.height - height) / 2), width, height }
}

let plane = new Uint8Array(0) // memory for the next frame

// framed gives what is seen of a frame. Most cameras give brightness apart from
// colour, brightness first: it need only be taken.
const framed = async (frame, seen) => {
  const rect = middle(frame, seen)
  const { width, height } = rect
  if (!/^(I420|I422|I444|NV12)A?$/.test(frame.format ?? '')) {
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
    context.drawImage(frame, rect.x - frame.visibleRect.x, rect.y - frame.visibleRect.y, width, height, 0, 0, width, height)
    return coloured(context.getImageData(0, 0, width, height))
  }
  const size = frame.allocationSize({ rect })
  if (plane.length < size) plane = new Uint8Array(size)
  const [{ offset, stride }] = await frame.copyTo(plane, { rect })
  if (stride === width) return { width, height, grey: plane.subarray(offset, offset + width * height) }
  const grey = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) grey.set(plane.subarray(offset + y * stride, offset + y * stride + width), y * width)
  return { width, height, grey }
}

addEventListener('message', async ({ data: { id, frame, seen, width, height, pixels, thorough } }) => {
  const began = performance.now()
  let text = null
  try {
    const picture = frame ? await framed(frame, seen) : coloured({ width, height, data: new Uint8ClampedArray(pixels) })
    text = await read(picture, thorough)
  } catch { /* a picture that cannot be read has no code in it */ } finally {
    frame?.close()
  }
  postMessage({ id, text, ms: performance.now() - began })
})

// The first code takes several times as long as the next. So the reader reads one
// of its own (45 modules a side, eight to a byte, the first in the lowest bit)
// before anybody holds one there; a reader that cannot is broken.
const sample = {
  text: 'KP1:ALL THAT IS READ HERE IS A CODE OF NOBODY: 0123456789 $%*+-./ THE FIRST OF A DAY IS READ AS FAST AS THOSE AFTER IT, IF THE READER HAS READ THIS ONE BEFORE. IT IS LARGE ENOUGH TO NAME ITS VERSION.',
  side: 45,
  modules: 'f68sn9E/SFU6Zwl2rR1TKd2uKgX9rdu1uR/TdYOQMzKG4F9VVVX1B5C4eGsAT1P3FTQ3taKYg1ePj60aa20Jb8vfiF8dJEYJVnoKhD4WYpUspBzb/OglPPRXecbMtkORECDq6Mpu1ciRkcYMHvxV/xu/iP+N3yD6P2451tVsVfDVkSifOMro8Pvwn/XhFblkMk8vpVFtKsIZueFKSPZWPARGLEyn35ivHNPmy7KRWTD7nE0b7yUduuzkhpVhGBlDf2Ct5gHPnEea+ZmNhN9XnwBqL+Yn/h/S1uBVDxLyeI7oXSL6ffG9KzQnyhp0deAy452g9T25zPG3EK1NoQA='
}

// picture draws the sample as a camera sees it: in the middle of a square wall.
const picture = (wall, module) => {
  const bits = Uint8Array.from(atob(sample.modules), (c) => c.charCodeAt(0))
  const grey = new Uint8Array(wall * wall).fill(200)
  const margin = (wall - sample.side * module) >> 1
  for (let n = 0; n < sample.side * sample.side; n++) {
    if (!(bits[n >> 3] >> (n & 7) & 1)) continue
    const at = (margin + Math.floor(n / sample.side) * module) * wall + margin + n % sample.side * module
    for (let y = 0; y < module; y++) grey.fill(30, at + y * wall, at + y * wall + module)
  }
  return { width: wall, height: wall, grey }
}

const rehearse = async () => {
  for (const module of [14, 9, 14]) if (await read(picture(720, module), false) !== sample.text) throw new Error('the reader does not read')
}
ready.then(rehearse).then(() => postMessage({ ready: true }), () => postMessage({ broken: true }))
