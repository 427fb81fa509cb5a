package mirror

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

var began = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// hub signs bundles of a few parts; one part changes from each to the next.
type hub struct {
	*testing.T
	signer keys.Signer
	public crypto.PublicKey
	fixed  []byte
	n      int64
}

func newHub(t *testing.T) *hub {
	t.Helper()
	k, err := keys.New("hub", keys.UseHub, keys.EdDSA, began.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return &hub{T: t, signer: k.Signer("did:web:hub.example#1"), public: k.Public(), fixed: noise(200_000, 1)}
}

// noise is what does not get smaller.
func noise(n int, seed uint64) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	out := make([]byte, n)
	_, _ = r.Read(out)
	return out
}

// next gives the next bundle, made a quarter of an hour after the one before.
func (h *hub) next() *bundle.File {
	h.Helper()
	h.n++
	return h.at(began.Add(time.Duration(h.n) * 15 * time.Minute))
}

func (h *hub) at(t time.Time) *bundle.File {
	h.Helper()
	data, err := bundle.Pack(bundle.Header{ID: fmt.Sprintf("bundle-%d-%d", h.n, t.Unix()), Sequence: h.n, CreatedAt: t, TrustList: 1},
		[]bundle.Part{{Name: "trust", Bytes: h.fixed}, {Name: "policies", Bytes: noise(2_000, uint64(h.n))}, {Name: "lists", Bytes: noise(100_000, 3)}}, h.signer)
	if err != nil {
		h.Fatal(err)
	}
	f, err := bundle.Open(data)
	if err != nil {
		h.Fatal(err)
	}
	return f
}

// publish puts a bundle into a directory.
func (h *hub) publish(dir string, f *bundle.File) *Index {
	h.Helper()
	i, err := Publish(dir, f.Bytes(), Keep{}, f.CreatedAt)
	if err != nil {
		h.Fatal(err)
	}
	return i
}

// accept is what a post does at the end.
func (h *hub) accept(data []byte) error {
	f, err := bundle.Open(data)
	if err != nil {
		return err
	}
	return f.Verify(h.public)
}

func (h *hub) fetcher(have *bundle.File, mirrors ...string) *Fetcher {
	return &Fetcher{Mirrors: mirrors, Have: have, Accept: h.accept, Pause: time.Millisecond,
		Hub: func(string) crypto.PublicKey { return h.public }, Part: filepath.Join(h.TempDir(), "border.part")}
}

// server is a mirror behind a web server that can be made bad.
type server struct {
	*httptest.Server
	noRanges bool
	asked    atomic.Int64 // files but the index
	ranges   atomic.Int64 // of these with a range
	sent     atomic.Int64
	// spoil changes an answer: it gives the bytes, and whether the connection
	// breaks after them.
	spoil func(name string, body []byte) ([]byte, bool)
}

