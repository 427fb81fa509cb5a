// A link to the wallet brings the offer in its fragment, which no server sees.
// It does not stay in the address bar and the history.
const offer = document.getElementById('offer')
const pin = document.getElementById('pin')

if (location.hash.length > 1) {
  const text = decodeURIComponent(location.hash.slice(1))
  history.replaceState(null, '', location.pathname)
  offer.value = text
  pin.focus()
}
