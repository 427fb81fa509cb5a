package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// revoke sets an index on the office's list.
func (o *office) revoke(index int64) {
	o.w.t.Helper()
	if err := o.bits[vc.PurposeRevocation].Set(index); err != nil {
		o.w.t.Fatal(err)
	}
}

// TestVersionsAreKept: each bundle can be had for a while after a newer one
// came, and what changed between any two of them; then one a day; then none.
func TestVersionsAreKept(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v, other := w.verifier(db), w.verifier(db) // two replicas
		ctx := context.Background()
		var all []*bundle.File
		for n := range 4 {
			w.wait(time.Hour)
			o.revoke(int64(n + 1000))
			w.build(v)
			b, err := v.Latest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b.File())
		}
		newest := all[3]
		for n, from := range all {
			for m, to := range all {
				if n == m {
					if _, err := other.Delta(ctx, from.Sequence, to.Sequence); !errors.Is(err, ErrNotKept) {
						t.Errorf("from %d to itself: %v", n, err)
					}
					continue
				}
				d, err := other.Delta(ctx, from.Sequence, to.Sequence)
				if err != nil {
					t.Fatalf("%d to %d: %v", n, m, err)
				}
				made, err := bundle.Apply(from, d)
				if err != nil || !bytes.Equal(made, to.Bytes()) {
					t.Errorf("%d to %d: %v", n, m, err)
				}
				again, err := other.Delta(ctx, from.Sequence, to.Sequence)
				if err != nil || !bytes.Equal(again, d) {
					t.Errorf("%d to %d again: %v", n, m, err)
				}
			}
			body, _, err := other.Full(ctx, from.Sequence)
			if err != nil || !bytes.Equal(body, from.Bytes()) {
				t.Errorf("%d: %v", n, err)
			}
		}
		i, err := other.Index(ctx)
		if err != nil {
			t.Fatal(err)
		}
		text, err := i.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if i, err = mirror.ParseIndex(text); err != nil || i.ID != newest.ID || !i.OnDemand || len(i.Deltas) != 3 {
			t.Errorf("%v: %s", err, text)
		}
		if _, err := v.Delta(ctx, 1, newest.Sequence); !errors.Is(err, ErrNotKept) {
			t.Errorf("from one that never was: %v", err)
		}
		// Of the first day the last one stays; after sixty days none does.
		w.wait(72 * time.Hour)
		w.build(v)
		if _, _, err := v.Full(ctx, newest.Sequence); err != nil {
			t.Errorf("the last of its day: %v", err)
		}
		if _, _, err := v.Full(ctx, all[1].Sequence); !errors.Is(err, ErrNotKept) {
			t.Errorf("not the last of its day: %v", err)
		}
		w.wait(61 * 24 * time.Hour)
		w.signTrust()
		w.build(v)
		if _, _, err := v.Full(ctx, newest.Sequence); !errors.Is(err, ErrNotKept) {
			t.Errorf("after sixty days: %v", err)
		}
	})
}

// TestVersionsHaveBounds: the bytes of all bundles together are bounded, and the
// one in force stays whatever the bound is.
func TestVersionsHaveBounds(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		w.office()
		w.signTrust()
		cfg := w.config(db)
		cfg.VersionBytes = 1
		v, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		first := w.build(v)
		w.wait(time.Minute)
		second := w.build(v)
		if _, _, err := v.Full(context.Background(), first.Sequence); !errors.Is(err, ErrNotKept) {
			t.Errorf("beyond the bound: %v", err)
		}
		if _, _, err := v.Full(context.Background(), second.Sequence); err != nil {
			t.Errorf("the one in force: %v", err)
		}
		if b, err := w.verifier(db).Latest(context.Background()); err != nil || b.ID != second.ID {
			t.Errorf("after a start: %v", err)
		}
	})
}

// TestFileOfTheBundle: the bundle in force is a file, and whatever becomes of the
// file, the bundle in force is the database's.
func TestFileOfTheBundle(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		w.office()
		w.signTrust()
		dir := t.TempDir()
		open := func(files string) *Verifier {
			cfg := w.config(db)
			cfg.Files = files
			v, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		v := open(dir)
		w.build(v)
		w.wait(time.Minute)
		w.build(v)
		b, err := v.Latest(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, bundleFile)
		good, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(good, b.Bytes) {
			t.Fatalf("the file is not the bundle in force: %v", err)
		}
		older, _, err := v.Full(context.Background(), b.Sequence-1)
		if err != nil {
			older = good[:len(good)-8]
		}
		flipped := bytes.Clone(good)
		flipped[len(flipped)/2] ^= 1
		for what, bad := range map[string][]byte{"flipped": flipped, "cut": good[:100], "empty": {}, "older": older, "gone": nil, "good": good} {
			if bad == nil {
				err = os.Remove(name)
			} else {
				err = mirror.WriteFile(name, bad, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := open(dir).Latest(context.Background())
			if err != nil || again.ID != b.ID || !bytes.Equal(again.Bytes, good) {
				t.Errorf("%s: %v", what, err)
			}
			if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, good) {
				t.Errorf("%s: the file was not made good", what)
			}
		}
		if again, err := open(filepath.Join(dir, "nowhere")).Latest(context.Background()); err != nil || again.ID != b.ID {
			t.Errorf("without the directory: %v", err)
		}
	})
}