func serve(t *testing.T, dir string) *server {
	t.Helper()
	s := &server{}
	files := http.FileServer(http.Dir(dir))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, IndexName) {
			s.asked.Add(1)
			if r.Header.Get("Range") != "" {
				s.ranges.Add(1)
			}
		}
		if s.noRanges {
			r.Header.Del("Range")
		}
		rec := httptest.NewRecorder()
		files.ServeHTTP(rec, r)
		body, breaks := rec.Body.Bytes(), false
		if s.spoil != nil {
			body, breaks = s.spoil(strings.TrimPrefix(r.URL.Path, "/"), body)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		if s.noRanges {
			w.Header().Del("Accept-Ranges")
		}
		w.WriteHeader(rec.Code)
		n, _ := w.Write(body)
		s.sent.Add(int64(n))
		if breaks {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func fetch(t *testing.T, f *Fetcher) Fetched {
	t.Helper()
	out, err := f.Fetch(context.Background())
	if err != nil {
		t.Fatalf("%v; %+v", err, out.Problems)
	}
	return out
}

func TestFetch(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	var all []*bundle.File
	for range 4 {
		all = append(all, h.next())
		h.publish(dir, all[len(all)-1])
	}
	newest := all[3]
	s := serve(t, dir)
	for _, mirror := range []string{dir, "file://" + dir, s.URL, s.URL + "/"} {
		if out := fetch(t, h.fetcher(nil, mirror)); out.How != Whole || !bytes.Equal(out.File, newest.Bytes()) || out.Mirror != mirror {
			t.Errorf("%s: %s", mirror, out.How)
		}
		for n, have := range all[:3] {
			out := fetch(t, h.fetcher(have, mirror))
			if out.How != ByDelta || out.Deltas != 1 || !bytes.Equal(out.File, newest.Bytes()) {
				t.Errorf("%s from %d: %s by %d", mirror, n, out.How, out.Deltas)
			}
			if out.Bytes > 6_000 {
				t.Errorf("the delta took %d bytes of a bundle of %d", out.Bytes, len(newest.Bytes()))
			}
		}
		if out := fetch(t, h.fetcher(newest, mirror)); out.How != Unchanged || out.File != nil {
			t.Errorf("%s: what is there already: %s", mirror, out.How)
		}
	}
	// A service has its mirror one directory below.
	above := t.TempDir()
	if err := os.Rename(dir, filepath.Join(above, Below)); err != nil {
		t.Fatal(err)
	}
	if out := fetch(t, h.fetcher(nil, above)); out.How != Whole {
		t.Error(out.How)
	}
}

// TestInterrupted: a transfer that breaks off again and again goes on where it
// was, across processes and mirrors too, and nothing is fetched twice but the
// part that was not whole.
func TestInterrupted(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	f := h.next()
	h.publish(dir, f)
	size := int64(len(f.Bytes()))
	t.Run("often", func(t *testing.T) {
		s := serve(t, dir)
		s.spoil = func(name string, body []byte) ([]byte, bool) {
			if name == IndexName || len(body) < 205_000 && s.asked.Load() > 1 {
				return body, false
			}
			return body[:205_000], true
		}
		out := fetch(t, h.fetcher(nil, s.URL))
		if !bytes.Equal(out.File, f.Bytes()) || s.ranges.Load() != 1 {
			t.Errorf("%d ranges", s.ranges.Load())
		}
	})
	t.Run("another process, another mirror", func(t *testing.T) {
		s := serve(t, dir)
		s.spoil = func(name string, body []byte) ([]byte, bool) {
			if name == IndexName {
				return body, false
			}
			if s.asked.Load() > 1 {
				return nil, true
			}
			return body[:250_000], true
		}
		one := h.fetcher(nil, s.URL)
		if _, err := one.Fetch(context.Background()); !errors.Is(err, ErrNoMirror) {
			t.Fatal(err)
		}
		left, err := os.ReadFile(one.Part)
		if err != nil || len(left) < 200_000 || len(left) > 250_000 {
			t.Fatalf("%d bytes were kept: %v", len(left), err)
		}
		other := serve(t, dir)
		two := h.fetcher(nil, s.URL, other.URL)
		two.Part = one.Part
		out := fetch(t, two)
		if !bytes.Equal(out.File, f.Bytes()) || out.Resumed != int64(len(left)) || out.Bytes != size-out.Resumed || out.Mirror != other.URL {
			t.Errorf("%+v", out.Problems)
		}
		if len(out.Problems) != 1 || out.Problems[0].Mirror != s.URL {
			t.Errorf("the bad mirror is not named: %+v", out.Problems)
		}
		if _, err := os.Stat(one.Part); err == nil {
			t.Error("the kept transfer was left behind")
		}
	})
	t.Run("without ranges", func(t *testing.T) {
		s := serve(t, dir)
		s.noRanges = true
		s.spoil = func(name string, body []byte) ([]byte, bool) {
			if name != IndexName && s.asked.Load() < 3 {
				return body[:250_000], true
			}
			return body, false
		}
		if out := fetch(t, h.fetcher(nil, s.URL)); !bytes.Equal(out.File, f.Bytes()) {
			t.Error(out.How)
		}
	})
	t.Run("with ranges that are wrong", func(t *testing.T) {
		s := serve(t, dir)
		files := s.Config.Handler
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Range"), "bytes=") {
				files.ServeHTTP(w, r)
				return
			}
			s.ranges.Add(1)
			from := strings.TrimPrefix(strings.TrimSuffix(r.Header.Get("Range"), "-"), "bytes=")
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %s-%d/%d", from, size-1, size))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(f.Bytes()[:1000])
		})
		s.spoil = func(name string, body []byte) ([]byte, bool) {
			if name != IndexName && s.asked.Load() == 1 {
				return body[:250_000], true
			}
			return body, false
		}
		out := fetch(t, h.fetcher(nil, s.URL))
		if !bytes.Equal(out.File, f.Bytes()) || s.ranges.Load() != 1 {
			t.Errorf("%d ranges were asked for, %+v", s.ranges.Load(), out.Problems)
		}
	})
	t.Run("what was kept is of another bundle", func(t *testing.T) {
		one := h.fetcher(nil, dir)
		p := &partial{path: one.Part, data: noise(1000, 5)}
		p.keep(offer{index: &Index{Manifest: "x.y.z"}}, "")
		if out := fetch(t, one); out.Resumed != 0 || !bytes.Equal(out.File, f.Bytes()) {
			t.Error(out.Resumed)
		}
	})
	t.Run("what was kept is damaged", func(t *testing.T) {
		one := h.fetcher(nil, dir)
		i := NewIndex(f, nil)
		p := &partial{path: one.Part, data: append([]byte(nil), f.Bytes()[:250_000]...)}
		p.data[220_000] ^= 1 // in the part that is not whole
		p.keep(offer{index: i, mirror: dir}, "")
		if out := fetch(t, one); out.Resumed < 200_000 || out.Resumed > 205_000 || !bytes.Equal(out.File, f.Bytes()) {
			t.Error(out.Resumed)
		}
		p.data = append([]byte(nil), f.Bytes()[:250_000]...)
		p.data[100_000] ^= 1 // in one that was
		p.keep(offer{index: i, mirror: dir}, "")
		if out := fetch(t, one); out.Resumed > 5_000 || !bytes.Equal(out.File, f.Bytes()) {
			t.Error(out.Resumed)
		}
	})
}

