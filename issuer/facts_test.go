package issuer

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

// authority is a trust authority whose list the issuer passes on.
type authority struct {
	sync.Mutex
	t      *testing.T
	anchor *keys.Key
	list   *vc.TrustList
	signed string
}

func (a *authority) give(d *desk) {
	d.cfg.TrustList = func() ([]byte, error) { a.Lock(); defer a.Unlock(); return []byte(a.signed + "\n"), nil }
	d.cfg.Trust = func(context.Context) (*vc.TrustList, error) {
		a.Lock()
		defer a.Unlock()
		return vc.OpenTrustList(a.signed, vc.OneOf(a.anchor.Public()))
	}
}

func (a *authority) sign(d *desk, edits ...error) {
	a.t.Helper()
	for _, err := range edits {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	a.Lock()
	defer a.Unlock()
	var err error
	if a.signed, err = trust.Sign(a.list, a.anchor.Signer("anchor"), d.now(), time.Hour); err != nil {
		a.t.Fatal(err)
	}
}

func newAuthority(t *testing.T, d *desk) *authority {
	t.Helper()
	k, err := keys.New("a", keys.UseAnchor, keys.EdDSA, d.now().AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, anchor: k}
	if a.list, err = trust.New(k.Public()); err != nil {
		t.Fatal(err)
	}
	p, err := d.DIDDocument(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := did.ParseDocument(p.Body, d.DID())
	if err != nil {
		t.Fatal(err)
	}
	a.sign(d, trust.AddIssuer(a.list, trust.Entry{Document: doc, Name: "Registry", Shelf: "https://registry.example", Role: vc.RoleRegistrar,
		Types: trust.DefaultTypes(vc.RoleRegistrar), From: d.now().AddDate(-1, 0, 0)}))
	return a
}

// facts are what a stranger expects in the ledger, from the published documents.
func (d *desk) facts() []trust.Fact {
	d.t.Helper()
	set, err := d.JWKS()
	if err != nil {
		d.t.Fatal(err)
	}
	list, err := d.TrustList()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := trust.Facts(d.DID(), set.Body, string(list.Body[:len(list.Body)-1]), d.now())
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// logged counts the entries of each commitment to a public fact.
func (d *desk) logged() map[[32]byte]int {
	d.t.Helper()
	d.all()
	out := map[[32]byte]int{}
	for _, e := range d.entries() {
		if e.Kind >= tlog.Key {
			out[e.Commitment]++
		}
	}
	return out
}

// TestPublicFacts: keys, trust lists and accreditations are in the ledger once
// each, and whoever has the documents finds them.
func TestPublicFacts(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		if n, err := d.LogFacts(ctx); err != nil || n == 0 {
			t.Fatalf("keys without a trust list: %d %v", n, err)
		}
		a := newAuthority(t, d.desk)
		a.give(d.desk)
		seen := map[[32]byte]bool{}
		round := func(what string, min int) {
			t.Helper()
			fresh := 0
			for _, f := range d.facts() {
				if !seen[f.Commitment] {
					fresh, seen[f.Commitment] = fresh+1, true
				}
			}
			if fresh < min {
				t.Errorf("%s: %d new facts", what, fresh)
			}
			// Once, and not again, by any replica.
			for range 2 {
				if _, err := d.LogFacts(ctx); err != nil {
					t.Fatal(err)
				}
			}
			got := d.logged()
			for c, n := range got {
				if n != 1 || !seen[c] {
					t.Errorf("%s: an entry %d times, expected %v", what, n, seen[c])
				}
			}
			if len(got) != len(seen) {
				t.Errorf("%s: %d facts in the ledger of %d", what, len(got), len(seen))
			}
		}
		round("the first list", 3)
		kinds := map[tlog.Kind]int{}
		for _, e := range d.entries() {
			kinds[e.Kind]++
		}
		if kinds[tlog.TrustList] != 1 || kinds[tlog.Accreditation] != 0 || kinds[tlog.Key] < 2 {
			t.Errorf("%v", kinds)
		}
		round("nothing new", 0)
		d.pass(time.Minute)
		a.sign(d.desk, trust.Accredit(a.list, d.DID(), vc.AccreditationTerm{Since: d.now(), Until: d.now().AddDate(1, 0, 0), Types: []string{vc.TypeBirth}}))
		round("accredited", 2)
		d.pass(time.Minute)
		a.sign(d.desk)
		round("renewed", 1)
		d.pass(time.Minute)
		a.sign(d.desk, trust.Suspend(a.list, d.DID(), d.now()), trust.CutOff(a.list, d.DID()+"#"+d.ring.Of(keys.UseCredentials)[0].Name, d.now(), 0))
		round("suspended, and a key cut off", 3)
		d.ring.Of(keys.UseCredentials)[0].NotAfter = d.now().Add(time.Hour)
		round("a key with an end", 0)
		d.pass(2 * time.Hour)
		round("a key that is retired", 1)

		// A list that no anchor signed is passed on by mistake: not a fact.
		before := len(d.logged())
		old := a.signed
		b, err := json.Marshal(a.list)
		if err != nil {
			t.Fatal(err)
		}
		stranger, err := keys.New("s", keys.UseAnchor, keys.EdDSA, d.now(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if a.signed, err = vc.SignJWS(stranger.Signer("x"), vc.TypTrustList, "", b); err != nil {
			t.Fatal(err)
		}
		if n, err := d.LogFacts(ctx); n != 0 || err != nil || len(d.logged()) != before {
			t.Errorf("a stranger's list: %d %v", n, err)
		}
		a.signed = old
	})
}

// TestPublicFactsReplicas: replicas that find the same facts at the same time
// commit to them once, and one that dies in between leaves nothing half done.
func TestPublicFactsReplicas(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := newBooth(t, db, ring)
		a := newAuthority(t, d.desk)
		a.give(d.desk)
		others := []*desk{d.desk}
		for range 3 {
			o := newBooth(t, db, ring)
			a.give(o.desk)
			others = append(others, o.desk)
		}
		for range 4 {
			var wg sync.WaitGroup
			total := make([]int, len(others))
			for n, o := range others {
				wg.Go(func() {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if n == 2 { // it goes away in the middle
						time.AfterFunc(200*time.Microsecond, cancel)
					}
					var err error
					if total[n], err = o.LogFacts(ctx); err != nil && n != 2 {
						t.Errorf("replica %d: %v", n, err)
					}
				})
			}
			wg.Wait()
			d.pass(time.Minute)
			a.sign(d.desk)
		}
		if _, err := d.LogFacts(context.Background()); err != nil {
			t.Fatal(err)
		}
		got := d.logged()
		for _, f := range d.facts() {
			if got[f.Commitment] != 1 {
				t.Errorf("%s is in the ledger %d times", f.Name, got[f.Commitment])
			}
		}
		for c, n := range got {
			if n != 1 {
				t.Errorf("%x is in the ledger %d times", c, n)
			}
		}
		var hashes []string
		rows, err := db.Query(`SELECT hash FROM commitments WHERE kind IN ('key', 'trust', 'accreditation')`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var h []byte
			if err := rows.Scan(&h); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(hashes, string(h)) {
				t.Error("a fact was committed to twice")
			}
			hashes = append(hashes, string(h))
		}
	})
}