// TestStoredBundleIsVerified: what the database gives is held against the
// anchors, whoever wrote it there.
func TestStoredBundleIsVerified(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		w.office()
		w.signTrust()
		w.build(w.verifier(db))
		var body []byte
		if err := db.QueryRow(`SELECT body FROM bundles`).Scan(&body); err != nil {
			t.Fatal(err)
		}
		body[len(body)/2] ^= 1
		if _, err := db.Exec(`UPDATE bundles SET body = $1`, body); err != nil {
			t.Fatal(err)
		}
		if _, err := w.verifier(db).Latest(context.Background()); !errors.Is(err, ErrNoBundle) {
			t.Errorf("a damaged row: %v", err)
		}
		if _, err := db.Exec(`UPDATE bundles SET body = $1, digest = $2`, body, hexDigest(body)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.verifier(db).Latest(context.Background()); !errors.Is(err, ErrNoBundle) {
			t.Errorf("a row that somebody changed: %v", err)
		}
	})
}

// TestBundleTransfer: what web servers and clients make of ranges.
func TestBundleTransfer(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "verifier")
	d := newDesk(t, db)
	d.w.build(d.v)
	b, err := d.v.Latest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	first := b.Sequence
	size := len(b.Bytes)
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		for n := 0; n < len(headers); n += 2 {
			r.Header.Set(headers[n], headers[n+1])
		}
		rec := httptest.NewRecorder()
		d.server.ServeHTTP(rec, r)
		if rec.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s is packed", path)
		}
		return rec
	}
	whole := get("/bundle")
	tag := whole.Header().Get("ETag")
	if whole.Code != 200 || !bytes.Equal(whole.Body.Bytes(), b.Bytes) || tag == "" || whole.Header().Get("Accept-Ranges") != "bytes" {
		t.Errorf("%d %v", whole.Code, whole.Header())
	}
	if part := get("/bundle", "Range", "bytes=100-"); part.Code != 206 || !bytes.Equal(part.Body.Bytes(), b.Bytes[100:]) || part.Header().Get("Content-Range") != fmt.Sprintf("bytes 100-%d/%d", size-1, size) {
		t.Errorf("%d %v", part.Code, part.Header())
	}
	if part := get("/bundle", "Range", "bytes=100-199", "If-Range", tag); part.Code != 206 || part.Body.Len() != 100 {
		t.Errorf("%d %d", part.Code, part.Body.Len())
	}
	if all := get("/bundle", "Range", "bytes=100-", "If-Range", `"another"`); all.Code != 200 || all.Body.Len() != size {
		t.Errorf("another file's range: %d %d", all.Code, all.Body.Len())
	}
	if none := get("/bundle", "Range", fmt.Sprintf("bytes=%d-", size)); none.Code != 416 {
		t.Errorf("beyond the end: %d", none.Code)
	}
	if same := get("/bundle", "If-None-Match", tag); same.Code != 304 {
		t.Errorf("the same: %d", same.Code)
	}
	d.w.wait(time.Minute)
	d.o.revoke(5)
	d.w.build(d.v)
	if b, err = d.v.Latest(context.Background()); err != nil {
		t.Fatal(err)
	}
	one, two := get("/bundle/manifest"), get("/bundles/latest.json")
	i, err := mirror.ParseIndex(one.Body.Bytes())
	if err != nil || i.Sequence != b.Sequence || !bytes.Equal(one.Body.Bytes(), two.Body.Bytes()) || one.Body.Len() > 2000 {
		t.Errorf("%v %s", err, one.Body)
	}
	delta := get("/bundles/" + mirror.DeltaName(first, b.Sequence))
	if delta.Code != 200 || !bundle.IsDelta(delta.Body.Bytes()) || delta.Body.Len() > size/2 {
		t.Errorf("%d %d", delta.Code, delta.Body.Len())
	}
	if old := get("/bundles/" + mirror.FullName(first)); old.Code != 200 || !bytes.Equal(old.Body.Bytes(), whole.Body.Bytes()) {
		t.Errorf("%d", old.Code)
	}
	for _, path := range []string{"/bundles/full/1.kpb", "/bundles/full/x", "/bundles/full/..%2Flatest.json", "/bundles/delta/1-2.kpd", fmt.Sprintf("/bundles/delta/%d-%d.kpd", first, first),
		fmt.Sprintf("/bundles/delta/%d.kpd", first), "/bundles/delta/-.kpd", "/bundles/nothing"} {
		if got := get(path); got.Code != 404 || !strings.Contains(got.Header().Get("Content-Type"), "problem+json") {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	// A post elsewhere takes the first bundle, and then what changed.
	elsewhere := storetest.Open(t, store.SQLite, "verifier")
	cfg := d.w.config(elsewhere)
	cfg.TrustSource = ""
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	post := &desk{t: t, w: d.w, o: d.o, v: v, logs: d.logs}
	post.serve(elsewhere)
	if rec := post.ask(RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", delta.Body.Bytes()); rec.Code != 409 || !strings.Contains(rec.Body.String(), bundle.ErrChain.Code) {
		t.Errorf("what changed since a bundle that is not here: %d %s", rec.Code, rec.Body)
	}
	for _, body := range [][]byte{whole.Body.Bytes(), delta.Body.Bytes()} {
		if rec := post.ask(RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", body); rec.Code != 200 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	if got, err := v.Latest(context.Background()); err != nil || !bytes.Equal(got.Bytes, b.Bytes) {
		t.Errorf("not the bundle to which the change leads: %v", err)
	}
	if rec := post.ask(RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", delta.Body.Bytes()); rec.Code != 409 {
		t.Errorf("once more: %d %s", rec.Code, rec.Body)
	}
	bad := bytes.Clone(delta.Body.Bytes())
	bad[len(bad)/2] ^= 1
	if rec := post.ask(RoleOfficer, "PUT", "/verifier/bundle", "application/octet-stream", bad); rec.Code != 400 {
		t.Errorf("a damaged change: %d %s", rec.Code, rec.Body)
	}
}

const (
	killDir    = "KINPASS_TEST_KILL_DIR"
	killAnchor = "anchor.json"
)

// TestMain lets a test run this binary as a post that takes in one bundle after
// the other, to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := takeInAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// takeInAll is the post that is killed: it takes in the bundles of a directory,
// beginning after the one in force.
func takeInAll(dir string) error {
	ctx := context.Background()
	v, db, err := killedPost(ctx, dir)
	if err != nil {
		return err
	}
	defer db.Close()
	n := 0
	if b, err := v.Latest(ctx); err == nil {
		n = int(b.Sequence)
	} else if !errors.Is(err, ErrNoBundle) {
		return err
	}
	fmt.Println("ready")
	for n++; ; n++ {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.kpb", n)))
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := v.Apply(ctx, data); err != nil {
			return err
		}
	}
}

func killedPost(ctx context.Context, dir string) (*Verifier, *store.DB, error) {
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "verifier.db"), "verifier")
	if err != nil {
		return nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, err
	}
	file, err := os.ReadFile(filepath.Join(dir, killAnchor))
	if err != nil {
		return nil, nil, err
	}
	anchors, err := vc.ParseAnchors(file)
	if err != nil {
		return nil, nil, err
	}
	ring := &keys.Ring{}
	if _, err := ring.EnsureSecret("history"); err != nil {
		return nil, nil, err
	}
	v, err := New(Config{DB: db, Ring: ring, Anchors: anchors, Files: dir, Now: func() time.Time { return start.Add(time.Hour) }})
	return v, db, err
}

