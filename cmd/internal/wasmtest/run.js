// Asks the check in this page, many times at once.
const load = async () => {
  const go = new Go()
  const running = new Promise((resolve) => { window.kinpassReady = resolve })
  const plain = (await fetch('check.wasm.gz')).body.pipeThrough(new DecompressionStream('gzip'))
  const { instance } = await WebAssembly.instantiateStreaming(new Response(plain, { headers: { 'Content-Type': 'application/wasm' } }), go.importObject)
  go.run(instance)
  await running
}

window.loaded = load()

const bytes = (text) => new TextEncoder().encode(text)

// world takes an anchor and a bundle, in base64, in; it gives the bundle's info.
window.world = (anchor, bundle, now) => {
  const a = kinpassCheck.anchor(bytes(anchor))
  if (a.fault) return a.fault
  const b = kinpassCheck.take(Uint8Array.from(atob(bundle), (c) => c.charCodeAt(0)), now)
  return b.fault || b.value
}

// ask gives what comes of each request, with what the post remembers then.
window.ask = (asked) => asked.map(({ request, history }) => {
  kinpassCheck.remember(history)
  const out = kinpassCheck.check(request)
  return { answer: out.value || out.fault, history: out.history || '' }
})