// TestDamagedOnTheWay: one flipped bit, anywhere, costs the part in which it is;
// a mirror that always flips one is named, and the next one helps.
func TestDamagedOnTheWay(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	f := h.next()
	h.publish(dir, f)
	for _, at := range []int{0, 9, 40, 500, 2_000, 150_000, 250_000, len(f.Bytes()) - 1} {
		s := serve(t, dir)
		flip := func(once bool) func(string, []byte) ([]byte, bool) {
			return func(name string, body []byte) ([]byte, bool) {
				if name == IndexName || once && s.asked.Load() > 1 {
					return body, false
				}
				body = append([]byte(nil), body...)
				if n := len(f.Bytes()) - len(body); at >= n {
					body[at-n] ^= 4
				}
				return body, false
			}
		}
		s.spoil = flip(true)
		if out := fetch(t, h.fetcher(nil, s.URL, dir)); !bytes.Equal(out.File, f.Bytes()) {
			t.Errorf("%d: not what was signed", at)
		}
		s.asked.Store(0)
		s.spoil = flip(false)
		out := fetch(t, h.fetcher(nil, s.URL, dir))
		if !bytes.Equal(out.File, f.Bytes()) || out.Mirror != dir || len(out.Problems) != 1 || out.Problems[0].Mirror != s.URL {
			t.Errorf("%d: %s, %+v", at, out.Mirror, out.Problems)
		}
	}
}

