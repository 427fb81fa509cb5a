package issuer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// booth is a desk that looks at its shelf as strangers do.
type booth struct{ *desk }

func newBooth(t testing.TB, db *store.DB, ring *keys.Ring) *booth {
	t.Helper()
	d := &booth{openDeskWith(t, Config{DB: db, Ring: ring, ListSize: status.MinSize})}
	d.pass(123456 * time.Microsecond) // clocks rarely strike the second
	return d
}

// More people of the tests.
var (
	judy  = Caller{ID: "t-judy", Name: "Judy", Role: RoleCourt}
	thief = Caller{Role: RoleCourt} // no token
)

// child is a registered family: a birth and the guardianship of its mother.
type child struct{ birth, guardianship Outcome }

// child registers a family that no rule holds up.
func (d *booth) child() child {
	d.t.Helper()
	b := newBirth()
	return child{d.birth(StateIssued, b), d.guardianship(StateIssued, newGuardianship(b))}
}

// holder gives a did:key that nobody has.
func holder(t testing.TB) string {
	t.Helper()
	k, err := keys.New("h", keys.UseCredentials, keys.EdDSA, deskTime, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// copyRow is a copy of a record as the database has it.
type copyRow struct {
	id, record, status string
	list, index        int64
}

func (d *booth) rows() []copyRow {
	d.t.Helper()
	rs, err := d.db.Query(`SELECT id, record, status, list, idx FROM credentials ORDER BY id`)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rs.Close()
	var out []copyRow
	for rs.Next() {
		var c copyRow
		if err := rs.Scan(&c.id, &c.record, &c.status, &c.list, &c.index); err != nil {
			d.t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// stranger reads a published list as a verifier would that knows nothing of
// Kinpass: jwx, the published key set and the standard library.
func (d *booth) stranger(purpose string, n int64) []byte {
	d.t.Helper()
	p, err := d.StatusList(context.Background(), purpose, n)
	if err != nil {
		d.t.Fatal(err)
	}
	if p.Type != "application/vc+jwt" {
		d.t.Errorf("media type %s", p.Type)
	}
	set, err := d.JWKS()
	if err != nil {
		d.t.Fatal(err)
	}
	return readList(d.t, p.Body, set.Body, purpose, fmt.Sprintf("https://registry.example/status/%s/%d", purpose, n))
}

func readList(t testing.TB, compact, jwks []byte, purpose, id string) []byte {
	t.Helper()
	set, err := jwk.Parse(jwks)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(compact, jws.WithKeySet(set, jws.WithRequireKid(true)))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Context    []string  `json:"@context"`
		ID         string    `json:"id"`
		Type       []string  `json:"type"`
		Issuer     any       `json:"issuer"`
		ValidFrom  time.Time `json:"validFrom"`
		ValidUntil time.Time `json:"validUntil"`
		Subject    struct {
			ID      string `json:"id"`
			Type    string `json:"type"`
			Purpose string `json:"statusPurpose"`
			Encoded string `json:"encodedList"`
			TTL     int64  `json:"ttl"`
		} `json:"credentialSubject"`
		Status any `json:"credentialStatus"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	s := c.Subject
	if c.Context[0] != "https://www.w3.org/ns/credentials/v2" || c.ID != id || strings.Join(c.Type, " ") != "VerifiableCredential BitstringStatusListCredential" ||
		c.Issuer != "did:web:registry.example" || s.ID != id+"#list" || s.Type != "BitstringStatusList" || s.Purpose != purpose || s.TTL != 300000 ||
		c.ValidUntil.Sub(c.ValidFrom) != 7*24*time.Hour || c.Status != nil {
		t.Fatalf("not the expected list credential: %s", payload)
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(s.Encoded, "u"))
	if err != nil || s.Encoded[0] != 'u' {
		t.Fatal("not multibase base64url")
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	bits, err := io.ReadAll(z)
	if err != nil || len(bits) < 16384 {
		t.Fatalf("%d bytes of bits: %v", len(bits), err)
	}
	return bits
}

// checkShelf compares every bit of every list with what each copy should be,
// in both directions. want gives the status of each record.
func (d *booth) checkShelf(want map[string]string) {
	d.t.Helper()
	set := map[string]map[int64]bool{} // list → index
	lists := map[int64]bool{}
	for _, r := range d.rows() {
		lists[r.list] = true
		w := want[r.record]
		if w == "" {
			w = StatusValid
		}
		if r.status != w {
			d.t.Errorf("a copy is %s in the database and should be %s", r.status, w)
		}
		purpose := map[string]string{StatusRevoked: vc.PurposeRevocation, StatusSuspended: vc.PurposeSuspension}[w]
		if purpose == "" {
			continue
		}
		k := fmt.Sprint(purpose, r.list)
		if set[k] == nil {
			set[k] = map[int64]bool{}
		}
		set[k][r.index] = true
	}
	for n := range lists {
		for _, p := range purposes {
			on := set[fmt.Sprint(p, n)]
			bits := d.stranger(p, n)
			found := 0
			for x := range int64(len(bits)) * 8 {
				if bits[x/8]>>(7-x%8)&1 == 0 {
					continue
				}
				found++
				if !on[x] {
					d.t.Errorf("%s list %d: an index is set that should not be", p, n)
				}
			}
			if found != len(on) {
				d.t.Errorf("%s list %d: %d bits are set and %d should be", p, n, found, len(on))
			}
		}
	}
}

func TestStatusListForStrangers(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		c := d.child()
		d.checkShelf(nil)

		// The credential's own entries lead to the published lists.
		b, g, err := d.Paper(context.Background(), rita, c.birth.ID, c.guardianship.ID)
		if err != nil {
			t.Fatal(err)
		}
		jwks, _ := d.JWKS()
		set, err := jwk.Parse(jwks.Body)
		if err != nil {
			t.Fatal(err)
		}
		index, err := d.StatusIndex(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var listed struct{ Lists []string }
		if err := json.Unmarshal(index.Body, &listed); err != nil {
			t.Fatal(err)
		}
		for _, jwt := range []string{b, g} {
			payload, err := jws.Verify([]byte(jwt), jws.WithKeySet(set, jws.WithRequireKid(true)))
			if err != nil {
				t.Fatal(err)
			}
			var x vc.Credential
			if err := json.Unmarshal(payload, &x); err != nil {
				t.Fatal(err)
			}
			if len(x.Status) != 2 || x.Status[0].Purpose != "revocation" || x.Status[1].Purpose != "suspension" || x.Status[0].Index != x.Status[1].Index {
				t.Fatalf("status entries %+v", x.Status)
			}
			for _, s := range x.Status {
				if !strings.Contains(strings.Join(listed.Lists, " ")+" ", s.List+" ") {
					t.Errorf("%s is not in the index", s.List)
				}
			}
		}
		if len(listed.Lists) != 8 { // two lists in three forms, and what was given out of them
			t.Errorf("%d lists in the index", len(listed.Lists))
		}

		// Nothing on the shelf is about a child.
		for _, p := range []Published{jwks, index} {
			for _, secret := range []string{"FAAAA", "Faaaa", "ZAF", c.birth.ID, c.birth.Credentials[0].ID} {
				if bytes.Contains(p.Body, []byte(secret)) {
					t.Errorf("the shelf holds %q", secret)
				}
			}
		}
	})
}

func TestStatusListUnknown(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		d.child()
		for _, c := range []struct {
			purpose string
			n       int64
		}{
			{"revocation", 0}, {"revocation", -1}, {"revocation", 3}, {"revocation", 1 << 40}, {"suspension", 99},
			{"", 1}, {"message", 1}, {"refresh", 1}, {"Revocation", 1},
		} {
			if p, err := d.StatusList(context.Background(), c.purpose, c.n); !errors.Is(err, ErrNoSuchStatusList) || p.Body != nil {
				t.Errorf("%s/%d: %v", c.purpose, c.n, err)
			}
		}
		if len(d.Issuer.shelf.lists) != 0 {
			t.Error("lists that do not exist are remembered")
		}
	})
}

// A list keeps its bytes, and so its ETag, until a bit changes or it is time.
func TestStatusListBytesAreStable(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		c := d.child()
		list := func(purpose string, n int64) string {
			t.Helper()
			p, err := d.StatusList(context.Background(), purpose, n)
			if err != nil {
				t.Fatal(err)
			}
			return string(p.Body)
		}
		birthList := d.listOf(c.birth.Credentials[0].ID)
		otherList := d.listOf(c.guardianship.Credentials[0].ID)
		if birthList == otherList {
			t.Fatal("births and guardianships share a list")
		}
		first, suspension, other := list("revocation", birthList), list("suspension", birthList), list("suspension", otherList)
		d.pass(5*time.Minute - time.Second)
		d.child() // an issued credential changes no bit
		if list("revocation", birthList) != first || list("suspension", otherList) != other {
			t.Error("the list changed although no bit did")
		}
		if _, err := d.Suspend(context.Background(), rita, c.birth.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(err)
		}
		changed := list("suspension", birthList)
		if changed == suspension {
			t.Error("a change is not in the next answer")
		}
		if list("revocation", birthList) != first || list("suspension", otherList) != other {
			t.Error("a change signed lists that it does not touch")
		}
		d.pass(time.Second)
		again := list("revocation", birthList)
		if again == first {
			t.Error("the list was not signed anew in time")
		}
		if got := validFrom(t, again); !got.Equal(deskTime.Add(5 * time.Minute).Truncate(time.Second)) {
			t.Errorf("validFrom %v", got)
		}
		if list("suspension", birthList) != changed {
			t.Error("a list that was signed a second ago was signed again")
		}
	})
}

func (d *booth) listOf(credential string) (n int64) {
	d.t.Helper()
	if err := d.db.QueryRow(`SELECT list FROM credentials WHERE id = $1`, credential).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

func validFrom(t testing.TB, compact string) time.Time {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c vc.Credential
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c.ValidFrom
}

// Many requests for a list that changed sign it once.
func TestStatusListSignedOnce(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		n := d.listOf(d.child().birth.Credentials[0].ID)
		d.pass(time.Hour)
		var wg sync.WaitGroup
		out := make([]*byte, 16)
		for x := range out {
			wg.Go(func() {
				p, err := d.StatusList(context.Background(), "revocation", n)
				if err != nil {
					t.Error(err)
					return
				}
				out[x] = &p.Body[0]
			})
		}
		wg.Wait()
		for _, p := range out {
			if p != out[0] {
				t.Fatal("the list was signed more than once")
			}
		}
	})
}

func TestRefreshSignsAhead(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		ctx := context.Background()
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		n := d.listOf(d.child().birth.Credentials[0].ID)
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		first := d.Issuer.shelf.lists[n].signed["revocation"]
		d.pass(2 * time.Minute)
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if got := d.Issuer.shelf.lists[n].signed["revocation"]; !bytes.Equal(got.body, first.body) {
			t.Error("signed again before half of the time")
		}
		d.pass(31 * time.Second)
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		next := d.Issuer.shelf.lists[n].signed["revocation"]
		if !next.at.After(first.at) {
			t.Error("not signed ahead")
		}
		// A request finds the fresh one.
		if p, err := d.StatusList(ctx, "revocation", n); err != nil || !bytes.Equal(p.Body, next.body) {
			t.Error("a request signed once more")
		}
		// A list whose quarter is over leaves the index and the memory.
		d.pass(2*365*24*time.Hour + 180*24*time.Hour)
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		index, err := d.StatusIndex(ctx)
		if err != nil || string(index.Body) != `{"lists":[]}` || len(d.Issuer.shelf.lists) != 0 {
			t.Errorf("after the quarter: %s, %d lists kept, %v", index.Body, len(d.Issuer.shelf.lists), err)
		}
		if _, err := d.StatusList(ctx, "revocation", n); !errors.Is(err, ErrListEnded) {
			t.Errorf("a list that ended: %v", err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	d := newBooth(t, db, newRing(t, keys.EdDSA))
	n := d.listOf(d.child().birth.Credentials[0].ID)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	for range 500 {
		d.Issuer.shelf.mu.Lock()
		l := d.Issuer.shelf.lists[n]
		d.Issuer.shelf.mu.Unlock()
		if l != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("still running")
	}
	if d.Issuer.shelf.lists[n] == nil {
		t.Error("no list was signed")
	}
}

// When the database is gone the last list is given while it is valid, never
// longer, and never an empty one.
func TestStatusListWithoutDatabase(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	d := newBooth(t, db, newRing(t, keys.EdDSA))
	c := d.child()
	n := d.listOf(c.birth.Credentials[0].ID)
	first, err := d.StatusList(context.Background(), "revocation", n)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	d.pass(7*24*time.Hour - time.Second)
	if p, err := d.StatusList(context.Background(), "revocation", n); err != nil || !bytes.Equal(p.Body, first.Body) {
		t.Errorf("the last list is not given: %v", err)
	}
	d.pass(time.Second)
	if p, err := d.StatusList(context.Background(), "revocation", n); err == nil || p.Body != nil {
		t.Error("a list that is over was given")
	}
	if p, err := d.StatusList(context.Background(), "suspension", n); err == nil || p.Body != nil {
		t.Error("a list that was never read was given")
	}
}

func TestPublishedKeys(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	ring := ringOf(t)
	day := 24 * time.Hour
	for name, period := range map[string][2]time.Duration{
		"gone":   {-800 * day, -365 * day},
		"ended":  {-400 * day, -364 * day},
		"future": {30 * day, 400 * day},
	} {
		k, err := keys.New(name, keys.UseCredentials, keys.ES256, deskTime.Add(period[0]), deskTime.Add(period[1]))
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	anchor, _ := keys.New("anchor", keys.UseAnchor, keys.EdDSA, deskTime, time.Time{})
	if err := ring.Add(anchor); err != nil {
		t.Fatal(err)
	}
	d := newBooth(t, db, ring)
	p, err := d.DIDDocument(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := did.ParseDocument(p.Body, "did:web:registry.example")
	if err != nil {
		t.Fatal(err)
	}
	set, err := d.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	if p.Type != "application/did+json" || set.Type != "application/jwk-set+json" {
		t.Errorf("media types %s, %s", p.Type, set.Type)
	}
	parsed, err := jwk.Parse(set.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"gone": false, "ended": true, "key-1": true, "future": true, "anchor": false} {
		id := "did:web:registry.example#" + name
		m := doc.Method(id)
		k, has := parsed.LookupKeyID(id)
		if (m != nil) != want || has != want {
			t.Errorf("%s: in the document %v, in the key set %v", name, m != nil, has)
			continue
		}
		if !want {
			continue
		}
		if m.Type != "JsonWebKey" {
			t.Errorf("%s: type %s", name, m.Type)
		}
		pub, err := vc.ParseJWK(m.PublicKeyJwk)
		if err != nil {
			t.Fatal(err)
		}
		other, err := jwk.Import(pub)
		if err != nil || !jwk.Equal(other, k) && !samePublic(t, other, k) {
			t.Errorf("%s: another key in the key set", name)
		}
	}
	for _, b := range [][]byte{p.Body, set.Body} {
		if bytes.Contains(b, []byte(`"d"`)) {
			t.Error("a private key is published")
		}
	}
	if m := doc.Method("did:web:registry.example#ended"); m == nil || m.Expires != deskTime.Add(day).Format(time.RFC3339) {
		t.Error("the method does not expire with the last credential it can have signed")
	}
	if m := doc.Method("did:web:registry.example#key-1"); m == nil || m.Expires != "" {
		t.Error("a key without an end has one")
	}
	if len(doc.VerificationMethod) != 4 || parsed.Len() != 4 {
		t.Errorf("%d methods, %d keys", len(doc.VerificationMethod), parsed.Len())
	}
}

func samePublic(t *testing.T, a, b jwk.Key) bool {
	t.Helper()
	ta, err1 := a.Thumbprint(5) // crypto.SHA256
	tb, err2 := b.Thumbprint(5)
	return err1 == nil && err2 == nil && bytes.Equal(ta, tb)
}

// The list is signed by the key of the day, and the key that ended still
// verifies what it signed.
func TestKeyRotation(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	ring := newRing(t, keys.EdDSA)
	next, err := keys.New("key-2", keys.UseCredentials, keys.ES256, deskTime.Add(time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(next); err != nil {
		t.Fatal(err)
	}
	d := newBooth(t, db, ring)
	n := d.listOf(d.child().birth.Credentials[0].ID)
	for _, want := range []string{"key-1", "key-2"} {
		p, err := d.StatusList(context.Background(), "revocation", n)
		if err != nil {
			t.Fatal(err)
		}
		v, err := vc.SplitJWS(string(p.Body))
		if err != nil || v.Header.Kid != "did:web:registry.example#"+want || v.Header.Typ != "vc+jwt" || v.Header.Cty != "vc" {
			t.Errorf("header %+v, %v", v.Header, err)
		}
		d.stranger("revocation", n)
		d.pass(time.Hour)
	}
}

func TestTrustListAndFixedFiles(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	d := newBooth(t, db, newRing(t, keys.EdDSA))
	if _, err := d.TrustList(); !errors.Is(err, ErrNoTrustList) {
		t.Errorf("no trust list: %v", err)
	}
	var list []byte
	var fail error
	d.cfg.TrustList = func() ([]byte, error) { return list, fail }
	if _, err := d.TrustList(); !errors.Is(err, ErrNoTrustList) {
		t.Errorf("an empty trust list: %v", err)
	}
	list = []byte("a.b.c")
	if p, err := d.TrustList(); err != nil || string(p.Body) != "a.b.c" || p.Type != "application/jwt" {
		t.Errorf("%+v, %v", p, err)
	}
	fail = io.ErrUnexpectedEOF
	if p, err := d.TrustList(); err == nil || p.Body != nil {
		t.Error("an unreadable trust list was published")
	}

	files := vc.SchemaFiles()
	if len(files) < 6 {
		t.Fatalf("%d schemas", len(files))
	}
	for path, want := range files {
		p, err := d.Schema(path)
		if err != nil || !bytes.Equal(p.Body, want) || p.Type != "application/schema+json" {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"", "/", "credential/birth/2.json", "../schemas/credential/birth/1.json", "credential/birth/1.json/", "credential"} {
		if p, err := d.Schema(path); !errors.Is(err, ErrNoSuchSchema) || p.Body != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	if p, err := d.Context(); err != nil || !json.Valid(p.Body) || p.Type != "application/ld+json" {
		t.Errorf("context: %v", err)
	}
}

// Without a key that may sign, the list as last signed is given while nothing
// changed; a change is never hidden behind it.
func TestStatusListWithoutKey(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	ring := newRing(t, keys.EdDSA)
	d := newBooth(t, db, ring)
	c := d.child()
	n := d.listOf(c.birth.Credentials[0].ID)
	first, err := d.StatusList(context.Background(), "suspension", n)
	if err != nil {
		t.Fatal(err)
	}
	ring.Keys[0].NotAfter = deskTime.Add(time.Minute)
	d.pass(time.Hour)
	if p, err := d.StatusList(context.Background(), "suspension", n); err != nil || !bytes.Equal(p.Body, first.Body) {
		t.Errorf("the last list is not given: %v", err)
	}
	if p, err := d.StatusList(context.Background(), "revocation", n); !errors.Is(err, keys.ErrNoKey) || p.Body != nil {
		t.Errorf("a list that was never signed: %v", err)
	}
	if _, err := d.Suspend(context.Background(), rita, c.birth.Credentials[0].ID, "safety", ""); err != nil {
		t.Fatal(err)
	}
	if p, err := d.StatusList(context.Background(), "suspension", n); !errors.Is(err, keys.ErrNoKey) || p.Body != nil {
		t.Errorf("the list from before the change was given: %v", err)
	}
}
