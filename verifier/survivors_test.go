package verifier

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// ledgerBook is an issuer's ledger, and what the issuer claims of a key.
type ledgerBook struct {
	entries [][]byte
	hashes  []tlog.Hash
	root    tlog.Hash
	claims  []byte
}

func (m *ledgerBook) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for k, i := range at {
		out[k] = m.hashes[i]
	}
	return out, nil
}

// log enters a credential and gives what an honest issuer claims of it.
func (m *ledgerBook) log(t *testing.T, kind tlog.Kind, payload []byte) []byte {
	t.Helper()
	salt := [tlog.SaltSize]byte{byte(len(m.entries)), 1}
	e, err := tlog.Entry{Kind: kind, Hour: start.Truncate(time.Hour), Office: "registrar", Commitment: tlog.Commit(salt, payload)}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	stored, root, err := tlog.Append(int64(len(m.entries)), [][]byte{e}, m)
	if err != nil {
		t.Fatal(err)
	}
	m.hashes, m.root, m.entries = append(m.hashes, stored...), root, append(m.entries, e)
	return claim(int64(len(m.entries)-1), salt, sha256.Sum256(payload))
}

// tile is what an issuer publishes at a path below its ledger; nil: it is no tile's.
func (m *ledgerBook) tile(t *testing.T, path string) (data []byte) {
	x, err := tlog.ParseTilePath(path)
	if err != nil {
		return nil
	}
	if x.L < 0 {
		data, err = tlog.Bundle(m.entries[x.N<<tlog.TileHeight : x.N<<tlog.TileHeight+int64(x.W)])
	} else {
		data, err = tlog.ReadTile(x, m)
	}
	if err != nil {
		t.Error(err)
	}
	return data
}

func claim(index int64, salt [tlog.SaltSize]byte, payload [32]byte) []byte {
	return append(append(binary.BigEndian.AppendUint64(nil, uint64(index)), salt[:]...), payload[:]...)
}

