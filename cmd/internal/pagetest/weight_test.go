package pagetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestPagesAreLight goes to every page that people of each role reach by links,
// weighs it and prints the table of sizes and times that docs/PERFORMANCE.md
// quotes ($KINPASS_PAGES names a file for it, too). No page is over the budget;
// what only a form leads to is weighed by Tab.Look in its own test.
func TestPagesAreLight(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	ctx := t.Context()
	if err := s.Family(ctx); err != nil {
		t.Fatal(err)
	}
	birth, guardianship, err := s.Record(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	out := tabwriter.NewWriter(&table, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "document\twhole page\tpictures\tfiles\tfirst paint\tready\t  page")
	pages := 0
	for _, c := range []struct {
		at    cli.Service
		guest account.Guest
		seeds []string
		least int
	}{
		{s.Issuer, account.Guest{}, []string{"/app/sign-in", "/app/join", "/app/api"}, 3},
		{s.Issuer, account.Guest{Role: "administrator", Name: "Ada"}, nil, 3},
		{s.Issuer, account.Guest{Role: "registrar", Name: "Rosa"}, []string{"/app/births/" + birth, "/app/guardianships/" + guardianship}, 6},
		{s.Issuer, account.Guest{Role: "court", Name: "Naa"}, nil, 2},
		{s.Issuer, account.Guest{Role: "protectionAuthority", Name: "Patience"}, nil, 2},
		{s.Issuer, account.Guest{Role: "notary", Name: "Nii"}, nil, 2},
		{s.Wallet, wallet(t, s), nil, 4},
		{s.Verifier, account.Guest{Role: "officer", Name: "Omar"}, nil, 2},
		{s.Verifier, account.Guest{Role: "auditor", Name: "Yaa"}, nil, 2},
		{cli.Service{Role: "demo", Base: s.Start}, account.Guest{}, nil, 1},
	} {
		x := chromium.Tab(t, webtest.Phone, "en")
		x.WithoutWorkers()
		if c.guest.Role != "" {
			enter(t, x, c.at, c.guest)
		}
		n := 0
		for _, p := range crawl(x, c.at.Base, append([]string{"/app/"}, c.seeds...)) {
			w := p.weight
			fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%.0f ms\t%.0f ms\t  %s\n", kB(w.Page), kB(w.Whole), kB(w.Pictures), w.Files, w.Paint, w.Ready, strings.TrimSpace(c.at.Role+" "+c.guest.Role+" "+p.pattern))
			if w.Whole > webtest.Budget {
				t.Errorf("%s %s weighs %d bytes", c.at.Role, p.pattern, w.Whole)
			}
			if w.Page == 0 || w.Ready == 0 {
				t.Errorf("%s %s was not weighed", c.at.Role, p.pattern)
			}
			n++
		}
		if n < c.least {
			t.Errorf("%s %s: only %d pages were found", c.at.Role, c.guest.Role, n)
		}
		pages += n
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&table, "\n%d pages; at most %s each without pictures and WebAssembly.\n", pages, kB(webtest.Budget))
	// Workers load WebAssembly, unseen by the page.
	wasm, err := filepath.Glob("../../../web/*/static/*.wasm*")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../../web/*/static/*/*.wasm*")
	if wasm = append(wasm, more...); err != nil || len(wasm) < 2 {
		t.Fatalf("only %v was found (%v)", wasm, err)
	}
	for _, name := range wasm {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) != ".gz" {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(b)
			w.Close()
			b = z.Bytes()
		}
		fmt.Fprintf(&table, "%s compressed: %s\n", filepath.Base(name), kB(len(b)))
	}
	t.Logf("sizes as they travel (compressed), times on this machine:\n\n%s", &table)
	if file := os.Getenv("KINPASS_PAGES"); file != "" {
		if err := os.WriteFile(file, table.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func kB(n int) string { return fmt.Sprintf("%.1f kB", float64(n)/1000) }

// weighed is a page with the pattern of its address.
type weighed struct {
	pattern string
	weight  webtest.Weight
}

// id is a part of an address that names one thing among many.
var id = regexp.MustCompile(`^([A-Za-z0-9_-]{12,}|[0-9]+)$`)

// pattern writes an address with ":id" for what differs between pages of one
// kind. Words of ours are short and have no digits.
func pattern(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if id.MatchString(p) && (strings.ContainsAny(p, "0123456789_") || strings.ToLower(p) != p) {
			parts[i] = ":id"
		}
	}
	return strings.Join(parts, "/")
}

// crawl goes to each kind of page once that links lead to.
func crawl(x *webtest.Tab, base string, todo []string) []weighed {
	var out []weighed
	var seen []string
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		u, err := url.Parse(path)
		if err != nil || !strings.HasPrefix(u.Path, "/app/") || strings.HasPrefix(u.Path, "/app/static/") || strings.HasSuffix(u.Path, ".yaml") || slices.Contains(seen, pattern(u.Path)) {
			continue
		}
		seen = append(seen, pattern(u.Path))
		x.Go(base + u.Path)
		if at := x.Path(); pattern(strings.SplitN(at, "#", 2)[0]) != pattern(u.Path) {
			continue // sent on to a page that has its own turn
		}
		x.Wait(`performance.getEntriesByType('navigation')[0].loadEventEnd > 0`)
		out = append(out, weighed{pattern(u.Path), x.Weigh()})
		todo = append(todo, webtest.Value[[]string](x, `[...document.querySelectorAll('a[href]:not([download])')].filter((a) => a.origin === location.origin && !a.search).map((a) => a.pathname)`)...)
	}
	return out
}
