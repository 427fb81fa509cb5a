package issuer

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// tokenBytes reads a published Token Status List as a verifier would that knows
// nothing of Kinpass, and gives the list's bytes.
func (d *booth) tokenBytes(n int64) []byte {
	d.t.Helper()
	p, err := d.TokenList(context.Background(), vc.MediaTokenJWT, n)
	if err != nil {
		d.t.Fatal(err)
	}
	keySet, err := d.JWKS()
	if err != nil {
		d.t.Fatal(err)
	}
	set, err := jwk.Parse(keySet.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	payload, err := jws.Verify(p.Body, jws.WithKeySet(set, jws.WithRequireKid(true)))
	if err != nil {
		d.t.Fatal(err)
	}
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(string(p.Body), ".")[0])
	if err != nil {
		d.t.Fatal(err)
	}
	var c struct {
		Sub           string
		Iss           string
		Iat, Exp, TTL int64
		List          struct {
			Bits int
			Lst  string
		} `json:"status_list"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		d.t.Fatal(err)
	}
	if !strings.Contains(string(header), `"typ":"statuslist+jwt"`) || c.Sub != fmt.Sprintf("https://registry.example/status/token/%d", n) ||
		c.Iss != "did:web:registry.example" || c.Exp-c.Iat != 7*24*3600 || c.TTL != 300 || c.List.Bits != 2 {
		d.t.Fatalf("not the expected token list: %s %.300s", header, payload)
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(c.List.Lst)
	if err != nil {
		d.t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// opened verifies a published list with the keys of the published DID document.
func (d *booth) opened(body []byte) *vc.StatusList {
	d.t.Helper()
	p, err := d.DIDDocument(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	doc, err := did.ParseDocument(p.Body, "did:web:registry.example")
	if err != nil {
		d.t.Fatal(err)
	}
	l, err := vc.OpenStatusList(body, vc.ListPolicy{Keys: PublishedKeys(doc, d.clock()), Now: d.clock()})
	if err != nil {
		d.t.Fatal(err)
	}
	return l
}

// agree reads one list in all its forms and fails unless every index has the
// same answer in each. It gives how many are revoked and suspended.
func (d *booth) agree(n int64) (revoked, suspended int) {
	d.t.Helper()
	ctx := context.Background()
	revocation, suspension := d.stranger(vc.PurposeRevocation, n), d.stranger(vc.PurposeSuspension, n)
	raw := d.tokenBytes(n)
	p, err := d.TokenList(ctx, vc.MediaTokenCWT, n)
	if err != nil {
		d.t.Fatal(err)
	}
	cwt := d.opened(p.Body)
	size := int64(len(revocation)) * 8
	if int64(len(suspension))*8 != size || int64(len(raw))*4 != size {
		d.t.Fatalf("lists of %d, %d and %d bytes", len(revocation), len(suspension), len(raw))
	}
	states := map[byte]vc.State{0: vc.StateGood, 1: vc.StateRevoked, 2: vc.StateSuspended}
	for x := range size {
		r := revocation[x/8] >> (7 - x%8) & 1 // most significant bit first
		s := suspension[x/8] >> (7 - x%8) & 1
		token := raw[x/4] >> (x % 4 * 2) & 3 // least significant bits first
		want := byte(0)
		switch {
		case r == 1:
			want, revoked = 1, revoked+1
		case s == 1:
			want, suspended = 2, suspended+1
		}
		if token != want {
			d.t.Fatalf("list %d: bits %d and %d, and the token list says %d", n, r, s, token)
		}
		a, err := cwt.OfToken(vc.TokenStatus{URI: cwt.URL, Index: uint64(x)}, "did:web:registry.example", d.clock())
		if err != nil || a.State != states[want] {
			d.t.Fatalf("list %d: bits %d and %d, and the CWT says %v, %v", n, r, s, a, err)
		}
	}
	if _, err := cwt.OfToken(vc.TokenStatus{URI: cwt.URL, Index: uint64(size)}, "did:web:registry.example", d.clock()); err == nil {
		d.t.Error("an index outside the list has an answer")
	}
	return revoked, suspended
}

// One index, four documents, one answer: whatever is done to the copies, both
// bitstring lists and both encodings of the token list say the same.
func TestEveryFormOfAListSaysTheSame(t *testing.T) {
	storetest.Volume(t)
	for _, alg := range []string{keys.EdDSA, keys.ES256} {
		t.Run(alg, func(t *testing.T) {
			storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
				d := newBooth(t, db, newRing(t, alg))
				ctx := context.Background()
				var families []child
				for range 3 {
					c := d.child()
					d.copies(c)
					families = append(families, c)
				}
				mandate := families[0].guardianship.Credentials[0].ID
				n := d.listOf(mandate)
				expect := func(what string, revoked, suspended int) {
					t.Helper()
					if r, s := d.agree(n); (r > 0) != (revoked > 0) || (s > 0) != (suspended > 0) {
						t.Errorf("%s: %d revoked, %d suspended", what, r, s)
					}
				}
				do := func(o Outcome, err error) Outcome {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
					return o
				}
				expect("issued", 0, 0)
				do(d.Suspend(ctx, rita, mandate, "safety", ""))
				expect("suspended", 0, 1)
				do(d.Reinstate(ctx, rita, mandate, "resolved", ""))
				expect("reinstated", 0, 0)
				do(d.Suspend(ctx, rita, mandate, "safety", ""))
				o := do(d.Revoke(ctx, rita, mandate, "fraud", ""))
				do(d.Approve(ctx, rob, o.Approval, true))
				expect("revoked while suspended", 1, 0)
				do(d.Suspend(ctx, rita, families[1].guardianship.Credentials[0].ID, "disputed", ""))
				expect("one of each", 1, 1)
				// Read anew from the database, the lists are the same.
				d.Issuer.shelf.drop(n)
				expect("after a restart", 1, 1)
			})
		})
	}
}

// The token lists are signed once and kept as the bitstring lists are.
func TestTokenListBytesAreStable(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		ctx := context.Background()
		c, other := d.child(), d.child()
		n := d.listOf(c.birth.Credentials[0].ID)
		list := func(media string) string {
			t.Helper()
			p, err := d.TokenList(ctx, media, n)
			if err != nil || p.Type != media || p.Cache != cacheStatus {
				t.Fatalf("%s, %s: %v", p.Type, p.Cache, err)
			}
			return string(p.Body)
		}
		jwt, cwt := list(vc.MediaTokenJWT), list(vc.MediaTokenCWT)
		d.pass(5*time.Minute - time.Second)
		d.child() // an issued credential changes no bit
		if list(vc.MediaTokenJWT) != jwt || list(vc.MediaTokenCWT) != cwt {
			t.Error("the list changed although no bit did")
		}
		if _, err := d.Suspend(ctx, rita, c.birth.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(err)
		}
		jwt2, cwt2 := list(vc.MediaTokenJWT), list(vc.MediaTokenCWT)
		if jwt2 == jwt || cwt2 == cwt {
			t.Error("a change is not in the next answer")
		}
		if list(vc.MediaTokenJWT) != jwt2 || list(vc.MediaTokenCWT) != cwt2 {
			t.Error("signed twice")
		}
		d.pass(5 * time.Minute)
		jwt3 := list(vc.MediaTokenJWT)
		if jwt3 == jwt2 {
			t.Error("the list was not signed anew in time")
		}
		if got := d.opened([]byte(jwt3)).From; !got.Equal(d.clock().Truncate(time.Second)) {
			t.Errorf("iat %v", got)
		}
		// Refresh signs them ahead, too.
		d.pass(3 * time.Minute)
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		for _, media := range []string{vc.MediaTokenJWT, vc.MediaTokenCWT} {
			if got := d.Issuer.shelf.lists[n].signed[media].at; !got.Equal(d.clock().Truncate(time.Second)) {
				t.Errorf("%s was signed at %v", media, got)
			}
		}
		_ = other
	})
}

func TestTokenListRefusals(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	ring := newRing(t, keys.EdDSA)
	d := newBooth(t, db, ring)
	ctx := context.Background()
	c := d.child()
	n := d.listOf(c.birth.Credentials[0].ID)
	for _, x := range []struct {
		media string
		n     int64
	}{
		{vc.MediaTokenJWT, 0}, {vc.MediaTokenJWT, -1}, {vc.MediaTokenCWT, 99}, {vc.MediaTokenJWT, 1 << 40},
		{"", n}, {"revocation", n}, {"application/statuslist+xml", n},
	} {
		if p, err := d.TokenList(ctx, x.media, x.n); !errors.Is(err, ErrNoSuchStatusList) || p.Body != nil {
			t.Errorf("%s/%d: %v", x.media, x.n, err)
		}
	}
	// A token list is none of the bitstring lists, whatever it is asked for.
	for _, purpose := range []string{tokenLists, vc.MediaTokenJWT, vc.MediaTokenCWT} {
		if p, err := d.StatusList(ctx, purpose, n); !errors.Is(err, ErrNoSuchStatusList) || p.Body != nil {
			t.Errorf("as a bitstring list, %s: %v", purpose, err)
		}
	}
	first, err := d.TokenList(ctx, vc.MediaTokenJWT, n)
	if err != nil {
		t.Fatal(err)
	}
	// Without a key that may sign, the list as last signed is given while
	// nothing changed; a change is never hidden behind it.
	ring.Keys[0].NotAfter = deskTime.Add(time.Minute)
	d.pass(time.Hour)
	if p, err := d.TokenList(ctx, vc.MediaTokenJWT, n); err != nil || !bytes.Equal(p.Body, first.Body) {
		t.Errorf("the last list is not given: %v", err)
	}
	if p, err := d.TokenList(ctx, vc.MediaTokenCWT, n); !errors.Is(err, keys.ErrNoKey) || p.Body != nil {
		t.Errorf("a list that was never signed: %v", err)
	}
	if _, err := d.Suspend(ctx, rita, c.birth.Credentials[0].ID, "safety", ""); err != nil {
		t.Fatal(err)
	}
	if p, err := d.TokenList(ctx, vc.MediaTokenJWT, n); !errors.Is(err, keys.ErrNoKey) || p.Body != nil {
		t.Errorf("the list from before the change was given: %v", err)
	}
}

// When the database is gone the last list is given while it is valid.
func TestTokenListWithoutDatabase(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	d := newBooth(t, db, newRing(t, keys.EdDSA))
	ctx := context.Background()
	n := d.listOf(d.child().birth.Credentials[0].ID)
	first, err := d.TokenList(ctx, vc.MediaTokenCWT, n)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	d.pass(7*24*time.Hour - time.Second)
	if p, err := d.TokenList(ctx, vc.MediaTokenCWT, n); err != nil || !bytes.Equal(p.Body, first.Body) {
		t.Errorf("the last list is not given: %v", err)
	}
	d.pass(time.Second)
	if p, err := d.TokenList(ctx, vc.MediaTokenCWT, n); err == nil || p.Body != nil {
		t.Error("a list that is over was given")
	}
	if p, err := d.TokenList(ctx, vc.MediaTokenJWT, n); err == nil || p.Body != nil {
		t.Error("a list that was never signed was given")
	}
}

func TestVctFiles(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	for _, vct := range []string{vc.VctBirth, vc.VctGuardianship} {
		path := strings.TrimPrefix(vct, vc.VctBase)
		p, err := d.Vct(path)
		var doc struct{ Vct string }
		if err != nil || json.Unmarshal(p.Body, &doc) != nil || doc.Vct != vct || p.Type != "application/json" || p.Cache != cacheFixed {
			t.Errorf("%s: %s, %s, %v", vct, p.Type, doc.Vct, err)
		}
	}
	for _, path := range []string{"", "/", "birth", "birth/2", "birth/1/", "../vct/birth/1", "birth/1.json"} {
		if p, err := d.Vct(path); !errors.Is(err, ErrNoSuchVct) || p.Body != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}