// TestSurvivors: what a key signed and its issuer's ledger had before the key was
// withdrawn is in the bundle. Whatever else the issuer claims is not.
func TestSurvivors(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	ledger := newKey(t, keys.UseLedger)
	origin := strings.TrimPrefix(o.url, "http://") + "/ledger"
	if err := trust.SetLedger(w.list, o.did, origin, ledger.Public()); err != nil {
		t.Fatal(err)
	}
	m := &ledgerBook{}
	var honest [][]byte
	for n := range 300 { // more than a tile
		honest = append(honest, m.log(t, tlog.Issued, fmt.Append(nil, "credential ", n)))
	}
	size := int64(len(m.entries))
	late := m.log(t, tlog.Issued, []byte("too late"))
	reserved := m.log(t, tlog.Reserved, []byte("no credential"))
	if err := trust.CutOff(w.list, o.did+"#key-1", start.Add(time.Hour), size); err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.LogSigner(origin, ledger.Signer(""))
	if err != nil {
		t.Fatal(err)
	}
	var lie func(path string, data []byte) []byte
	asked := 0
	o.reply(func(rw http.ResponseWriter, r *http.Request) bool {
		path, ok := strings.CutPrefix(r.URL.Path, "/ledger/")
		if !ok {
			return false
		}
		var data []byte
		switch {
		case path == "checkpoint":
			data, _ = tlog.Sign(tlog.Checkpoint{Origin: origin, Size: int64(len(m.entries)), Root: m.root}, signer)
		case path == "survivors/key-1":
			asked++
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "KinpassHub ")
			j, err := vc.SplitJWS(token)
			if !ok || err != nil || j.Header.Typ != vc.TypHub {
				t.Errorf("a hub does not say who it is: %v", err)
			}
			data = append(slices.Clone(m.claims), make([]byte, survivorSize)...)
		default:
			if data = m.tile(t, path); data == nil {
				return false
			}
		}
		if lie != nil {
			data = lie(path, data)
		}
		rw.Write(data)
		return true
	})
	w.signTrust()
	kid := o.did + "#key-1"
	all := slices.Concat(honest...)
	check := func(name string, claims []byte, want int, code string) {
		t.Helper()
		m.claims = claims
		v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
		r := w.build(v)
		b, err := v.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(b.Survivors(kid).Payloads); got != want {
			t.Errorf("%s: %d survive, want %d (%v)", name, got, want, r.Problems)
		}
		if told := slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Code == code && p.List == kid }); told != (code != "") {
			t.Errorf("%s: the report says %v", name, r.Problems)
		}
	}
	check("honest", all, 300, "")
	hash := sha256.Sum256([]byte("credential 7"))
	forged := slices.Clone(honest[7])
	forged[survivorSize-1] ^= 1
	check("another payload", slices.Concat(slices.Concat(honest[:7]...), forged, slices.Concat(honest[8:]...)), 299, "survivors-unlogged")
	check("another's place", claim(8, [tlog.SaltSize]byte{7, 1}, hash), 0, "survivors-unlogged")
	check("after the cut-off", slices.Concat(all, late), 300, "survivors-unlogged")
	check("no credential", slices.Concat(all, reserved), 300, "survivors-unlogged")
	check("beyond the ledger", slices.Concat(all, claim(1<<40, [tlog.SaltSize]byte{}, hash)), 300, "survivors-unlogged")
	check("twice", slices.Concat(honest[0], honest[0]), 0, "survivors-invalid")
	check("half a claim", honest[0][:40], 0, "survivors-invalid")
	check("negative", claim(-1, [tlog.SaltSize]byte{}, hash), 0, "survivors-invalid")

	// An entry that is not in the signed tree.
	lie = func(path string, data []byte) []byte {
		if path == "tile/entries/000" {
			commitment := tlog.CommitSum([tlog.SaltSize]byte{7, 1}, [32]byte{1})
			copy(data[len(data)-32:], commitment[:])
		}
		return data
	}
	check("other entries", all, 0, "survivors-invalid")
	lie = func(path string, data []byte) []byte {
		if path == "tile/0/000" {
			data[5] ^= 1
		}
		return data
	}
	check("other hashes", all, 0, "survivors-invalid")
	lie = func(path string, data []byte) []byte {
		if path == "survivors/key-1" {
			return data[:len(data)-survivorSize]
		}
		return data
	}
	check("cut short", all, 0, "survivors-invalid")

	// As many as may be told: there may be more, and each report says so. Online what is
	// not told is no worse for it.
	lie, m.claims = nil, all
	for most, cut := range map[int]bool{300: true, 301: false} {
		v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
		v.mostSurvivors = most
		for range 2 {
			r := w.build(v)
			if got := slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Code == ErrCut.Code && p.List == kid }); got != cut {
				t.Errorf("300 of at most %d: %v", most, r.Problems)
			}
			w.wait(time.Minute)
		}
		b, err := v.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b.Survivors(kid).Payloads); n != 300 || v.survivorsKnown(b.Bundle, &b.Trust.Issuers[0]) == cut {
			t.Errorf("300 of at most %d: %d in the bundle, all known: %v", most, n, !cut)
		}
	}

	// What was shown stays while the issuer is away, and is not asked for each time.
	answer := o.answer
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	w.build(v)
	before := asked
	w.wait(time.Minute)
	w.build(v)
	if asked != before {
		t.Error("the survivors are asked for with each bundle")
	}
	w.wait(2 * time.Hour)
	o.reply(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/ledger/") {
			http.Error(rw, "", http.StatusInternalServerError)
			return true
		}
		return false
	})
	v.survived = nil // as after a restart
	r := w.build(v)
	b, err := v.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(b.Survivors(kid).Payloads); got != 300 || len(r.Problems) == 0 {
		t.Errorf("%d survive an issuer that is away: %v", got, r.Problems)
	}
	v.survived, v.mostSurvivors = nil, 300
	if r := w.build(v); !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Code == ErrCut.Code }) {
		t.Errorf("as many as may be told are in the bundle of an issuer that is away: %v", r.Problems)
	}

	// The theft is found to be older: what the thief logged in between is shown by
	// nobody any more, whatever was shown of the larger ledger.
	smaller := func(name string, n int64, v *Verifier, want int) {
		t.Helper()
		if err := trust.CutOff(w.list, kid, start.Add(time.Hour), n); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Minute)
		w.signTrust()
		w.build(v)
		b, err := v.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(b.Survivors(kid).Payloads); got != want {
			t.Errorf("%s: %d survive, want %d", name, got, want)
		}
	}
	away := o.answer
	for _, c := range []struct {
		name           string
		silent, forget bool
	}{
		{"smaller", false, false},
		{"smaller, the issuer is away", true, false},
		{"smaller, the issuer is away, after a restart", true, true},
	} {
		o.reply(answer)
		v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
		size -= 5
		smaller(c.name+", before", size, v, int(size))
		if c.silent {
			o.reply(away)
		}
		if c.forget {
			v.survived = nil
		}
		size -= 5
		want := int(size)
		if c.silent {
			want = 0 // nobody knows yet which
		}
		smaller(c.name, size, v, want)
	}

	// A ledger that is smaller than it was at the cut-off shows nothing.
	o.reply(answer)
	w.list.Issuers[0].Keys[0].CutOffSize = int64(len(m.entries)) + 1
	w.signTrust()
	check("a smaller ledger", all, 0, "survivors-invalid")
}

