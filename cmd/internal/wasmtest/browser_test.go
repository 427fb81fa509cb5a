// Package wasmtest compares the check that a browser runs with the native one.
package wasmtest

import (
	_ "embed"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/kinpass/kinpass/web/webtest"
)

//go:embed run.js
var script []byte

// open gives what opens pages that have the committed check and nothing else.
func open(t *testing.T) func() *webtest.Tab {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>check</title><body class="govuk-frontend-supported"><script src="wasm_exec.js"></script><script type="module" src="run.js"></script>`))
	})
	mux.HandleFunc("/run.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(script)
	})
	for _, name := range []string{"wasm_exec.js", "check.wasm.gz"} {
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
			body, err := os.ReadFile("../../../web/border/static/" + name)
			if err != nil {
				http.Error(w, "", http.StatusNotFound)
				return
			}
			_, _ = w.Write(body)
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	chromium := webtest.Open(t)
	return func() *webtest.Tab {
		x := chromium.Tab(t, webtest.Desktop, "en")
		x.Go(s.URL)
		if !webtest.Value[bool](x, `window.loaded.then(() => true)`) {
			t.Fatal("the check does not load")
		}
		return x
	}
}
