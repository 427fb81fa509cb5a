package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
)

// web serves a shelf over HTTP.
func (s *shelf) web() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := s.Get(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), r.Header.Get("Accept"), 1<<30)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}
}

// TestHostileShelf: whatever a server does, an audit ends soon, with an error and
// without a finding that accuses somebody, and the state stays what it was.
func TestHostileShelf(t *testing.T) {
	good := newShelf(t)
	good.issue(700)
	good.change(1, 5, tlog.Invalid)
	good.publish()
	good.list(1, []int64{5}, nil)
	elsewhere := httptest.NewServer(good.web())
	defer elsewhere.Close()
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
				return
			}
		}
	}
	var bundle = func(p string) bool { return strings.Contains(p, "/entries/") }
	var check = func(p string) bool { return strings.HasSuffix(p, "/checkpoint") }
	edit := func(f func(b []byte) []byte) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			b, _ := good.Get(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), "", 1<<30)
			w.Write(f(bytes.Clone(b)))
		}
	}
	for name, c := range map[string]struct {
		where func(string) bool
		do    func(http.ResponseWriter, *http.Request)
		want  error
	}{
		"an endless checkpoint": {check, endless, ErrLarge},
		"an endless bundle":     {bundle, endless, ErrLarge},
		"an endless index":      {func(p string) bool { return p == "/status" }, endless, ErrLarge},
		"a slow checkpoint":     {check, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ErrUnreachable},
		"a slow bundle": {bundle, func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte{0})
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, ErrUnreachable},
		"a bundle cut off":   {bundle, edit(func(b []byte) []byte { return b[:len(b)-1] }), tlog.ErrTile},
		"a bundle too long":  {bundle, edit(func(b []byte) []byte { return append(b, 0) }), tlog.ErrTile},
		"another entry":      {bundle, edit(func(b []byte) []byte { b[40] ^= 1; return b }), ErrEntries},
		"an entry malformed": {bundle, edit(func(b []byte) []byte { b[2] = 9; return b }), ErrEntries},
		"half an answer": {bundle, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.Write([]byte("x"))
		}, ErrUnreachable},
		"no bundle": {bundle, http.NotFound, ErrMissing},
		"errors":    {bundle, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, ErrUnreachable},
		"another origin": {check, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		}, ErrAddress},
		"a redirect loop":  {check, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, ErrAddress},
		"not a checkpoint": {check, edit(func([]byte) []byte { return []byte("<html>") }), tlog.ErrCheckpoint},
		"another key's":    {check, edit(func(b []byte) []byte { b[len(b)-5] ^= 1; return b }), tlog.ErrUnsigned},
		"a large header": {check, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			io.WriteString(w, "x")
		}, ErrUnreachable},
		"an index elsewhere": {func(p string) bool { return p == "/status" }, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"lists":["http://169.254.169.254/status/revocation/1"]}`)
		}, ErrIndex},
		"an index with a way out": {func(p string) bool { return p == "/status" }, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"lists":["`+base+`/status/../../x/status/revocation/1"]}`)
		}, ErrIndex},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bad atomic.Bool
			h := good.web()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if bad.Load() && c.where(r.URL.Path) {
					c.do(w, r)
					return
				}
				h(w, r)
			}))
			defer srv.Close()
			patience := time.Minute // more than a busy machine takes
			if strings.HasPrefix(name, "a slow") {
				patience = time.Second
			}
			src, err := NewSource(srv.URL, Web{Loopback: true, Timeout: patience})
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(Config{Policy: policy(0), Shelf: src, Base: base, Keys: listKeys, Dir: t.TempDir(), Settle: time.Millisecond, Now: func() time.Time { return good.now }})
			if err != nil {
				t.Fatal(err)
			}
			bad.Store(true)
			start := time.Now()
			r, err := a.Round(t.Context())
			if !errors.Is(err, c.want) || r.Proven() || time.Since(start) > time.Minute {
				t.Errorf("%v after %v: %+v", err, time.Since(start), r.Findings)
			}
			if _, err := os.Stat(a.stateFile()); err == nil {
				t.Error("a state was written")
			}
			bad.Store(false)
			if r, err := a.Round(t.Context()); err != nil || len(r.Findings) != 0 || r.New != 701 {
				t.Errorf("afterwards: %+v %v", r, err)
			}
		})
	}
}

// TestForgedTilesAccuseNobody: evidence needs tiles that make the signed tree.
func TestForgedTilesAccuseNobody(t *testing.T) {
	s := newShelf(t)
	s.issue(300)
	s.publish()
	a := s.auditor()
	round1(t, a)
	o := s.fork(100)
	o.log(tlog.Entry{Office: "court"})
	o.issue(399)
	o.publish()
	s.files["ledger/checkpoint"] = o.files["ledger/checkpoint"] // and neither its tiles nor its entries
	for path, b := range o.files {
		if strings.HasPrefix(path, "ledger/tile/0/001") {
			s.files[path] = bytes.Clone(b)
			s.files[path][5] ^= 1
		} else if _, ok := s.files[path]; !ok {
			s.files[path] = b
		}
	}
	if r, err := a.Round(t.Context()); !errors.Is(err, ErrEntries) || r.Proven() {
		t.Errorf("%v %+v", err, r.Findings)
	}
}

