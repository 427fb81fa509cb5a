package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAStickNeedNotWait: while a fetch hangs on its line, what a stick brings is
// put in force; and what the line brings afterwards puts nothing older there.
func TestAStickNeedNotWait(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h := &home{dir: t.TempDir()}
	d, err := h.startDemo(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	post, stick := t.TempDir(), t.TempDir()
	anchor, err := os.ReadFile(h.path("anchor.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(post, "anchor.json"), anchor, 0o600); err != nil {
		t.Fatal(err)
	}
	service, err := url.Parse(d.verifier.base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(service)
	reached, free := make(chan struct{}), make(chan struct{})
	line := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "full") {
			close(reached)
			<-free
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(line.Close)
	type ended struct {
		err error
		out string
	}
	fetched := make(chan ended)
	go func() {
		var out bytes.Buffer
		root := newRoot()
		root.SetArgs([]string{"bundle", "fetch", "--data", post, "--json", line.URL})
		root.SetOut(&out)
		fetched <- ended{root.ExecuteContext(ctx), out.String()}
	}()
	<-reached
	if code := quiet(t, "bundle", "fetch", "--data", stick, "--anchor", h.path("anchor.json"), service.String()); code != 0 {
		t.Fatal(code)
	}
	if code := quiet(t, "bundle", "apply", "--data", post, filepath.Join(stick, "border.kpb")); code != 0 {
		t.Fatal(code)
	}
	close(free)
	got := <-fetched
	var o bundleOutcome
	if err := json.Unmarshal([]byte(got.out), &o); got.err != nil || err != nil || o.How != "unchanged" || o.Info == nil || o.Sequence == 0 {
		t.Errorf("%v: %s", got.err, got.out)
	}
}
