package border

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	manifest = "/app/manifest.webmanifest"
	script   = "border/app.js" // on every page
)

// kept is where a device asks for a page of shells as nobody's: with no session
// and no name, so that it can be kept for when there is no network.
func kept(path string) string { return "/app/offline" + strings.TrimPrefix(path, "/app") }

// installable adds what a device needs to carry the app with it.
func (h routes) installable(e *echo.Group) {
	e.GET("/app/anchor", h.anchor)
	e.GET("/app/sw.js", h.worker)
	e.GET(manifest, h.manifestFile)
	for path, view := range shells {
		view.Manifest = manifest
		e.GET(kept(path), func(c echo.Context) error { return h.pages.Site().Show(c.Response(), c.Request(), view) })
	}
}

// anchor gives whom the service believes, for the check that a device carries.
// The keys are public, and a device that is not signed in asks too.
func (h routes) anchor(c echo.Context) error {
	file, err := h.AnchorFile()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "application/jwk-set+json", file)
}

// worker is the service worker: it keeps every static file, and the pages that
// work without a network, the first page first.
func (h routes) worker(c echo.Context) error {
	site := h.pages.Site()
	return site.Worker(c.Response(), "border/sw.js", site.Files(), slices.Sorted(maps.Keys(shells)))
}

// manifestFile lets the app be installed on a phone or a desk.
func (h routes) manifestFile(c echo.Context) error {
	return h.pages.Site().Manifest(c.Response(), c.Request(), "border")
}