// TestSurvivorsTakeTheirTime: an issuer has longer to say what a key signed than for
// other answers, as long as it is not silent.
func TestSurvivorsTakeTheirTime(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	hub, err := v.hubKey(w.list, w.now())
	if err != nil {
		t.Fatal(err)
	}
	var silent atomic.Bool
	o.reply(func(rw http.ResponseWriter, r *http.Request) bool {
		rw.Write(claim(7, [tlog.SaltSize]byte{}, [32]byte{}))
		rw.(http.Flusher).Flush()
		if silent.Load() {
			<-r.Context().Done()
			return true
		}
		time.Sleep(20 * time.Millisecond)
		rw.Write(make([]byte, survivorSize))
		return true
	})
	ask := func(p HTTPPolicy) ([]survivor, error) {
		p.Loopback = true
		v.fetch = newFetcher(p)
		return v.askSurvivors(t.Context(), &w.list.Issuers[0], &w.list.Issuers[0].Keys[0], hub)
	}
	got, err := ask(HTTPPolicy{Timeout: 10 * time.Millisecond})
	if err != nil || len(got) != 1 || got[0].index != 7 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := v.fetch.get(t.Context(), o.url+"/ledger/checkpoint", 1000); err == nil {
		t.Error("another request took as long")
	}
	silent.Store(true)
	if _, err := ask(HTTPPolicy{Timeout: time.Minute, Idle: 20 * time.Millisecond}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("an issuer that says nothing more: %v", err)
	}
}

// payloadOf gives the bytes that were signed.
func payloadOf(t *testing.T, jwt string) []byte {
	t.Helper()
	j, err := vc.SplitJWS(jwt)
	if err != nil {
		t.Fatal(err)
	}
	return j.PayloadUnverified()
}

// TestOnlineUnproven: what a withdrawn key signed is red in a check online only when
// the hub knows what its issuer says that the key had signed; before, the issuer was
// not asked, and it is amber as it is offline.
func TestOnlineUnproven(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	ledger := newKey(t, keys.UseLedger)
	const origin = "office.example/ledger"
	if err := trust.SetLedger(w.list, o.did, origin, ledger.Public()); err != nil {
		t.Fatal(err)
	}
	birth, mandate, _ := o.family("mother")
	birth2, mandate2, _ := o.family("stranger") // by a thief: not in the ledger
	m := &ledgerBook{}
	m.claims = slices.Concat(m.log(t, tlog.Issued, payloadOf(t, birth)), m.log(t, tlog.Issued, payloadOf(t, mandate)))
	o.secondKey(t)
	if err := trust.CutOff(w.list, o.did+"#key-1", start, int64(len(m.entries))); err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.LogSigner(origin, ledger.Signer(""))
	if err != nil {
		t.Fatal(err)
	}
	var down atomic.Bool
	o.reply(func(rw http.ResponseWriter, r *http.Request) bool {
		path, ok := strings.CutPrefix(r.URL.Path, "/ledger/")
		var data []byte
		switch {
		case !ok:
			return false
		case path == "checkpoint":
			data, _ = tlog.Sign(tlog.Checkpoint{Origin: origin, Size: int64(len(m.entries)), Root: m.root}, signer)
		case path == "survivors/key-1" && down.Load():
			rw.WriteHeader(http.StatusBadGateway)
			return true
		case path == "survivors/key-1":
			data = append(slices.Clone(m.claims), make([]byte, survivorSize)...)
		default:
			data = m.tile(t, path)
		}
		rw.Write(data)
		return true
	})
	w.wait(time.Hour)
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	look := func(name string, online bool, want string, holder string, shown ...string) {
		t.Helper()
		f := confirmed
		f.Online = online
		r, err := v.Check(t.Context(), []string{w.present(holder, store.Random(16), shown...)}, f)
		if err != nil {
			t.Fatal(err)
		}
		if r.Colour.String() != want || r.Has(check.CodeIssuerKeyUnproven) != (want != "green") {
			t.Errorf("%s, online %v: %v %v, want %s", name, online, r.Colour, r.Codes(), want)
		}
	}
	down.Store(true)
	w.build(v)
	look("nobody could ask", false, "amber", "mother", birth, mandate)
	look("nobody could ask", true, "amber", "mother", birth, mandate)
	down.Store(false)
	w.build(v)
	look("logged", true, "green", "mother", birth, mandate)
	look("not logged", false, "amber", "stranger", birth2, mandate2)
	look("not logged", true, "red", "stranger", birth2, mandate2)
	// Another process with the bundle in hand knows it, too.
	down.Store(true)
	v.survived, v.lives.told = nil, nil
	w.wait(time.Minute)
	w.build(v)
	look("after a restart", true, "red", "stranger", birth2, mandate2)

	// An issuer that says that nothing survives was asked.
	down.Store(false)
	m.claims = nil
	v = w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	w.build(v)
	look("nothing survives", true, "red", "mother", birth, mandate)
}