func TestAddresses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"http://registry.example", "ftp://registry.example", "https://user@registry.example", "https://registry.example/?x=1", "https://registry.example/#x",
		"https://", "file:///etc", "/nowhere/at/all", file, "http://localhost:1/"} {
		if _, err := NewSource(bad, Web{}); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	// A public name that leads into the auditor's own network is not called.
	src, err := NewSource("https://localhost", Web{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Get(t.Context(), "status", "", 10); !errors.Is(err, ErrAddress) {
		t.Errorf("%v", err)
	}
}

// TestDirectory: a copy in a directory is a shelf like any other; links in it lead
// nowhere else.
func TestDirectory(t *testing.T) {
	s := newShelf(t)
	s.issue(700)
	s.change(1, 5, tlog.Invalid)
	s.publish()
	s.list(1, []int64{5}, nil)
	dir := t.TempDir()
	for path, b := range s.files {
		if path == "status" {
			path = "status/index"
		}
		p := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src, err := NewSource(dir, Web{})
	if err != nil {
		t.Fatal(err)
	}
	r := round1(t, s.auditor(func(c *Config) { c.Shelf = src }))
	if want(t, r, ""); r.New != 701 || r.Lists != 4 {
		t.Errorf("%+v", r)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, []byte("x"), 0o600), os.Symlink(secret, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"link", "../secret", "/etc/passwd", ""} {
		if b, err := src.Get(t.Context(), bad, "", 100); err == nil {
			t.Errorf("%q gave %q", bad, b)
		}
	}
}

func FuzzEvidence(f *testing.F) {
	s := newShelf(f)
	s.issue(3)
	e := contradict(SplitView, s.signed(), s.signed(2), s.root, s.hashes[:2])
	e.Version, e.Origin = 1, origin
	if b, err := json.Marshal(e); err == nil {
		f.Add(b)
	}
	f.Add([]byte(`{"kinpassEvidence":1,"kind":"status-undone","origin":"registry.example/ledger","entries":[{"entry":"AA==","proof":"x"}],"list":"AA=="}`))
	p := policy(0)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEvidence(data)
		if err != nil {
			if !errors.Is(err, ErrEvidence) {
				t.Error(err)
			}
			return
		}
		// Nobody but who has the keys makes evidence.
		if e.Verify(p, listKeys) == nil {
			t.Errorf("believed: %s", data)
		}
	})
}

func FuzzHandover(f *testing.F) {
	s := newShelf(f)
	s.issue(3)
	f.Add(s.signed())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 1\n\n" + string(s.signed())))
	f.Add([]byte(`{"proof":"YWJj"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		signed, err := Handover(data)
		if err == nil && !bytes.Contains(data, signed) && data[0] != '{' && !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			t.Error("made up")
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"lists":["` + base + `/status/token/7","` + base + `/status/revocation/1"]}`))
	f.Add([]byte(`{"lists":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		forms, err := parseIndex(data, base)
		if err != nil {
			return
		}
		for _, x := range forms {
			if x.address != base+"/"+x.path || strings.Contains(x.path, "..") || strings.Count(x.path, "/") != 2 {
				t.Errorf("%+v", x)
			}
		}
	})
}

func FuzzState(f *testing.F) {
	s := newShelf(f)
	s.issue(300)
	s.change(1, 5, tlog.Invalid)
	s.publish()
	a := s.auditor(func(c *Config) { c.Keys = nil })
	if _, err := a.Round(f.Context()); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(a.stateFile())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := parseState(data, origin)
		if err != nil {
			if fault.As(err).Code != ErrState.Code || st != nil {
				t.Error(err)
			}
			return
		}
		again, err := st.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseState(again, origin); err != nil {
			t.Error("written, and not read")
		}
	})
}

// BenchmarkFollow reads a ledger of a million entries from its beginning; its
// memory stays what it is for a thousand.
func BenchmarkFollow(b *testing.B) {
	s := newShelf(b)
	for h := range 1000 {
		var some [][]byte
		for i := range 1000 {
			e := tlog.Entry{Kind: tlog.Issued, Hour: s.now.Truncate(time.Hour), Office: "registrar", Commitment: [32]byte{byte(h), byte(h >> 8), byte(i), byte(i >> 8)}}
			if i%100 == 0 {
				e.Kind, e.List, e.Index, e.Status = tlog.Changed, uint32(h%8), uint32(h*1000+i)&(1<<20-1), tlog.Invalid
			}
			raw, err := e.Bytes()
			if err != nil {
				b.Fatal(err)
			}
			some = append(some, raw)
		}
		s.raw(some...)
		s.now = s.now.Add(time.Hour)
	}
	s.publish()
	b.ReportAllocs()
	for b.Loop() {
		a := s.auditor(func(c *Config) { c.Keys = nil })
		r, err := a.Round(b.Context())
		if err != nil || r.New != 1_000_000 {
			b.Fatal(err, r)
		}
		info, err := os.Stat(a.stateFile())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e3, "kB-state")
	}
	b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds(), "entries/s")
}
