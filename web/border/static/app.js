// On every page of the officer's app: it works without a network from the first
// visit on.
navigator.serviceWorker?.register('/app/sw.js', { scope: '/app/' }).catch(() => {})
