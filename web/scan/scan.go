// Package scan reads QR codes in the browser: with the camera, from a picture,
// or from a hardware scanner that types. It is static files and messages alone;
// officers' and guardians' pages use the module scan/scan.js.
//
// The reading itself is zxing-cpp as WebAssembly in a worker, so that a page
// stays quick while it looks. Nothing that the camera sees leaves the page.
package scan

import (
	"embed"

	"github.com/kinpass/kinpass/web"
)

//go:embed static messages
var files embed.FS

// App is what pages that scan are made of, beside their own. They set Camera
// and Wasm in their View and give scripts the messages {{texts "scan.js."}}.
var App = web.App{Name: "scan", Files: files}
