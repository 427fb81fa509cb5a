package border

import (
	"encoding/json"
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

// worker is the service worker. What it keeps is part of it, so that a browser
// that finds another list takes the new files.
func (h routes) worker(c echo.Context) error {
	site := h.pages.Site()
	var list struct {
		Version string   `json:"version"`
		Files   []string `json:"files"`
		Pages   []string `json:"pages"`
	}
	list.Version = site.Version()
	for _, name := range site.Files() {
		address, err := site.Asset(name)
		if err != nil {
			return err
		}
		list.Files = append(list.Files, address)
	}
	list.Pages = slices.Sorted(maps.Keys(shells)) // the first page comes first
	head, err := json.Marshal(list)
	if err != nil {
		return err
	}
	hd := c.Response().Header()
	hd.Set("Cache-Control", "no-cache")
	hd.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'")
	return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", append([]byte("const kept = "+string(head)+"\n"), site.File("border/sw.js")...))
}

// manifestFile lets the app be installed on a phone or a desk.
func (h routes) manifestFile(c echo.Context) error {
	site, r := h.pages.Site(), c.Request()
	var icons []map[string]string
	for _, i := range []struct{ file, size, purpose string }{
		{"icon.svg", "any", "any"}, {"icon-192.png", "192x192", "any"}, {"icon-512.png", "512x512", "any"}, {"icon-512.png", "512x512", "maskable"},
	} {
		address, err := site.Asset("border/" + i.file)
		if err != nil {
			return err
		}
		icons = append(icons, map[string]string{"src": address, "sizes": i.size, "purpose": i.purpose})
	}
	name, lang := site.Text(r, "site.verifier"), site.Language(r)
	dir := "ltr"
	if lang == "ar" {
		dir = "rtl"
	}
	hd := c.Response().Header()
	hd.Set("Cache-Control", "no-cache")
	hd.Set("Vary", "Accept-Language, Cookie")
	hd.Set("Content-Type", "application/manifest+json")
	return json.NewEncoder(c.Response()).Encode(map[string]any{
		"id": "/app/", "name": name, "short_name": name, "lang": lang, "dir": dir, "start_url": "/app/", "scope": "/app/",
		"display": "standalone", "background_color": "#ffffff", "theme_color": "#14505c", "icons": icons,
	})
}
