package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	xtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/kinpass/kinpass/internal/tlog"
)

const origin = "registry.example/ledger"

func key(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func public(n byte) ed25519.PublicKey { return key(n).Public().(ed25519.PublicKey) }

// history is a log that somebody with its key can tell anything of.
type history struct{ stored []tlog.Hash }

func (h *history) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, h.stored[i])
	}
	return out, nil
}

// tell makes a history of n entries; those after the first common ones are its own.
func tell(t testing.TB, name string, common, n int) *history {
	t.Helper()
	h := &history{}
	for i := range n {
		entry := fmt.Sprint("entry ", i)
		if i >= common {
			entry += " of " + name
		}
		more, err := xtlog.StoredHashes(int64(i), []byte(entry), h)
		if err != nil {
			t.Fatal(err)
		}
		h.stored = append(h.stored, more...)
	}
	return h
}

func (h *history) checkpoint(t testing.TB, size int64) tlog.Checkpoint {
	t.Helper()
	root, err := tlog.Root(size, h)
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Checkpoint{Origin: origin, Size: size, Root: root}
}

func (h *history) signed(t testing.TB, size int64) []byte { return signBy(t, 1, h.checkpoint(t, size)) }

func signBy(t testing.TB, n byte, c tlog.Checkpoint) []byte {
	t.Helper()
	s, err := tlog.LogSigner(c.Origin, key(n))
	if err != nil {
		t.Fatal(err)
	}
	b, err := tlog.Sign(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// from asks to go on from old entries to size.
func (h *history) from(t testing.TB, old, size int64) Request {
	t.Helper()
	r := Request{Old: old, Signed: h.signed(t, size)}
	if old > 0 && old < size {
		var err error
		if r.Proof, err = tlog.ProveConsistency(size, old, h); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func config(dir string) Config {
	return Config{Name: "witness.example/w1", Key: key(9), Dir: dir, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Ledger: func(_ context.Context, name string) (tlog.Verifier, error) {
			if name != origin {
				return tlog.Verifier{}, ErrUnknownLog
			}
			return tlog.LogVerifier(origin, public(1)), nil
		}}
}

func open(t testing.TB, dir string) *Witness {
	t.Helper()
	w, err := Open(context.Background(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// asks sends a body to a witness and gives status and answer.
func asks(t testing.TB, w *Witness, body []byte) (int, *httptest.ResponseRecorder) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoint", bytes.NewReader(body)))
	return rec.Code, rec
}

// TestStatuses: each request that tlog-witness speaks of gets its status, and
// nothing but a checkpoint that goes on is cosigned.
func TestStatuses(t *testing.T) {
	w := open(t, t.TempDir())
	good, other := tell(t, "good", 400, 400), tell(t, "other", 100, 400)
	for _, c := range []struct {
		name string
		body []byte
		want int
		size string // in the answer to a conflict
	}{
		{"nothing", nil, 400, ""},
		{"no checkpoint", []byte("old 0\n\n"), 400, ""},
		{"a checkpoint alone", good.signed(t, 10), 400, ""},
		{"a leading zero", bytes.Replace(good.from(t, 0, 10).Bytes(), []byte("old 0"), []byte("old 00"), 1), 400, ""},
		{"a sign", bytes.Replace(good.from(t, 0, 10).Bytes(), []byte("old 0"), []byte("old +0"), 1), 400, ""},
		{"below nothing", bytes.Replace(good.from(t, 0, 10).Bytes(), []byte("old 0"), []byte("old -1"), 1), 400, ""},
		{"a carriage return", bytes.Replace(good.from(t, 0, 10).Bytes(), []byte("old 0\n"), []byte("old 0\r\n"), 1), 400, ""},
		{"64 lines of proof", Request{Proof: make([]tlog.Hash, 64), Signed: good.signed(t, 10)}.Bytes(), 400, ""},
		{"too long", append(good.from(t, 0, 10).Bytes(), bytes.Repeat([]byte("x"), maxRequest)...), 400, ""},
		{"old after new", Request{Old: 20, Signed: good.signed(t, 10)}.Bytes(), 400, ""},
		{"an unknown ledger", Request{Signed: signBy(t, 1, tlog.Checkpoint{Origin: "elsewhere.example/ledger", Size: 0, Root: tlog.EmptyRoot()})}.Bytes(), 404, ""},
		{"another key", Request{Signed: signBy(t, 2, good.checkpoint(t, 10))}.Bytes(), 403, ""},
		{"a changed root", bytes.Replace(good.from(t, 0, 10).Bytes(), []byte("\n10\n"), []byte("\n11\n"), 1), 403, ""},
		{"an empty tree with a root", Request{Signed: signBy(t, 1, tlog.Checkpoint{Origin: origin, Root: tlog.Hash{1}})}.Bytes(), 422, ""},
		{"a proof from nothing", Request{Proof: make([]tlog.Hash, 1), Signed: good.signed(t, 10)}.Bytes(), 422, ""},
		{"from what it never saw", good.from(t, 5, 10).Bytes(), 409, "0\n"},
		{"the empty ledger", Request{Signed: signBy(t, 1, tlog.Checkpoint{Origin: origin, Root: tlog.EmptyRoot()})}.Bytes(), 200, ""},
		{"the first", good.from(t, 0, 10).Bytes(), 200, ""},
		{"the same again", good.from(t, 10, 10).Bytes(), 200, ""},
		{"from the beginning again", good.from(t, 0, 10).Bytes(), 409, "10\n"},
		{"without a proof", Request{Old: 10, Signed: good.signed(t, 200)}.Bytes(), 422, ""},
		{"a proof to where it is", Request{Old: 10, Proof: make([]tlog.Hash, 1), Signed: good.signed(t, 10)}.Bytes(), 422, ""},
		{"on", good.from(t, 10, 200).Bytes(), 200, ""},
		{"back", good.from(t, 10, 100).Bytes(), 409, "200\n"},
		{"back from here", Request{Old: 200, Signed: good.signed(t, 100)}.Bytes(), 400, ""},
		{"another history of the same size", other.from(t, 200, 200).Bytes(), 409, ""},
		{"another history that is longer", other.from(t, 200, 300).Bytes(), 422, ""},
		{"another history from where both begin", other.from(t, 100, 300).Bytes(), 409, "200\n"},
		{"on, still", good.from(t, 200, 400).Bytes(), 200, ""},
	} {
		status, rec := asks(t, w, c.body)
		if status != c.want {
			t.Errorf("%s: %d, not %d: %s", c.name, status, c.want, rec.Body)
		}
		if got := rec.Header().Get("Content-Type") == mediaSize; got != (c.size != "") || got && rec.Body.String() != c.size {
			t.Errorf("%s: %s %q", c.name, rec.Header().Get("Content-Type"), rec.Body)
		}
		if cosigned := strings.Contains(rec.Body.String(), "witness.example"); cosigned != (c.want == 200) {
			t.Errorf("%s: cosigned: %v", c.name, cosigned)
		}
	}
	// What contradicts is kept: two checkpoints that the ledger's key signed.
	found, err := filepath.Glob(filepath.Join(w.cfg.Dir, "evidence", "*-contradiction-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil || !bytes.Contains(text, other.signed(t, 200)) || bytes.Count(text, []byte("\n200\n")) != 2 {
		t.Errorf("%s %v", text, err)
	}
	for _, path := range []string{"/", "/" + fileOf(origin) + "/checkpoint"} {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), "400") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	for _, path := range []string{"/x/checkpoint", "/logs", "/../", "/add-checkpoint"} {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code == 200 {
			t.Errorf("%s: %s", path, rec.Body)
		}
	}
}

// TestCosignatureIsWhatVerifiersDemand: the line, added to the checkpoint, meets a
// policy that demands this witness, ours and torchwood's.
func TestCosignatureIsWhatVerifiersDemand(t *testing.T) {
	w := open(t, t.TempDir())
	h := tell(t, "", 50, 50)
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	c, err := NewClient(server.URL, true)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Add(context.Background(), h.from(t, 0, 50))
	if err != nil {
		t.Fatal(err)
	}
	line, at, err := tlog.Cosigned(h.signed(t, 50), answer, w.Verifier())
	if err != nil || time.Since(at) > time.Minute {
		t.Fatal(at, err)
	}
	whole := append(h.signed(t, 50), line...)
	ours := tlog.Policy{Log: tlog.LogVerifier(origin, public(1)), Witnesses: []tlog.Verifier{w.Verifier()}, Quorum: 1}
	if _, err := ours.Open(whole); err != nil {
		t.Error(err)
	}
	logKey, err := note.NewVerifier(tlog.LogVerifier(origin, public(1)).String())
	if err != nil {
		t.Fatal(err)
	}
	theirKey, err := torchwood.NewCosignatureVerifier(w.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs := torchwood.ThresholdPolicy(3, torchwood.SingleVerifierPolicy(theirKey), torchwood.SingleVerifierPolicy(logKey), torchwood.OriginPolicy(origin))
	if _, _, err := torchwood.VerifyCheckpoint(whole, theirs); err != nil {
		t.Error("torchwood: ", err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(h.signed(t, 50), theirs); err == nil {
		t.Error("torchwood takes anything")
	}
	for _, s := range []string{w.Verifier().String(), tlog.LogVerifier(origin, public(1)).String()} {
		if v, err := tlog.ParseVerifier(s); err != nil || v.String() != s {
			t.Errorf("%s: %v", s, err)
		}
		if _, err := tlog.ParseVerifier(s[:len(s)-4] + "AAA="); err == nil {
			t.Error("a changed key was read")
		}
	}
}

// TestTorchwoodsRequests replays the requests that torchwood's own witness is
// tested with, in the order and with the statuses of that test.
func TestTorchwoodsRequests(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "filippo.io/torchwood").Output()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "cmd/litewitness/testdata/litewitness.txt"))
	if err != nil {
		t.Fatal(err)
	}
	const name = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
	var pub []byte
	fmt.Sscanf("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f", "%x", &pub)
	c := config(t.TempDir())
	c.Ledger = func(_ context.Context, origin string) (tlog.Verifier, error) {
		if origin != name {
			return tlog.Verifier{}, ErrUnknownLog
		}
		return tlog.LogVerifier(name, pub), nil
	}
	w, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	requests := strings.Split(string(script), "POST http://localhost:7380/add-checkpoint\n```\n")[1:]
	seen := map[int]int{}
	for n, r := range requests {
		body, rest, _ := strings.Cut(r, "```\nHTTP ")
		want, err := strconv.Atoi(rest[:3])
		if err != nil {
			t.Fatal(err)
		}
		if got, rec := asks(t, w, []byte(body)); got != want {
			t.Errorf("request %d: %d, not %d: %s", n, got, want, rec.Body)
		}
		seen[want]++
	}
	if seen[200] < 2 || seen[403] < 1 || seen[404] < 1 || seen[409] < 1 || seen[422] < 2 {
		t.Errorf("the script has changed: %v", seen)
	}
}

// TestOneProcess: a second process does not get the directory.
func TestOneProcess(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	if _, err := Open(context.Background(), config(dir)); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	w.Close()
	again := open(t, dir)
	again.Close()
}

// TestDamage: what cannot be read ends the work; it never begins anew.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	h := tell(t, "", 20, 20)
	if _, err := w.Add(context.Background(), h.from(t, 0, 20)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	name := filepath.Join(dir, fileOf(origin)+suffix)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	smaller, err := tlog.Cosign(h.signed(t, 10), func() note.Signer {
		s, err := tlog.WitnessSigner("witness.example/w1", key(8), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}())
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{"empty": {}, "half": whole[:len(whole)/2], "no cosignature": h.signed(t, 20),
		"another size": bytes.Replace(whole, []byte("\n20\n"), []byte("\n10\n"), 1), "another witness": smaller} {
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), config(dir)); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if seen, err := Read(dir, w.Verifier()); err != nil || len(seen) != 1 || seen[0].Size != 20 {
		t.Errorf("%+v %v", seen, err)
	}
}

// TestDurableBeforeItAnswers: no cosignature leaves while the disk does not have
// the checkpoint and its name; after a failure the witness goes by the disk.
func TestDurableBeforeItAnswers(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	h, other := tell(t, "", 30, 30), tell(t, "other", 0, 30)
	var synced []string
	var failing string
	syncFile = func(f *os.File) error {
		what := "file"
		if f.Name() == dir {
			what = "directory"
		}
		synced = append(synced, what)
		if what == failing {
			return errors.New("the disk fails")
		}
		return f.Sync()
	}
	defer func() { syncFile = (*os.File).Sync }()
	for _, failing = range []string{"file", "directory"} {
		synced = nil
		status, rec := asks(t, w, h.from(t, 0, 20).Bytes())
		if failing == "directory" && status == 409 {
			t.Fatal("the write that failed counts")
		}
		if status != 500 || strings.Contains(rec.Body.String(), "witness.example") {
			t.Errorf("%s: %d %s", failing, status, rec.Body)
		}
	}
	failing, synced = "", nil
	// The disk has the second one, though it was not told: nothing that contradicts it.
	if status, _ := asks(t, w, other.from(t, 0, 25).Bytes()); status != 409 {
		t.Errorf("%d", status)
	}
	if status, _ := asks(t, w, h.from(t, 20, 30).Bytes()); status != 200 || fmt.Sprint(synced) != "[file directory]" {
		t.Errorf("%d %v", status, synced)
	}
}

// TestFresh: a public checkpoint that somebody repeats is not written again and
// again; later the witness says that it is still the newest.
func TestFresh(t *testing.T) {
	c := config(t.TempDir())
	at := time.Now().Truncate(time.Second)
	c.Now = func() time.Time { return at }
	w, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h := tell(t, "", 20, 20)
	writes := 0
	syncFile = func(f *os.File) error { writes++; return f.Sync() }
	defer func() { syncFile = (*os.File).Sync }()
	if _, err := w.Add(context.Background(), h.from(t, 0, 20)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := w.Add(context.Background(), h.from(t, 20, 20)); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 2 {
		t.Errorf("%d writes", writes)
	}
	at = at.Add(time.Hour)
	line, err := w.Add(context.Background(), h.from(t, 20, 20))
	if err != nil {
		t.Fatal(err)
	}
	if _, seen, err := tlog.Cosigned(h.signed(t, 20), line, w.Verifier()); err != nil || !seen.Equal(at) {
		t.Errorf("%v %v", seen, err)
	}
}

// TestRace: of requests that come at once, each from what it believes, one chain is
// cosigned.
func TestRace(t *testing.T) {
	w := open(t, t.TempDir())
	histories := []*history{tell(t, "a", 40, 200), tell(t, "b", 40, 200), tell(t, "c", 0, 200)}
	var mu sync.Mutex
	var got []tlog.Checkpoint
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			h := histories[n%3]
			old := int64(0)
			for size := int64(1 + n); size <= 200; size += 7 {
				line, err := w.Add(context.Background(), h.from(t, min(old, size), size))
				var c *Conflict
				if errors.As(err, &c) {
					old = c.Size
					continue
				}
				if err == nil && len(line) > 0 {
					mu.Lock()
					got = append(got, h.checkpoint(t, size))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(got) == 0 {
		t.Fatal("nothing was cosigned")
	}
	oneHistory(t, got, histories)
}

// oneHistory fails if checkpoints contradict one another: those of the largest
// one's history, or of what it shares with others, do not.
func oneHistory(t *testing.T, got []tlog.Checkpoint, histories []*history) {
	t.Helper()
	last := got[0]
	for _, c := range got {
		if c.Size > last.Size {
			last = c
		}
	}
	for _, h := range histories {
		if h.checkpoint(t, last.Size) != last {
			continue
		}
		for _, c := range got {
			if h.checkpoint(t, c.Size) != c {
				t.Fatalf("two histories are cosigned: of %d and of %d entries", c.Size, last.Size)
			}
		}
		return
	}
	t.Fatal("a history that nobody told")
}

// TestClient: what a client makes of answers that are none.
func TestClient(t *testing.T) {
	var status int
	var media, body string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", media)
		rw.Header().Set("Location", "http://127.0.0.1:1/")
		rw.WriteHeader(status)
		io.WriteString(rw, body)
	}))
	defer server.Close()
	c, err := NewClient(server.URL, true)
	if err != nil {
		t.Fatal(err)
	}
	h := tell(t, "", 3, 3)
	for _, x := range []struct {
		status      int
		media, body string
		want        error
	}{
		{404, "", "", ErrUnknownLog}, {403, "", "", ErrNotSigned}, {422, "", "", ErrProof}, {400, "", "", ErrRequest},
		{500, "", "", ErrUnreachable}, {302, "", "", ErrUnreachable}, {409, "text/plain", "no", ErrHistory}, {409, mediaSize, "x\n", ErrHistory},
		{409, mediaSize, "007\n", ErrHistory}, {200, "", strings.Repeat("x", maxAnswer+1), ErrUnreachable},
	} {
		status, media, body = x.status, x.media, x.body
		if _, err := c.Add(context.Background(), h.from(t, 0, 3)); !errors.Is(err, x.want) {
			t.Errorf("%d %q: %v", x.status, x.body, err)
		}
	}
	status, media, body = 409, mediaSize, "42\n"
	var conflict *Conflict
	if _, err := c.Add(context.Background(), h.from(t, 0, 3)); !errors.As(err, &conflict) || conflict.Size != 42 {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"http://witness.example", "ftp://witness.example", "https://u:p@witness.example", "https://witness.example/?x", "witness.example", "http://192.0.2.1"} {
		if _, err := NewClient(bad, true); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if _, err := NewClient("http://127.0.0.1:1", false); err == nil {
		t.Error("http is taken where it is not allowed")
	}
	if _, err := NewClient("https://witness.example/w1/", false); err != nil {
		t.Error(err)
	}
}

func FuzzRequest(f *testing.F) {
	h := tell(f, "", 20, 20)
	f.Add(h.from(f, 0, 20).Bytes())
	f.Add(h.from(f, 7, 20).Bytes())
	f.Add([]byte("old 0\n\n"))
	f.Add([]byte("old 18446744073709551616\n\nx"))
	dir := f.TempDir()
	w, err := Open(context.Background(), config(dir))
	if err != nil {
		f.Fatal(err)
	}
	good := h.signed(f, 20)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Bytes(), body) || r.Old < 0 || len(r.Proof) > maxProof {
			t.Fatal("a request has two spellings")
		}
		if line, err := w.Add(context.Background(), r); err == nil {
			if c, err := tlog.Peek(r.Signed); err != nil || len(line) == 0 || c != h.checkpoint(t, c.Size) {
				t.Fatalf("a checkpoint that nobody signed is cosigned: %q", r.Signed)
			}
		} else if bytes.Equal(r.Signed, good) && r.Old == 0 && len(r.Proof) == 0 && !errors.As(err, new(*Conflict)) {
			t.Fatal(err)
		}
	})
}