// TestKilledWhileTakingIn: a post that is killed at any moment has the old bundle
// in force afterwards or the new one, never a broken one, and goes on.
func TestKilledWhileTakingIn(t *testing.T) {
	w := newWorld(t)
	w.office()
	signed := w.signTrust()
	dir := t.TempDir()
	hub := w.ring.Of(keys.UseHub)[0].Signer(w.list.Hubs[0].ID)
	const many = 400
	digests := map[int64]string{}
	for n := int64(1); n <= many; n++ {
		data, err := check.BundlePayload{ID: fmt.Sprintf("killed-%d", n), Sequence: n, CreatedAt: start, TrustList: signed}.Sign(hub)
		if err != nil {
			t.Fatal(err)
		}
		digests[n] = hexDigest(data)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.kpb", n)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	anchors, err := vc.OneOf(w.anchor.Public()).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, killAnchor), anchors, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	last, during := int64(0), 0
	for range 20 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			_ = cmd.Wait()
			t.Fatalf("the post does not start after a kill: %s", errs.String())
		}
		time.Sleep(time.Duration(rand.IntN(40_000)) * time.Microsecond)
		if err := cmd.Process.Signal(syscall.SIGKILL); err == nil {
			during++
		}
		_ = cmd.Wait()
		// What another start finds.
		v, db, err := killedPost(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		b, err := v.Latest(context.Background())
		switch {
		case err != nil && !(last == 0 && errors.Is(err, ErrNoBundle)):
			t.Errorf("after a kill: %v", err)
		case err == nil:
			if b.Sequence < last || hexDigest(b.Bytes) != digests[b.Sequence] {
				t.Errorf("after a kill: number %d, before %d", b.Sequence, last)
			}
			last = b.Sequence
			if have, err := os.ReadFile(filepath.Join(dir, bundleFile)); err != nil || hexDigest(have) != digests[last] {
				t.Errorf("the file is not the bundle in force: %v", err)
			}
		}
		db.Close()
	}
	if last == 0 || during == 0 {
		t.Errorf("nothing was taken in (%d) or nothing killed (%d)", last, during)
	}
	t.Logf("%d bundles were taken in, %d kills", last, during)
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > during {
		t.Errorf("%d unfinished files were left", len(left))
	}
}