// TestBrokenChain: deltas that do not lead there cost the whole bundle, and
// nothing else.
func TestBrokenChain(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	have := h.next()
	h.publish(dir, have)
	newest := h.next()
	h.publish(dir, newest)
	name := filepath.Join(dir, DeltaName(1, 2))
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	h.n = 5
	another, err := bundle.Diff(h.next(), newest)
	if err != nil {
		t.Fatal(err)
	}
	for what, bytes := range map[string][]byte{"damaged": append(append([]byte(nil), good[:len(good)-1]...), good[len(good)-1]^1), "cut": good[:len(good)/2],
		"of another": another, "empty": {}, "too long": append(append([]byte(nil), good...), 0)} {
		if err := os.WriteFile(name, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		out := fetch(t, h.fetcher(have, dir))
		if out.How != Whole || len(out.Problems) != 1 {
			t.Errorf("%s: %s, %+v", what, out.How, out.Problems)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if out := fetch(t, h.fetcher(have, dir)); out.How != Whole {
		t.Error(out.How)
	}
}

// TestMirrors: the newest of several counts, and what is behind or false is
// named.
func TestMirrors(t *testing.T) {
	h := newHub(t)
	old, fresh := t.TempDir(), t.TempDir()
	one, two := h.next(), h.next()
	h.publish(old, one)
	h.publish(fresh, two)
	if out := fetch(t, h.fetcher(nil, old, fresh)); out.Mirror != fresh {
		t.Error("an older bundle was fetched")
	}
	if out := fetch(t, h.fetcher(one, old, fresh)); out.Mirror != fresh || len(out.Problems) != 0 {
		t.Errorf("%+v", out)
	}
	out, err := h.fetcher(two, old).Fetch(context.Background())
	if !errors.Is(err, ErrBehind) || len(out.Problems) != 1 {
		t.Errorf("rollback: %v", err)
	}
	if out := fetch(t, h.fetcher(two, old, fresh)); out.How != Unchanged || out.Problems[0].Mirror != old {
		t.Errorf("%+v", out)
	}
	// A stranger's bundle that says it is of the hub.
	stranger := newHub(t)
	stranger.n = 10
	bad := t.TempDir()
	stranger.publish(bad, stranger.next())
	out = fetch(t, h.fetcher(one, bad, fresh))
	if out.Mirror != fresh || len(out.Problems) != 1 || out.Problems[0].Code != ErrDamaged.Code {
		t.Errorf("%+v", out.Problems)
	}
	f := h.fetcher(nil, bad, fresh)
	f.Hub = nil // nothing is known yet
	if out := fetch(t, f); out.Mirror != fresh || out.Problems[0].Mirror != bad {
		t.Errorf("%+v", out)
	}
	for _, name := range []string{"ftp://mirror.example", "https://", "https://user@mirror.example", "https://mirror.example/?a=b", filepath.Join(fresh, "nowhere")} {
		if _, err := h.fetcher(nil, name).Fetch(context.Background()); !errors.Is(err, ErrNoMirror) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSlowMirror: a mirror that sends a byte now and then is left for another, as
// its index does and as a bundle does; alone it is given up in the end, and a line
// that is merely slow is not.
func TestSlowMirror(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	f := h.next()
	h.publish(dir, f)
	good := serve(t, dir)
	// drips sends some files in pieces, one each 100 ms.
	drips := func(piece int, what string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(r.URL.Path)))
			if err != nil || !strings.Contains(r.URL.Path, what) {
				http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
				return
			}
			for len(body) > 0 && r.Context().Err() == nil {
				n := min(piece, len(body))
				_, _ = w.Write(body[:n])
				w.(http.Flusher).Flush()
				body = body[n:]
				time.Sleep(100 * time.Millisecond)
			}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	fetcher := func(mirrors ...string) *Fetcher {
		out := h.fetcher(nil, mirrors...)
		out.Window = 200 * time.Millisecond
		return out
	}
	for _, what := range []string{"latest", "full"} {
		slow := drips(1, what)
		out := fetch(t, fetcher(slow, good.URL))
		if out.Mirror != good.URL || !bytes.Equal(out.File, f.Bytes()) || len(out.Problems) != 1 || out.Problems[0] != (Problem{slow, ErrSlow.Code, ErrSlow.Detail}) {
			t.Errorf("%s: %s, %+v", what, out.Mirror, out.Problems)
		}
		if out, err := fetcher(slow).Fetch(context.Background()); !errors.Is(err, ErrNoMirror) || out.Problems[0].Code != ErrSlow.Code {
			t.Errorf("%s alone: %v, %+v", what, err, out.Problems)
		}
	}
	// 600 bytes a second are too few while there is another, and enough where there
	// is none that helps.
	weak := drips(60, "latest")
	if out := fetch(t, fetcher(t.TempDir(), weak)); out.Mirror != weak {
		t.Errorf("%+v", out.Problems)
	}
}

// TestOwnFault: what is the post's own fault is no mirror's: nobody else is asked,
// and nothing is fetched again.
func TestOwnFault(t *testing.T) {
	h := newHub(t)
	dir, other := t.TempDir(), t.TempDir()
	one, two := h.next(), h.next()
	for _, d := range []string{dir, other} {
		h.publish(d, one)
		h.publish(d, two)
	}
	full := errors.New("no space left")
	for _, have := range []*bundle.File{nil, one} {
		f := h.fetcher(have, dir, other)
		asked := 0
		f.Accept = func([]byte) error { asked++; return Own(full) }
		if out, err := f.Fetch(context.Background()); err != full || asked != 1 || len(out.Problems) != 0 || out.File != nil {
			t.Errorf("%v, asked %d times, %+v", err, asked, out.Problems)
		}
	}
}

// TestWithoutEnd: of a mirror that sends without end no more is taken than the bundle
// has, however often it is asked.
func TestWithoutEnd(t *testing.T) {
	h := newHub(t)
	dir, good := t.TempDir(), t.TempDir()
	f := h.next()
	size := int64(len(f.Bytes()))
	h.publish(dir, f)
	h.publish(good, f)
	index, err := os.ReadFile(filepath.Join(dir, IndexName))
	if err != nil {
		t.Fatal(err)
	}
	const more = 64 << 20 // is without end here
	for _, begins := range [][]byte{f.Bytes(), nil} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, IndexName) {
				_, _ = w.Write(index)
				return
			}
			if _, err := w.Write(begins); err != nil {
				return
			}
			for n, block := 0, make([]byte, 1<<20); n < more; n += len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}))
		t.Cleanup(s.Close)
		out := fetch(t, h.fetcher(nil, s.URL, good))
		if out.Mirror != good || len(out.Problems) != 1 || out.Problems[0].Code != ErrDamaged.Code {
			t.Errorf("%+v", out.Problems)
		}
		if out.Bytes > (tries+1)*size {
			t.Errorf("%d bytes were taken for a bundle of %d", out.Bytes, size)
		}
	}
}

