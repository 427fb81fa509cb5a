package audit

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

const (
	origin = "registry.example/ledger"
	base   = "https://registry.example"
	issuer = "did:web:registry.example"
)

// monday is a working day at nine.
var monday = time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)

func key(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func pub(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// shelf is a registry that holds its keys and everything else, and publishes what
// the test wants.
type shelf struct {
	t       testing.TB
	now     time.Time
	entries [][]byte
	hashes  []tlog.Hash
	root    tlog.Hash

	mu    sync.Mutex
	files map[string][]byte // what is published; a Source reads it
	asked map[string]int
	name  string

	asking sync.Mutex
	hook   func(path string) // before each answer
}

func newShelf(t testing.TB) *shelf {
	s := &shelf{t: t, now: monday, root: tlog.EmptyRoot(), files: map[string][]byte{}, asked: map[string]int{}, name: "shelf"}
	s.files["status"] = []byte(`{"lists":[]}`)
	return s
}

func (s *shelf) String() string { return s.name }

func (s *shelf) Get(_ context.Context, path, accept string, limit int64) ([]byte, error) {
	s.asking.Lock()
	if s.hook != nil {
		s.hook(path)
	}
	s.asking.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if accept == vc.MediaTokenCWT {
		path += ".cwt"
	}
	s.asked[path]++
	b, ok := s.files[path]
	if !ok {
		return nil, ErrMissing
	}
	if int64(len(b)) > limit {
		return nil, ErrLarge
	}
	return b, nil
}

func (s *shelf) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for k, i := range at {
		out[k] = s.hashes[i]
	}
	return out, nil
}

// raw puts bytes into the log.
func (s *shelf) raw(entries ...[]byte) {
	s.t.Helper()
	stored, root, err := tlog.Append(int64(len(s.entries)), entries, s)
	if err != nil {
		s.t.Fatal(err)
	}
	s.entries, s.hashes, s.root = append(s.entries, entries...), append(s.hashes, stored...), root
}

// log puts an entry into the log, dated now.
func (s *shelf) log(e tlog.Entry) {
	s.t.Helper()
	if e.Hour.IsZero() {
		e.Hour = s.now.Truncate(time.Hour)
	}
	if e.Kind == 0 {
		e.Kind = tlog.Issued
	}
	if e.Office == "" {
		e.Office = "registrar"
	}
	e.Commitment[0], e.Commitment[1], e.Commitment[2] = byte(len(s.entries)), byte(len(s.entries)>>8), byte(len(s.entries)>>16)
	b, err := e.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	s.raw(b)
}

func (s *shelf) issue(n int) {
	for range n {
		s.log(tlog.Entry{})
	}
}

func (s *shelf) change(list, index uint32, to tlog.Status) {
	s.log(tlog.Entry{Kind: tlog.Changed, List: list, Index: index, Status: to})
}

func (s *shelf) put(path string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = b
}

// signed gives the checkpoint, cosigned by these witnesses now.
func (s *shelf) signed(witnesses ...byte) []byte {
	s.t.Helper()
	signer, err := tlog.LogSigner(origin, key(1))
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := tlog.Sign(tlog.Checkpoint{Origin: origin, Size: int64(len(s.entries)), Root: s.root}, signer)
	for _, w := range witnesses {
		if err == nil {
			var ws note.Signer
			if ws, err = tlog.WitnessSigner(witness(w), key(w), func() time.Time { return s.now }); err == nil {
				out, err = tlog.Cosign(out, ws)
			}
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func witness(n byte) string { return fmt.Sprintf("witness.example/%d", n) }

// publish puts the log on the shelf.
func (s *shelf) publish(witnesses ...byte) {
	s.t.Helper()
	s.put("ledger/checkpoint", s.signed(witnesses...))
	size := int64(len(s.entries))
	for _, t := range tlog.NewTiles(0, size) {
		var data []byte
		var err error
		if t.L == -1 {
			data, err = tlog.Bundle(s.entries[t.N<<8 : t.N<<8+int64(t.W)])
		} else {
			data, err = tlog.ReadTile(t, s)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.put("ledger/"+tlog.TilePath(t), data)
	}
}

// fork gives a registry that has the same keys and the first n entries.
func (s *shelf) fork(n int) *shelf {
	f := newShelf(s.t)
	f.name, f.now = "fork", s.now
	if n == len(s.entries) {
		f.entries, f.hashes, f.root = slices.Clone(s.entries), slices.Clone(s.hashes), s.root
		return f
	}
	f.raw(s.entries[:n]...)
	return f
}

// list publishes the lists of a number: these places revoked, those suspended.
func (s *shelf) list(n int, revoked, suspended []int64) {
	s.t.Helper()
	var index struct {
		Lists []string `json:"lists"`
	}
	if err := json.Unmarshal(s.files["status"], &index); err != nil {
		s.t.Fatal(err)
	}
	add := func(purpose string) string {
		u := fmt.Sprintf("%s/status/%s/%d", base, purpose, n)
		if !slices.Contains(index.Lists, u) {
			index.Lists = append(index.Lists, u)
		}
		return u
	}
	s.bits(add(vc.PurposeRevocation), vc.PurposeRevocation, revoked)
	s.bits(add(vc.PurposeSuspension), vc.PurposeSuspension, suspended)
	tokens, err := status.NewTokens(2, status.MinSize)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range suspended {
		err = errors.Join(err, tokens.Set(i, status.TokenSuspended))
	}
	for _, i := range revoked {
		err = errors.Join(err, tokens.Set(i, status.TokenInvalid))
	}
	l := vc.TokenList{URL: add("token"), Issuer: issuer, IssuedAt: s.now, Expires: s.now.Add(week * time.Hour), TTL: time.Minute, List: tokens}
	jwt, err2 := l.SignJWT(listSigner())
	cwt, err3 := l.SignCWT(listSigner())
	if err := errors.Join(err, err2, err3); err != nil {
		s.t.Fatal(err)
	}
	path := fmt.Sprintf("status/token/%d", n)
	s.put(path, []byte(jwt))
	s.put(path+".cwt", cwt)
	b, err := json.Marshal(index)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put("status", b)
}

// bits publishes one bitstring list.
func (s *shelf) bits(address, purpose string, set []int64) {
	s.t.Helper()
	bits, err := status.New(status.MinSize)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range set {
		if err := bits.Set(i); err != nil {
			s.t.Fatal(err)
		}
	}
	encoded, err := bits.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	subject, err := json.Marshal(map[string]any{"id": address + "#list", "type": "BitstringStatusList", "statusPurpose": purpose, "encodedList": encoded})
	if err != nil {
		s.t.Fatal(err)
	}
	payload, err := json.Marshal(vc.Credential{Context: []string{vc.ContextV2}, ID: address, Type: []string{vc.TypeCredential, vc.TypeStatusList},
		Issuer: issuer, ValidFrom: s.now, ValidTo: s.now.Add(week * time.Hour), Subject: subject})
	if err != nil {
		s.t.Fatal(err)
	}
	jws, err := vc.SignJWS(listSigner(), vc.TypCredential, "vc", payload)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put(strings.TrimPrefix(address, base+"/"), []byte(jws))
}

func listSigner() keys.Signer {
	return keys.Signer{KID: issuer + "#key-1", Alg: keys.EdDSA, Signer: key(7)}
}

func listKeys(kid string) (crypto.PublicKey, string, error) {
	if kid != issuer+"#key-1" {
		return nil, "", vc.ErrStatusIssuer
	}
	return pub(key(7)), issuer, nil
}

func policy(quorum int) tlog.Policy {
	p := tlog.Policy{Log: tlog.LogVerifier(origin, pub(key(1))), Quorum: quorum}
	for _, n := range []byte{2, 3, 4} {
		p.Witnesses = append(p.Witnesses, tlog.WitnessVerifier(witness(n), pub(key(n))))
	}
	return p
}

// auditor makes one with a directory of its own.
func (s *shelf) auditor(edit ...func(*Config)) *Auditor {
	s.t.Helper()
	cfg := Config{Policy: policy(0), Shelf: s, Base: base, Keys: listKeys, Dir: s.t.TempDir(), Settle: 60 * time.Millisecond, Now: func() time.Time { return s.now }}
	for _, e := range edit {
		e(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func round1(t testing.TB, a *Auditor) *Report {
	t.Helper()
	r, err := a.Round(t.Context())
	if err != nil {
		t.Fatal(err, errors.Unwrap(err))
	}
	return r
}

// codes gives the findings of a report in one line; a proven one has a "!".
func codes(r *Report) string {
	count := map[string]int{}
	for _, f := range r.Findings {
		c := f.Code
		if f.Proven {
			c += "!"
		}
		count[c]++
	}
	return strings.Join(slices.Sorted(maps.Keys(count)), " ")
}

func want(t testing.TB, r *Report, codesWanted string) {
	t.Helper()
	if got := codes(r); got != codesWanted {
		t.Errorf("found %q, want %q: %+v", got, codesWanted, r.Findings)
	}
	for _, f := range r.Findings {
		if f.Proven {
			data, err := os.ReadFile(f.Evidence)
			if err != nil {
				t.Fatal(err)
			}
			e, err := ParseEvidence(data)
			if err == nil {
				err = e.Verify(policy(0), listKeys)
			}
			if err != nil || e.Kind != f.Code || len(e.Tried) == 0 {
				t.Errorf("the evidence of %s: %v", f.Code, err)
			}
		}
	}
}

// TestFollow: an auditor that comes again reads what is new and no more, knows the
// whole tree, and counts.
func TestFollow(t *testing.T) {
	s := newShelf(t)
	s.publish()
	a := s.auditor()
	want(t, round1(t, a), "")
	total := int64(0)
	for _, n := range []int{1, 3, 252, 1, 700, 41} {
		s.issue(n)
		s.publish()
		s.asked = map[string]int{}
		r := round1(t, a)
		want(t, r, "")
		total += int64(n)
		if r.New != int64(n) || r.Size != total || r.Kinds["issued"] != total || len(r.Counts) != 1 || r.Counts[0].Count != int64(n) {
			t.Errorf("%+v", r)
		}
		bundles := 0
		for path := range s.asked {
			if strings.Contains(path, "entries") {
				bundles++
			}
		}
		if bundles > n/256+2 {
			t.Errorf("%d bundles read for %d entries", bundles, n)
		}
		if r = round1(t, a); r.New != 0 {
			t.Errorf("%d entries twice", r.New)
		}
	}
	// A partial bundle is gone when it has become full.
	s.issue(300)
	s.publish()
	for path := range s.files {
		if strings.Contains(path, ".p/") && !strings.Contains(path, "/001.p/") && !strings.HasSuffix(path, fmt.Sprint(".p/", len(s.entries)%256)) {
			delete(s.files, path)
		}
	}
	want(t, round1(t, s.auditor()), "")
}

func TestWitnessesAreDemanded(t *testing.T) {
	s := newShelf(t)
	s.issue(5)
	s.publish(2)
	a := s.auditor(func(c *Config) { c.Policy = policy(2) })
	if _, err := a.Round(t.Context()); !errors.Is(err, tlog.ErrUnsigned) {
		t.Errorf("one of two witnesses: %v", err)
	}
	s.put("ledger/checkpoint/witnessed", s.signed(2, 3))
	r := round1(t, a)
	if want(t, r, ""); len(r.Seen) != 2 {
		t.Errorf("%+v", r)
	}
	// What the log signs without them is not believed, and counts against it.
	o := s.fork(3)
	for range 7 {
		o.log(tlog.Entry{Office: "court"})
	}
	o.publish()
	s.files = o.files
	if r, err := a.Round(t.Context()); !errors.Is(err, tlog.ErrUnsigned) {
		t.Error(err)
	} else {
		want(t, r, "history-rewritten!")
	}
}

// TestRewritten: a log that changes what it was is caught, whatever it has become,
// and the evidence stands alone; it stays told.
func TestRewritten(t *testing.T) {
	for name, c := range map[string]struct {
		keep, more int
		want       string
	}{
		"an entry less, others added":  {399, 50, "history-rewritten!"},
		"of the same size":             {399, 1, "history-rewritten!"},
		"from the beginning":           {0, 600, "history-rewritten!"},
		"far back":                     {100, 700, "history-rewritten!"},
		"shorter, after what was seen": {350, 20, "log-shrunk"},
		"shorter, and other":           {10, 380, "history-rewritten! log-shrunk"},
		"cut off":                      {300, 0, "log-shrunk"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.issue(200)
			s.publish()
			a := s.auditor()
			want(t, round1(t, a), "")
			s.issue(200)
			s.publish()
			want(t, round1(t, a), "")

			f := s.fork(c.keep)
			for range c.more {
				f.log(tlog.Entry{Office: "court"})
			}
			f.publish()
			s.files = f.files
			want(t, round1(t, a), c.want)
			// Putting everything back does not make it undone.
			s.publish()
			after := ""
			if strings.Contains(c.want, "!") {
				after = "history-rewritten!"
			}
			want(t, round1(t, a), after)
			s.issue(3)
			s.publish()
			if r := round1(t, a); r.New != 3 {
				t.Errorf("the state moved: %+v", r)
			}
		})
	}
}

// TestSplitView: a history that others were shown is compared, be it in front of
// the shelf's or behind it, now or when the shelf has grown.
func TestSplitView(t *testing.T) {
	handed := func(b []byte) func(*Config) {
		return func(c *Config) { c.Handed = []Handed{{"a wallet", b}} }
	}
	also := func(o *shelf) func(*Config) { return func(c *Config) { c.Also = []Source{o} } }
	s := newShelf(t)
	s.issue(400)
	s.publish()
	for _, size := range []int{1, 255, 256, 399, 400, 401, 700} {
		o := s.fork(min(size-1, 300))
		for len(o.entries) < size {
			o.log(tlog.Entry{Office: "court"})
		}
		o.publish()
		want(t, round1(t, s.auditor(also(o))), "split-view!")
		same := s.fork(min(size, 400))
		for len(same.entries) < size {
			same.log(tlog.Entry{Office: "court"})
		}
		same.publish()
		r := round1(t, s.auditor(also(same)))
		if r.Others != 1 {
			t.Errorf("%+v", r)
		}
		want(t, r, map[bool]string{true: "view-ahead"}[size > 400])

		a := s.auditor(handed(o.signed()))
		r = round1(t, a)
		if size > 400 {
			// It is kept, and proven when the shelf has as many entries.
			want(t, r, "view-ahead")
			grown := s.fork(400)
			grown.issue(size - 400)
			grown.publish()
			a.cfg.Shelf, a.cfg.Handed = grown, nil
			r = round1(t, a)
		}
		want(t, r, "split-view!")
	}
	// A witness's own word counts, and so does a proof that somebody was given.
	o := s.fork(100)
	o.log(tlog.Entry{Office: "court"})
	o.put(witnessPath(origin), o.signed(2))
	want(t, round1(t, s.auditor(func(c *Config) { c.Witnesses = []Source{o} })), "split-view!")
	proof, err := tlog.Prove(100, o.signed(), o)
	if err != nil {
		t.Fatal(err)
	}
	want(t, round1(t, s.auditor(handed(proof))), "split-view!")
	for _, text := range []any{string(proof), proof} { // as text, and as base64
		j, err := json.Marshal(map[string]any{"entry": o.entries[100], "proof": text})
		if err != nil {
			t.Fatal(err)
		}
		want(t, round1(t, s.auditor(handed(j))), "split-view!")
	}
	// A mirror that is down, or shows another log, stops nothing.
	r := round1(t, s.auditor(also(&shelf{files: map[string][]byte{}, asked: map[string]int{}, name: "down"})))
	if want(t, r, ""); len(r.Notes) != 1 {
		t.Errorf("%v", r.Notes)
	}
	if _, err := New(Config{Policy: policy(0), Shelf: s, Dir: t.TempDir(), Handed: []Handed{{"x", []byte("nothing")}}}); !errors.Is(err, ErrHanded) {
		t.Errorf("%v", err)
	}
}

// TestLists: list and ledger say the same of every place, in every encoding.
func TestLists(t *testing.T) {
	start := func(t *testing.T) *shelf {
		s := newShelf(t)
		s.issue(300)
		s.change(1, 5, tlog.Invalid)
		s.change(1, 70_000, tlog.Suspended)
		s.change(1, 9, tlog.Suspended)
		s.change(1, 9, tlog.Valid)
		s.change(1, 11, tlog.Suspended)
		s.change(1, 11, tlog.Invalid)
		s.change(2, 8, tlog.Invalid)
		s.publish()
		s.list(1, []int64{5, 11}, []int64{70_000, 11})
		s.list(2, []int64{8}, nil)
		return s
	}
	path := func(purpose string, n int) string { return fmt.Sprintf("status/%s/%d", purpose, n) }
	take := func(s *shelf, from *shelf, paths ...string) {
		for _, p := range paths {
			s.put(p, from.files[p])
		}
	}
	// lie publishes these of list 1, as signed hours later.
	lie := func(s *shelf, revoked, suspended []int64, paths ...string) {
		o := newShelf(s.t)
		o.now = s.now.Add(2 * time.Hour)
		s.now = o.now
		o.list(1, revoked, suspended)
		take(s, o, paths...)
	}
	bits, held, jwt, cwt := path(vc.PurposeRevocation, 1), path(vc.PurposeSuspension, 1), path("token", 1), path("token", 1)+".cwt"
	for name, c := range map[string]struct {
		do   func(s *shelf)
		want string
	}{
		"as it is":              {func(*shelf) {}, ""},
		"un-revoked":            {func(s *shelf) { lie(s, []int64{11}, []int64{70_000, 11}, bits, held, jwt, cwt) }, "status-undone!"},
		"un-revoked in bits":    {func(s *shelf) { lie(s, []int64{11}, nil, bits) }, "status-undone!"},
		"un-revoked in JWT":     {func(s *shelf) { lie(s, []int64{11}, []int64{70_000}, jwt) }, "status-undone!"},
		"un-revoked in CWT":     {func(s *shelf) { lie(s, []int64{11}, []int64{70_000}, cwt) }, "status-undone!"},
		"un-suspended":          {func(s *shelf) { lie(s, nil, []int64{11}, held) }, "status-undone"},
		"un-suspended in JWT":   {func(s *shelf) { lie(s, []int64{5, 11}, []int64{11}, jwt) }, "status-undone"},
		"un-suspended in CWT":   {func(s *shelf) { lie(s, []int64{5, 11}, []int64{11}, cwt) }, "status-undone"},
		"suspended for revoked": {func(s *shelf) { lie(s, []int64{11}, []int64{70_000, 5}, jwt) }, "status-undone!"},
		"revoked unlogged":      {func(s *shelf) { lie(s, []int64{5, 11, 12}, []int64{70_000, 11}, bits, held, jwt, cwt) }, "status-unlogged"},
		"suspended unlogged":    {func(s *shelf) { lie(s, []int64{5, 11}, []int64{70_000, 11, 3}, bits, held, jwt, cwt) }, "status-unlogged"},
		"lifting unlogged":      {func(s *shelf) { lie(s, []int64{5, 11}, []int64{70_000, 11, 9}, held) }, "status-unlogged"},
		"signed in the same hour, without witnesses": {func(s *shelf) {
			s.list(1, []int64{11}, []int64{70_000, 11})
		}, "status-undone"},
		"signed in the same hour, with witnesses": {func(s *shelf) {
			s.publish(2)
			s.now = s.now.Add(time.Second)
			s.list(1, []int64{11}, []int64{70_000, 11})
		}, "status-undone!"},
		"another's signature": {func(s *shelf) {
			b := slices.Clone(s.files[bits])
			b[len(b)-10] ^= 1
			s.put(bits, b)
		}, "list-unusable"},
		"a list for another": {func(s *shelf) {
			take(s, &shelf{files: map[string][]byte{bits: s.files[path(vc.PurposeRevocation, 2)]}}, bits)
		}, "list-unusable"},
		"a purpose for another": {func(s *shelf) { s.put(bits, s.files[held]) }, "list-unusable"},
		"a list that is gone":   {func(s *shelf) { delete(s.files, bits) }, "list-unusable"},
		"over":                  {func(s *shelf) { s.now = s.now.Add(8 * 24 * time.Hour) }, "list-unusable"},
		"a place far outside":   {func(s *shelf) { s.change(1, 1<<31, tlog.Invalid); s.publish() }, "place-outside"},
		"a place outside":       {func(s *shelf) { s.change(1, 1<<20, tlog.Invalid); s.publish() }, "status-undone"},
		"lifted in the log":     {func(s *shelf) { s.change(1, 5, tlog.Valid); s.publish() }, "revocation-lifted!"},
		"issued lists": {func(s *shelf) {
			s.given(1, 1, 2, 3, 5, 11, 70_000)
			s.given(2, 8)
		}, ""},
		"more issued than logged": {func(s *shelf) {
			s.given(1, upTo(0, 300)...)
			s.given(2, 8)
		}, "issued-unlogged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			c.do(s)
			r := round1(t, s.auditor())
			want(t, r, c.want)
			if r.Lists < 7 && name != "over" {
				t.Errorf("%d lists", r.Lists)
			}
		})
	}
	t.Run("gone from the index", func(t *testing.T) {
		s := start(t)
		a := s.auditor()
		want(t, round1(t, a), "")
		s.put("status", []byte(`{"lists":["`+base+`/status/revocation/1"]}`))
		want(t, round1(t, a), "list-gone")
		want(t, round1(t, a), "")
	})
	t.Run("published a moment later", func(t *testing.T) {
		s := start(t)
		s.change(1, 77, tlog.Invalid)
		s.publish()
		n := 0
		s.hook = func(path string) {
			if n++; n == 16 {
				s.hook = nil
				s.list(1, []int64{5, 11, 77, 78}, []int64{70_000, 11}) // which is a moment before the log
				s.change(1, 78, tlog.Invalid)
				s.publish()
			}
		}
		want(t, round1(t, s.auditor(func(c *Config) { c.Settle = 20 * time.Second })), "")
		if s.hook != nil {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("no keys", func(t *testing.T) {
		r := round1(t, start(t).auditor(func(c *Config) { c.Keys = nil }))
		if r.Lists != 0 || len(r.Notes) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func (s *shelf) putIndex(more string) {
	s.put("status", bytes.Replace(s.files["status"], []byte(`"lists":[`), []byte(`"lists":["`+more+`",`), 1))
}

// TestMalformedEntry: what is signed and is no entry is proven misbehaviour, and
// does not hide what comes after it.
func TestMalformedEntry(t *testing.T) {
	s := newShelf(t)
	s.issue(3)
	s.raw([]byte("Maria Silva"), nil, bytes.Repeat([]byte{1}, 3000))
	s.issue(3)
	s.publish()
	a := s.auditor()
	r := round1(t, a)
	want(t, r, "entry-malformed!")
	if r.Kinds["issued"] != 6 || r.Findings[0].Count != 3 || strings.Contains(fmt.Sprint(r), "Maria") {
		t.Errorf("%+v", r)
	}
	want(t, round1(t, a), "entry-malformed!")
}

// weeks lets an office work on weekdays from eight to four, about n entries in an
// hour.
func (s *shelf) weeks(weeks, n int) {
	for range weeks * week {
		h := s.now.Hour()
		if d := s.now.Weekday(); d != time.Saturday && d != time.Sunday && h >= 8 && h < 16 {
			s.issue(n + (s.now.Day()*7+h)%5)
			if h == 10 {
				s.change(1, uint32(len(s.entries)), tlog.Invalid)
			}
		}
		s.now = s.now.Add(time.Hour)
	}
}

// TestHabits: what an office never did stands out, and what it always does not.
func TestHabits(t *testing.T) {
	s := newShelf(t)
	s.weeks(6, 12)
	at := s.now // a Monday, nine
	for name, c := range map[string]struct {
		do   func(s *shelf)
		want string
	}{
		"a day's work": {func(s *shelf) { s.weeks(1, 12) }, ""},
		"busy":         {func(s *shelf) { s.issue(24) }, ""},
		"a burst":      {func(s *shelf) { s.issue(200) }, "office-burst"},
		"at night":     {func(s *shelf) { s.now = s.now.Add(17 * time.Hour); s.issue(1) }, "office-hour"},
		"two hours of a night": {func(s *shelf) {
			s.now = s.now.Add(17 * time.Hour)
			s.issue(1)
			s.now = s.now.Add(time.Hour)
			s.issue(1)
		}, "office-hour"},
		"on a Sunday":    {func(s *shelf) { s.now = s.now.Add(6 * 24 * time.Hour); s.issue(1) }, "office-day"},
		"another office": {func(s *shelf) { s.log(tlog.Entry{Office: "court"}) }, "office-new"},
		"many revoked": {func(s *shelf) {
			for i := range 40 {
				s.change(2, uint32(i), tlog.Invalid)
			}
		}, "changes-burst"},
		"dated back":       {func(s *shelf) { s.issue(1); s.log(tlog.Entry{Hour: at.Add(-71 * time.Hour)}) }, "hour-backdated"},
		"dated years back": {func(s *shelf) { s.log(tlog.Entry{Hour: time.Unix(0, 0)}) }, "hour-backdated"},
		"in the future":    {func(s *shelf) { s.log(tlog.Entry{Hour: at.Add(3 * time.Hour).Truncate(time.Hour)}) }, "hour-future"},
		"the hour before":  {func(s *shelf) { s.log(tlog.Entry{Hour: at.Add(-time.Hour)}) }, ""},
		"revoked a day ago, published now": {func(s *shelf) {
			s.issue(1)
			s.log(tlog.Entry{Kind: tlog.Changed, Hour: at.Add(-20 * time.Hour), List: 2, Status: tlog.Invalid})
		}, ""},
	} {
		for _, how := range []string{"at once", "in rounds"} {
			t.Run(name+" "+how, func(t *testing.T) {
				o := s.fork(len(s.entries))
				o.now = at
				a := o.auditor(func(c *Config) { c.Keys = nil })
				if how == "in rounds" {
					o.publish()
					want(t, round1(t, a), "")
				}
				c.do(o)
				o.publish()
				want(t, round1(t, a), c.want)
				want(t, round1(t, a), "")
			})
		}
	}
	// While it is being learned what is usual, nothing is unusual.
	o := newShelf(t)
	o.weeks(2, 12)
	o.now = o.now.Add(17 * time.Hour)
	o.issue(3)
	o.publish()
	want(t, round1(t, o.auditor(func(c *Config) { c.Keys = nil })), "")
}

// TestDatedBackBehindACheckpoint: an entry that was not in a checkpoint which a
// witness saw, and claims to be older than it.
func TestDatedBackBehindACheckpoint(t *testing.T) {
	s := newShelf(t)
	s.issue(5)
	s.publish(2)
	a := s.auditor(func(c *Config) { c.Policy = policy(1) })
	s.now = s.now.Add(30 * time.Hour)
	s.publish(2)
	want(t, round1(t, a), "") // witnessed a day later, with nothing new
	s.log(tlog.Entry{Hour: monday})
	s.publish(2)
	want(t, round1(t, a), "hour-backdated")
}

// TestChangeDatedBack: how late a change of status may come after the hour of the
// publication that it names: a day and an hour, but an hour where something says that
// the issuer had published meanwhile; what is left of the hour comes on top.
func TestChangeDatedBack(t *testing.T) {
	const h = time.Hour
	change := func(s *shelf, back time.Duration) {
		s.log(tlog.Entry{Kind: tlog.Changed, Hour: s.now.Add(-back), List: 1, Index: 5, Status: tlog.Invalid})
	}
	for name, c := range map[string]struct {
		seen func(s *shelf) // what a first round sees; nil: there is none
		then func(s *shelf) // happens before the change
		last time.Duration  // age of the earliest hour that is right
		edit func(c *Config)
	}{
		"behind what was issued": {then: func(s *shelf) { s.issue(1) }, last: 26 * h},
		"behind a checkpoint":    {seen: func(s *shelf) { s.now = s.now.Add(20 * h) }, last: 26 * h},
		"behind a change":        {then: func(s *shelf) { change(s, 0) }, last: 2 * h},
		"behind a change that was seen": {seen: func(s *shelf) { change(s, 0) },
			then: func(s *shelf) { s.now = s.now.Add(12 * h) }, last: 14 * h},
		"behind the newest of several": {then: func(s *shelf) { change(s, 9*h); change(s, 4*h); change(s, 5*h) }, last: 6 * h},
		"behind lists":                 {seen: func(s *shelf) { s.list(2, nil, nil) }, last: 2 * h},
		"behind lists of a day before": {seen: func(s *shelf) { s.list(2, nil, nil); s.now = s.now.Add(20 * h) }, last: 22 * h},
		"behind lists that nobody reads": {seen: func(s *shelf) { s.list(2, nil, nil) }, last: 26 * h,
			edit: func(c *Config) { c.Keys = nil }},
		"behind a checkpoint that is older than the lists": {seen: func(s *shelf) {
			s.publish(2) // and nobody witnesses another
			s.now = s.now.Add(20 * h)
			s.list(2, nil, nil)
		}, last: 22 * h, edit: func(c *Config) { c.Policy = policy(1) }},
		"behind lists that came while a round went on": {seen: func(s *shelf) {
			s.list(2, nil, nil)
			s.now = s.now.Add(10 * h)
			s.hook = func(path string) {
				if path == "status" {
					s.hook = nil
					s.now = s.now.Add(5 * h)
					s.list(2, nil, nil)
				}
			}
		}, last: 31 * h},
	} {
		for age, code := range map[time.Duration]string{c.last: "", c.last + h: "hour-backdated"} {
			t.Run(fmt.Sprint(name, " ", age), func(t *testing.T) {
				t.Parallel()
				s := newShelf(t)
				s.issue(1)
				edit := c.edit
				if edit == nil {
					edit = func(*Config) {}
				}
				a := s.auditor(edit)
				if c.seen != nil {
					c.seen(s)
					if s.files["ledger/checkpoint"] == nil {
						s.publish(2)
					}
					want(t, round1(t, a), "")
				}
				if c.then != nil {
					c.then(s)
				}
				change(s, age)
				s.publish(2)
				want(t, round1(t, a), code)
			})
		}
	}
}

func TestFacts(t *testing.T) {
	s := newShelf(t)
	doc := []byte(`{"id":"list"}`)
	fact := tlog.Commit([tlog.SaltSize]byte{}, doc)
	facts := func(c *Config) {
		c.Facts = func(context.Context, Source) ([]Fact, error) { return []Fact{{"trust list 1", fact}}, nil }
	}
	s.issue(1)
	s.publish()
	a := s.auditor(facts)
	want(t, round1(t, a), "") // it may come in a moment
	s.now = s.now.Add(factPatience)
	want(t, round1(t, a), "fact-unlogged")
	b, err := tlog.Entry{Kind: tlog.TrustList, Hour: monday, Commitment: fact}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s.raw(b)
	s.publish()
	want(t, round1(t, a), "")
	want(t, round1(t, a), "")
}

// TestState: what an auditor remembers is refused whole when it is damaged, of
// another log, or cut; and a reading that was interrupted goes on.
func TestState(t *testing.T) {
	s := newShelf(t)
	s.issue(600)
	s.change(3, 9, tlog.Invalid)
	s.publish()
	a := s.auditor(func(c *Config) { c.Keys = nil })
	want(t, round1(t, a), "")
	good, err := os.ReadFile(a.stateFile())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 7 {
		bad := slices.Clone(good)
		bad[i] ^= 2
		if st, err := parseState(bad, origin); err == nil {
			t.Fatalf("byte %d may be changed: %+v", i, st)
		}
	}
	for name, data := range map[string][]byte{"empty": {}, "cut": good[:len(good)/2], "twice": append(slices.Clone(good), good...)} {
		if err := os.WriteFile(a.stateFile(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Round(t.Context()); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(a.stateFile(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parseState(good, "another.example/ledger"); !errors.Is(err, ErrState) {
		t.Errorf("another log's: %v", err)
	}

	// A process that is killed on its way has saved how far it was.
	s.issue(3000)
	s.publish()
	st, err := load(a.stateFile(), origin)
	if err != nil {
		t.Fatal(err)
	}
	half := &round{Auditor: a, now: s.now, state: st, counted: map[officeHour]int64{}, open: map[officeHour]bool{}, report: &Report{}}
	half.kept = tlog.Checkpoint{Size: 601}
	for i := 601; i < 2000; i++ {
		if err := half.replay(int64(i), s.entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.save(a.stateFile() + ".part"); err != nil {
		t.Fatal(err)
	}
	s.asked = map[string]int{}
	r := round1(t, a)
	want(t, r, "")
	if r.New != int64(len(s.entries)-2000) || r.Kinds["issued"] != 3600 || s.asked["ledger/tile/entries/003"] != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(a.stateFile() + ".part"); !os.IsNotExist(err) {
		t.Error("the half reading stays")
	}
	// One that does not fit what is signed is thrown away.
	s.issue(300)
	s.publish()
	if st, err = load(a.stateFile(), origin); err != nil {
		t.Fatal(err)
	}
	st.tree.add(tlog.Hash{1})
	if err := st.save(a.stateFile() + ".part"); err != nil {
		t.Fatal(err)
	}
	if r := round1(t, a); r.New != 300 {
		t.Errorf("%+v", r)
	}
}

// TestEvidenceRefuses: evidence that was changed, or of something else, proves
// nothing.
func TestEvidenceRefuses(t *testing.T) {
	s := newShelf(t)
	s.issue(50)
	s.change(1, 5, tlog.Invalid)
	s.publish()
	s.now = s.now.Add(3 * time.Hour)
	s.list(1, nil, nil)
	o := s.fork(20)
	o.log(tlog.Entry{Office: "court"})
	o.issue(10)
	o.publish()
	a := s.auditor(func(c *Config) { c.Also = []Source{o} })
	want(t, round1(t, a), "split-view! status-undone!")
	files, err := filepath.Glob(filepath.Join(a.cfg.Dir, "evidence-*.json"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		good := func() *Evidence {
			e, err := ParseEvidence(data)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		if err := good().Verify(policy(0), listKeys); err != nil {
			t.Fatal(err)
		}
		for name, edit := range map[string]func(*Evidence){
			"another kind":    func(e *Evidence) { e.Kind = RevocationLifted },
			"unknown kind":    func(e *Evidence) { e.Kind = "guilty" },
			"another log":     func(e *Evidence) { e.Origin = "x" },
			"nothing in it":   func(e *Evidence) { e.Checkpoints, e.Entries = nil, nil },
			"the same twice":  func(e *Evidence) { e.swap(func(c []string) []string { return []string{c[1], c[1]} }) },
			"the other way":   func(e *Evidence) { e.swap(func(c []string) []string { return []string{c[1], c[0]} }) },
			"another root":    func(e *Evidence) { e.flip() },
			"a shorter proof": func(e *Evidence) { e.Root = nil; e.List = nil },
		} {
			e := good()
			edit(e)
			if err := e.Verify(policy(0), listKeys); err == nil {
				t.Errorf("%s: %s is believed", filepath.Base(f), name)
			}
		}
		other := policy(0)
		other.Log = tlog.LogVerifier(origin, pub(key(9)))
		if err := good().Verify(other, listKeys); err == nil {
			t.Error("signed by another key, and believed")
		}
		for _, bad := range []string{"", "{}", "null", string(data) + "x", strings.Replace(string(data), `"kind"`, `"kinds"`, 1), strings.Replace(string(data), `"kinpassEvidence": 1`, `"kinpassEvidence": 2`, 1)} {
			if _, err := ParseEvidence([]byte(bad)); !errors.Is(err, ErrEvidence) {
				t.Errorf("%.40q was read", bad)
			}
		}
	}
}

func (e *Evidence) swap(f func([]string) []string) {
	if len(e.Checkpoints) == 2 {
		e.Checkpoints = f(e.Checkpoints)
	} else {
		e.Entries = nil
	}
}

func (e *Evidence) flip() {
	if len(e.Root) > 0 {
		e.Root[3] ^= 1
	}
	if len(e.Entries) > 0 {
		e.Entries[0].Entry[20] ^= 1
	}
}
