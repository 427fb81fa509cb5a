// Draws a code from its modules, and counts down.

const SVG = 'http://www.w3.org/2000/svg'

// draw gives an image of a code: its modules a side and, in base64, a bit for
// each, row by row.
export function draw ({ size, bits }) {
  const bytes = Uint8Array.from(atob(bits), (c) => c.charCodeAt(0))
  const black = (i) => bytes[i >> 3] & (0x80 >> (i & 7))
  let path = ''
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let run = 0
      while (x + run < size && black(y * size + x + run)) run++
      if (run) path += `M${x} ${y}h${run}v1h-${run}z`
      x += run
    }
  }
  const image = document.createElementNS(SVG, 'svg')
  image.setAttribute('viewBox', `0 0 ${size} ${size}`)
  image.setAttribute('shape-rendering', 'crispEdges')
  image.setAttribute('aria-hidden', 'true')
  for (const [fill, d] of [['#fff', `M0 0h${size}v${size}H0z`], ['#000', path]]) {
    const p = document.createElementNS(SVG, 'path')
    p.setAttribute('fill', fill)
    p.setAttribute('d', d)
    image.append(p)
  }
  return image
}

// clock writes seconds as minutes and seconds.
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`

// enlarge shows a code alone on the screen while it is pressed in, and gives it
// back with the next press or with Escape.
export function enlarge (button) {
  const all = 'kp-show__code--all'
  const set = (on) => {
    button.classList.toggle(all, on)
    button.setAttribute('aria-pressed', String(on))
    if (on) document.documentElement.requestFullscreen?.().catch(() => {})
    else if (document.fullscreenElement) document.exitFullscreen().catch(() => {})
  }
  set(false)
  button.addEventListener('click', () => set(!button.classList.contains(all)))
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && button.classList.contains(all)) set(false)
  })
  document.addEventListener('fullscreenchange', () => {
    if (!document.fullscreenElement && button.classList.contains(all)) set(false)
  })
}

// awake keeps the screen on while the page is looked at.
export function awake () {
  const ask = () => {
    if (document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => {})
  }
  document.addEventListener('visibilitychange', ask)
  ask()
}