// TestDeltaToAnother: deltas that lead to another bundle than the index says, though
// the hub signed it, too, are not taken for it.
func TestDeltaToAnother(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	have := h.next()
	h.publish(dir, have)
	another := h.at(began.Add(20 * time.Minute))
	newest := h.next()
	h.publish(dir, newest)
	delta, err := bundle.Diff(have, another)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, DeltaName(1, 2)), delta, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := fetch(t, h.fetcher(have, dir)); out.How != Whole || !bytes.Equal(out.File, newest.Bytes()) || len(out.Problems) != 1 {
		t.Errorf("%s, %+v", out.How, out.Problems)
	}
}

// TestVerdict: what a post says of a bundle that is what its hub signed is what the
// fetch says, not that no mirror helped; by deltas it is not fetched whole to be
// refused again.
func TestVerdict(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	have := h.next()
	h.publish(dir, have)
	h.publish(dir, h.next())
	verdict := fault.New(fault.Conflict, "verdict", "the post does not take it").WithHint("tell somebody")
	s := serve(t, dir)
	for _, mirrors := range [][]string{{s.URL}, {s.URL, filepath.Join(dir, "nowhere")}} {
		for _, have := range []*bundle.File{nil, have} {
			s.asked.Store(0)
			f := h.fetcher(have, mirrors...)
			n := 0
			f.Accept = func([]byte) error { n++; return verdict }
			_, err := f.Fetch(context.Background())
			if got := fault.As(err); got.Code != "verdict" || got.Hint != verdict.Hint || errors.Is(err, ErrNoMirror) {
				t.Errorf("%d mirrors: %v", len(mirrors), err)
			}
			if n != 1 || s.asked.Load() != 1 {
				t.Errorf("%d mirrors: asked %d times, %d files", len(mirrors), n, s.asked.Load())
			}
			// Where another mirror helps, it is only a problem of the first.
			good := t.TempDir()
			h.publish(good, h.at(began.Add(14*time.Minute)))
			if have == nil {
				f = h.fetcher(nil, append(slices.Clone(mirrors), good)...)
				f.Accept = func(data []byte) error {
					if b, err := bundle.Open(data); err != nil || b.CreatedAt.After(began.Add(15*time.Minute)) {
						return verdict
					}
					return nil
				}
				if out := fetch(t, f); out.Mirror != good || out.Problems[len(out.Problems)-1].Code != "verdict" {
					t.Errorf("%+v", out)
				}
			}
		}
	}
}

