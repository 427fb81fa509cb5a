// Looks for a QR code in one picture after another, off the page's own thread.
import { prepareZXingModule, readBarcodes } from './zxing/reader/index.js'

const ready = prepareZXingModule({
  overrides: { locateFile: (name) => new URL('./zxing/' + name, import.meta.url).href },
  fireImmediately: true
})
ready.then(() => postMessage({ ready: true }), () => postMessage({ broken: true }))

// Only QR codes: nothing of ours is in another.
const options = { formats: ['QRCode'], textMode: 'Plain', maxNumberOfSymbols: 1, tryHarder: true }

addEventListener('message', async ({ data: { id, width, height, pixels, thorough } }) => {
  const began = performance.now()
  let text = null
  try {
    await ready
    const found = await readBarcodes(new ImageData(new Uint8ClampedArray(pixels), width, height), { ...options, tryDenoise: thorough })
    text = found.find((code) => code.isValid && code.text)?.text ?? null
  } catch { /* a picture that cannot be read has no code in it */ }
  // The pixels go back, so that the page need not allocate them anew.
  postMessage({ id, text, pixels, ms: performance.now() - began }, [pixels])
})