func TestWay(t *testing.T) {
	i := &Index{Sequence: 9, Size: 50_000, Deltas: []Delta{{1, 9, 30_000}, {1, 4, 2_000}, {4, 9, 3_000}, {4, 7, 1_000}, {7, 9, 1_500}, {2, 9, 60_000}, {5, 6, 10}}}
	for from, want := range map[int64]string{1: "[{1 4 2000} {4 9 3000}]", 4: "[{4 9 3000}]", 2: "[]", 5: "[]", 3: "[]", 9: "[]"} {
		if got := fmt.Sprint(i.way(from)); got != want {
			t.Errorf("from %d by %s, want %s", from, got, want)
		}
	}
	i.OnDemand = true
	if got := fmt.Sprint(i.way(3)); got != "[{3 9 0}]" {
		t.Error(got)
	}
}

// TestPublish: at no moment does a reader find an index of what is not there,
// and what nobody needs goes.
func TestPublish(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	var last *bundle.File
	for n := range 24 {
		h.n++
		last = h.at(began.Add(time.Duration(n) * 12 * time.Hour))
		i, err := Publish(dir, last.Bytes(), Keep{}, last.CreatedAt.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range i.Deltas {
			if _, err := os.Stat(filepath.Join(dir, DeltaName(d.From, d.To))); err != nil {
				t.Fatal(err)
			}
		}
		// Files of a real directory age by themselves.
		entries, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
		for _, e := range entries {
			if err := os.Chtimes(e, last.CreatedAt.Add(-2*time.Hour), last.CreatedAt.Add(-2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	versions, err := versionsIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Two days of two, and the last of each of the days before.
	if n := len(versions); n < 13 || n > 15 {
		t.Errorf("%d versions are kept", n)
	}
	deltas, err := deltasIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(deltas); n < len(versions)-1 || n > 2*len(versions) {
		t.Errorf("%d deltas for %d versions", n, len(versions))
	}
	for _, v := range versions[1:] {
		have, err := openFile(filepath.Join(dir, FullName(v.sequence)))
		if err != nil {
			t.Fatal(err)
		}
		if out := fetch(t, h.fetcher(have, dir)); out.How != ByDelta || !bytes.Equal(out.File, last.Bytes()) {
			t.Errorf("from %d: %s", v.sequence, out.How)
		}
	}
	// Again, after a crash at any point.
	if _, err := Publish(dir, last.Bytes(), Keep{}, last.CreatedAt); err != nil {
		t.Error(err)
	}
	older, err := openFile(filepath.Join(dir, FullName(versions[3].sequence)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Publish(dir, older.Bytes(), Keep{}, last.CreatedAt); !errors.Is(err, ErrOlder) {
		t.Errorf("an older one: %v", err)
	}
	twin := h.at(last.CreatedAt.Add(time.Hour))
	if _, err := Publish(dir, twin.Bytes(), Keep{}, last.CreatedAt); !errors.Is(err, ErrOlder) {
		t.Errorf("another with the same number: %v", err)
	}
}

// TestReaderNeverSeesHalf: readers that come while versions are published always
// get one of them.
func TestReaderNeverSeesHalf(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	first := h.next()
	h.publish(dir, first)
	var next []*bundle.File
	for range 6 {
		next = append(next, h.next())
	}
	done := make(chan error, 1)
	go func() {
		for _, f := range next {
			if _, err := Publish(dir, f.Bytes(), Keep{}, f.CreatedAt); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	have := first
	for n := 0; ; n++ {
		out, err := h.fetcher(have, dir).Fetch(context.Background())
		if err != nil || len(out.Problems) > 0 {
			t.Fatalf("reading %d: %v, %+v", n, err, out.Problems)
		}
		if out.File != nil {
			if have, err = bundle.Open(out.File); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

func TestStay(t *testing.T) {
	now := began.Add(90 * 24 * time.Hour)
	var created []time.Time
	for at := now; at.After(began); at = at.Add(-8 * time.Hour) {
		created = append(created, at)
	}
	kept := 0
	for n, stays := range (Keep{}).Stay(created, now) {
		age := now.Sub(created[n])
		if stays {
			kept++
		}
		if age <= 48*time.Hour && !stays || age > 60*24*time.Hour && stays {
			t.Errorf("%s old: %t", age, stays)
		}
	}
	if kept != 7+58 {
		t.Errorf("%d are kept", kept)
	}
	if (Keep{}).Stay([]time.Time{began}, now)[0] != true {
		t.Error("the newest goes")
	}
}

func TestNames(t *testing.T) {
	if n, ok := ParseFullName("12.kpb"); n != 12 || !ok {
		t.Error(n, ok)
	}
	if a, b, ok := ParseDeltaName("11-12.kpd"); a != 11 || b != 12 || !ok {
		t.Error(a, b, ok)
	}
	for _, s := range []string{"", ".kpb", "0.kpb", "-1.kpb", "+1.kpb", "01.kpb", "1.kpd", "x.kpb", "1.kpb ", "99999999999999999999.kpb", "../1.kpb"} {
		if _, ok := ParseFullName(s); ok {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"", "-.kpd", "1-.kpd", "-1.kpd", "1-1.kpd", "1-02.kpd", "1--2.kpd", "1-2.kpb", "1-2-3.kpd", "0-1.kpd"} {
		if _, _, ok := ParseDeltaName(s); ok {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestIndexRefused(t *testing.T) {
	h := newHub(t)
	i := NewIndex(h.next(), []Delta{{1, 2, 3}})
	good, err := i.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseIndex(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m map[string]any){
		"another number":    func(m map[string]any) { m["sequence"] = 2 },
		"another id":        func(m map[string]any) { m["id"] = "x" },
		"another time":      func(m map[string]any) { m["createdAt"] = "2027-01-01T00:00:00Z" },
		"another hub":       func(m map[string]any) { m["hub"] = "x" },
		"no size":           func(m map[string]any) { m["size"] = 0 },
		"too large":         func(m map[string]any) { m["size"] = bundle.MaxSize + 1 },
		"no manifest":       func(m map[string]any) { m["manifest"] = "" },
		"a delta to itself": func(m map[string]any) { m["deltas"] = []Delta{{2, 2, 3}} },
		"a negative delta":  func(m map[string]any) { m["deltas"] = []Delta{{1, 2, -3}} },
	} {
		var m map[string]any
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		bad, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseIndex(bad); !errors.Is(err, ErrIndex) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"id":"x","sequence":1,"createdAt":"2026-11-20T08:00:00Z","hub":"h","size":1,"sha256":"","manifest":"a.b.c","deltas":[{"from":1,"to":2}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := ParseIndex(data)
		if err != nil {
			if i != nil {
				t.Error("an index that was refused came back")
			}
			return
		}
		i.way(1)
		if _, err := i.Marshal(); err != nil {
			t.Error(err)
		}
	})
}

// TestMap: what is mapped stays what it was when another file takes its place.
func TestMap(t *testing.T) {
	name := filepath.Join(t.TempDir(), "bundle")
	one, two := noise(10_000, 1), noise(9_000, 2)
	if err := WriteFile(name, one, 0o600); err != nil {
		t.Fatal(err)
	}
	data, unmap, err := Map(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(name, two, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, one) {
		t.Error("the mapped bytes changed")
	}
	unmap()
	data, unmap, err = Map(name)
	if err != nil || !bytes.Equal(data, two) {
		t.Error(err)
	}
	unmap()
	if _, _, err := Map(name + "x"); err == nil {
		t.Error("a file that is not there was mapped")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
