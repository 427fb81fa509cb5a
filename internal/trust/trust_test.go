package trust

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func key(t testing.TB, alg string) *keys.Key {
	t.Helper()
	k, err := keys.New("k", keys.UseCredentials, alg, now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// document writes a DID document with these keys, allowed for assertions.
func document(t testing.TB, id string, named map[string]*keys.Key) *did.Document {
	t.Helper()
	d := &did.Document{ID: id}
	for name, k := range named {
		jwk, err := vc.PublicJWK(k.Public(), name, k.Alg)
		if err != nil {
			t.Fatal(err)
		}
		d.VerificationMethod = append(d.VerificationMethod, did.VerificationMethod{ID: id + "#" + name, Type: "JsonWebKey", Controller: id, PublicKeyJwk: jwk})
		d.AssertionMethod = append(d.AssertionMethod, id+"#"+name)
	}
	return d
}

const registry = "did:web:registry.example"

func entry(t testing.TB, id string, named map[string]*keys.Key) Entry {
	return Entry{Document: document(t, id, named), Name: "Civil Registry", Country: "UTO", Shelf: "https://registry.example",
		Role: vc.RoleRegistrar, Types: []string{vc.TypeBirth, vc.TypeStatusList}, From: now}
}

// sample is a list with one issuer of one key and one hub.
func sample(t testing.TB) (*vc.TrustList, *keys.Key) {
	t.Helper()
	anchor := key(t, keys.EdDSA)
	l, err := New(anchor.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := AddIssuer(l, entry(t, registry, map[string]*keys.Key{"k1": key(t, keys.EdDSA)})); err != nil {
		t.Fatal(err)
	}
	if _, err := AddHub(l, key(t, keys.ES256).Public(), now, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return l, anchor
}

func asJSON(t testing.TB, l *vc.TrustList) string {
	t.Helper()
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSignedListOpensWithItsAnchorOnly(t *testing.T) {
	l, anchor := sample(t)
	signed, err := Sign(l, anchor.Signer("anchor"), now, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := vc.OpenTrustList(signed, vc.OneOf(anchor.Public()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Sequence != 1 || !got.IssuedAt.Equal(now) || !got.Next.Equal(now.Add(24*time.Hour)) || len(got.Issuers) != 1 || len(got.Hubs) != 1 {
		t.Fatalf("read back %+v", got)
	}
	if asJSON(t, got) != asJSON(t, l) {
		t.Fatal("the list in hand is not the list that was signed")
	}
	if err := Validate(got); err != nil {
		t.Fatal(err)
	}
	if _, err := vc.OpenTrustList(signed, vc.OneOf(key(t, keys.EdDSA).Public())); !errors.Is(err, vc.ErrAnchor) {
		t.Fatalf("another anchor: %v", err)
	}
	again, err := Sign(l, anchor.Signer("anchor"), now.Add(time.Minute), time.Hour)
	if err != nil || l.Sequence != 2 {
		t.Fatalf("second signature: %v, sequence %d", err, l.Sequence)
	}
	next, err := vc.OpenTrustList(again, vc.OneOf(anchor.Public()))
	if err != nil {
		t.Fatal(err)
	}
	if err := Follows(got, next); err != nil {
		t.Fatalf("the next list does not follow: %v", err)
	}
	if err := Follows(next, got); !errors.Is(err, ErrBackwards) {
		t.Fatalf("an older list follows: %v", err)
	}
	if err := Follows(got, got); !errors.Is(err, ErrBackwards) {
		t.Fatalf("a list follows itself: %v", err)
	}
}

func TestSignRefusesAClockThatWentBack(t *testing.T) {
	l, anchor := sample(t)
	if _, err := Sign(l, anchor.Signer("anchor"), now, time.Hour); err != nil {
		t.Fatal(err)
	}
	before := asJSON(t, l)
	for name, f := range map[string]func() error{
		"earlier":   func() error { _, err := Sign(l, anchor.Signer("a"), now.Add(-time.Second), time.Hour); return err },
		"no period": func() error { _, err := Sign(l, anchor.Signer("a"), now, 0); return err },
		"algorithm": func() error {
			s := anchor.Signer("a")
			s.Alg = "none"
			_, err := Sign(l, s, now, time.Hour)
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: signed", name)
		}
		if asJSON(t, l) != before {
			t.Errorf("%s: a refused signature changed the list", name)
		}
	}
}

func TestKeysOfADocumentAreCopiedWithTheirTerms(t *testing.T) {
	anchor, k1, k2 := key(t, keys.EdDSA), key(t, keys.EdDSA), key(t, keys.ES256)
	l, _ := New(anchor.Public())
	e := entry(t, registry, map[string]*keys.Key{"k1": k1})
	e.Until = now.AddDate(1, 0, 0)
	if err := AddIssuer(l, e); err != nil {
		t.Fatal(err)
	}
	k := l.Issuers[0].Keys[0]
	if k.ID != registry+"#k1" || k.Role != vc.RoleRegistrar || !k.May(vc.TypeBirth) || k.May(vc.TypeGuardianship) || !k.NotAfter.Equal(e.Until) {
		t.Fatalf("copied as %+v", k)
	}
	// A rotation: the document gains a key; what is on the list keeps its terms.
	e = entry(t, registry, map[string]*keys.Key{"k1": k1, "k2": k2})
	e.From, e.Types = now.AddDate(0, 6, 0), []string{vc.TypeGuardianship}
	if err := AddIssuer(l, e); err != nil {
		t.Fatal(err)
	}
	is := l.Issuers[0]
	if len(l.Issuers) != 1 || len(is.Keys) != 2 {
		t.Fatalf("%d issuers, %d keys", len(l.Issuers), len(is.Keys))
	}
	if !is.Keys[0].May(vc.TypeBirth) || !is.Keys[1].May(vc.TypeGuardianship) || !is.Keys[1].NotBefore.Equal(e.From) {
		t.Fatal("terms were mixed up")
	}
	// The caller's document and terms stay its own.
	e.Types[0] = "changed"
	if l.Issuers[0].Keys[1].Types[0] != vc.TypeGuardianship {
		t.Fatal("the list shares memory with its caller")
	}
}

// TestAddIssuerMultikey: a key that a document publishes as a Multikey comes
// onto the list as the JWK that verifiers read.
func TestAddIssuerMultikey(t *testing.T) {
	k1, k2 := key(t, keys.EdDSA), key(t, keys.ES256)
	multikey := func(k *keys.Key) did.VerificationMethod {
		mb, err := did.EncodeMultikey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		return did.VerificationMethod{ID: registry + "#selective-1", Type: "Multikey", Controller: registry, PublicKeyMultibase: mb}
	}
	e := entry(t, registry, map[string]*keys.Key{"k1": k1})
	e.Document.VerificationMethod = append(e.Document.VerificationMethod, multikey(k2))
	e.Document.AssertionMethod = append(e.Document.AssertionMethod, registry+"#selective-1")
	l, err := New(key(t, keys.EdDSA).Public())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing changes
		if err := AddIssuer(l, e); err != nil {
			t.Fatal(err)
		}
		if n := len(l.Issuers[0].Keys); n != 2 {
			t.Fatalf("%d keys", n)
		}
	}
	listed := l.Issuers[0].Keys[1]
	pub, err := vc.ParseJWK(listed.JWK)
	if err != nil || listed.ID != registry+"#selective-1" || !k2.Public().(*ecdsa.PublicKey).Equal(pub) {
		t.Errorf("%s: %v", listed.ID, err)
	}
	m, other := multikey(k2), multikey(key(t, keys.ES256))
	if !Publishes(&m, listed.JWK) || Publishes(&other, listed.JWK) || Publishes(&did.VerificationMethod{}, listed.JWK) {
		t.Error("Publishes tells keys wrongly apart")
	}
	e.Document.VerificationMethod[1] = other
	if err := AddIssuer(l, e); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another key under that name: %v", err)
	}
	for _, bad := range []string{"", "z", "zDna", "uAAAA", m.PublicKeyMultibase + "1", "z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc"} {
		e := entry(t, "did:web:court.example", map[string]*keys.Key{"k1": k1})
		e.Document.VerificationMethod = []did.VerificationMethod{{ID: "did:web:court.example#x", Type: "Multikey", Controller: "did:web:court.example", PublicKeyMultibase: bad}}
		e.Document.AssertionMethod = []string{"did:web:court.example#x"}
		if err := AddIssuer(l, e); !errors.Is(err, ErrDocument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Who brings an issuer's new key need not say again who the issuer is.
func TestAddIssuerKeepsItsName(t *testing.T) {
	l, _ := sample(t)
	before := l.Issuers[0]
	e := entry(t, registry, map[string]*keys.Key{"k2": key(t, keys.EdDSA)})
	e.Name, e.Country = "", ""
	if err := AddIssuer(l, e); err != nil {
		t.Fatal(err)
	}
	if now := l.Issuers[0]; before.Name == "" || now.Name != before.Name || now.Country != before.Country || len(now.Keys) != len(before.Keys)+1 {
		t.Errorf("%q of %q with %d keys", now.Name, now.Country, len(now.Keys))
	}
}

func TestAddIssuerRefuses(t *testing.T) {
	k1, k2 := key(t, keys.EdDSA), key(t, keys.ES256)
	for name, change := range map[string]func(*Entry){
		"no document": func(e *Entry) { e.Document = nil },
		"no key":      func(e *Entry) { e.Document = document(t, "did:web:court.example", nil) },
		"not for assertions": func(e *Entry) {
			e.Document = document(t, "did:web:court.example", map[string]*keys.Key{"k1": k2})
			e.Document.AssertionMethod = nil
		},
		"another key for a listed identifier": func(e *Entry) {
			e.Document = document(t, registry, map[string]*keys.Key{"k1": k2})
		},
		"a listed key for another issuer": func(e *Entry) {
			e.Document = document(t, "did:web:court.example", map[string]*keys.Key{"k1": k1})
		},
		"unknown role":     func(e *Entry) { e.Role = "king" },
		"hub role":         func(e *Entry) { e.Role = vc.RoleHub },
		"no role":          func(e *Entry) { e.Role = "" },
		"unknown type":     func(e *Entry) { e.Types = []string{"DiplomaCredential"} },
		"type twice":       func(e *Entry) { e.Types = []string{vc.TypeBirth, vc.TypeBirth} },
		"no type":          func(e *Entry) { e.Types = nil },
		"no start":         func(e *Entry) { e.From = time.Time{} },
		"end before start": func(e *Entry) { e.Until = now.Add(-time.Hour) },
		"no name": func(e *Entry) {
			*e = entry(t, "did:web:court.example", map[string]*keys.Key{"k1": k2})
			e.Name = ""
		},
		"long name":         func(e *Entry) { e.Name = strings.Repeat("n", 300) },
		"country":           func(e *Entry) { e.Country = "Utopia" },
		"plain http":        func(e *Entry) { e.Shelf = "http://registry.example" },
		"no shelf":          func(e *Entry) { e.Shelf = "" },
		"final slash":       func(e *Entry) { e.Shelf = "https://registry.example/" },
		"query":             func(e *Entry) { e.Shelf = "https://registry.example?x=1" },
		"user information":  func(e *Entry) { e.Shelf = "https://u:p@registry.example" },
		"file":              func(e *Entry) { e.Shelf = "file:///etc/passwd" },
		"not a DID we read": func(e *Entry) { e.Document.ID = "did:example:1" },
		"private key": func(e *Entry) {
			e.Document = document(t, "did:web:court.example", map[string]*keys.Key{"x": key(t, keys.EdDSA)})
			e.Document.VerificationMethod[0].PublicKeyJwk = json.RawMessage(`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := New(key(t, keys.EdDSA).Public())
			if err != nil {
				t.Fatal(err)
			}
			if err := AddIssuer(l, entry(t, registry, map[string]*keys.Key{"k1": k1})); err != nil {
				t.Fatal(err)
			}
			before := asJSON(t, l)
			e := entry(t, registry, map[string]*keys.Key{"k1": k1, "k2": k2})
			change(&e)
			if err := AddIssuer(l, e); err == nil {
				t.Error("accepted")
			}
			if asJSON(t, l) != before {
				t.Error("a refused edit changed the list")
			}
		})
	}
}

func TestLoopbackShelfMayUseHTTP(t *testing.T) {
	for shelf, want := range map[string]bool{
		"http://localhost:8080": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true, "https://a.example/shelf": true,
		"http://localhost.example": false, "http://10.0.0.1": false, "//registry.example": false, "https://": false, "ftp://localhost": false, "https://a.example#": false,
	} {
		if got := shelfAddress(shelf); got != want {
			t.Errorf("%s: %v", shelf, got)
		}
	}
}

func TestCutOffAndEndOnlyMoveEarlier(t *testing.T) {
	l, _ := sample(t)
	id := registry + "#k1"
	steps := []struct {
		name string
		do   func() error
		want error
	}{
		{"end", func() error { return End(l, id, now.AddDate(1, 0, 0)) }, nil},
		{"end earlier", func() error { return End(l, id, now.AddDate(0, 6, 0)) }, nil},
		{"end put off", func() error { return End(l, id, now.AddDate(2, 0, 0)) }, ErrBackwards},
		{"end taken away", func() error { return End(l, id, time.Time{}) }, ErrBackwards},
		{"end before start", func() error { return End(l, id, now.Add(-time.Hour)) }, ErrInvalid},
		{"cut off", func() error { return CutOff(l, id, now.AddDate(0, 1, 0), 0) }, nil},
		{"cut off earlier, even before its start", func() error { return CutOff(l, id, now.AddDate(-1, 0, 0), 0) }, nil},
		{"cut off put off", func() error { return CutOff(l, id, now, 0) }, ErrBackwards},
		{"cut off lifted", func() error { return CutOff(l, id, time.Time{}, 0) }, ErrBackwards},
		{"hub", func() error { return CutOff(l, l.Hubs[0].ID, now, 0) }, nil},
		{"unknown key", func() error { return CutOff(l, registry+"#k9", now, 0) }, ErrNoSuchKey},
		{"issuer instead of key", func() error { return End(l, registry, now.AddDate(1, 0, 0)) }, ErrNoSuchKey},
	}
	for _, s := range steps {
		before := asJSON(t, l)
		err := s.do()
		if !errors.Is(err, s.want) {
			t.Fatalf("%s: %v, want %v", s.name, err, s.want)
		}
		if s.want != nil && asJSON(t, l) != before {
			t.Fatalf("%s: a refused edit changed the list", s.name)
		}
	}
	k := l.Issuers[0].Keys[0]
	if !k.CutOff.Equal(now.AddDate(-1, 0, 0)) || !k.NotAfter.Equal(now.AddDate(0, 6, 0)) {
		t.Fatalf("ended as %v, cut off %v", k.NotAfter, k.CutOff)
	}
}

func TestRemove(t *testing.T) {
	l, _ := sample(t)
	hub := l.Hubs[0].ID
	if err := Remove(l, registry+"#k1"); !errors.Is(err, ErrInvalid) {
		t.Fatalf("the last key of an issuer was removed: %v", err)
	}
	if err := Remove(l, "did:web:nobody.example"); !errors.Is(err, ErrNoSuchKey) {
		t.Fatalf("unknown issuer: %v", err)
	}
	// What was cut off stays, and its issuer with it.
	cut := clone(l)
	for _, id := range []string{hub, registry + "#k1"} {
		if err := CutOff(cut, id, now, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{hub, registry + "#k1", registry} {
		if err := Remove(cut, id); !errors.Is(err, ErrCutOffStays) {
			t.Errorf("%s: %v", id, err)
		}
	}
	// So does whatever has a past that would be forgotten.
	for name, past := range map[string]func(*vc.TrustList) error{
		"an end": func(l *vc.TrustList) error { return End(l, registry+"#k1", now.Add(time.Hour)) },
		"a suspension": func(l *vc.TrustList) error {
			if err := Accredit(l, registry, accredited(now, until(1), vc.TypeBirth)); err != nil {
				return err
			}
			return Suspend(l, registry, now)
		},
		"a ledger": func(l *vc.TrustList) error {
			return SetLedger(l, registry, "registry.example/ledger", key(t, keys.EdDSA).Public())
		},
	} {
		x := clone(l)
		if err := past(x); err != nil {
			t.Fatal(err)
		}
		if err := Remove(x, registry); !errors.Is(err, ErrPastStays) || len(x.Issuers) != 1 {
			t.Errorf("an issuer with %s: %v", name, err)
		}
	}
	ended := clone(l)
	if err := AddIssuer(ended, entry(t, registry, map[string]*keys.Key{"k2": key(t, keys.EdDSA)})); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{hub, registry + "#k2"} {
		if err := End(ended, id, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := Remove(ended, id); !errors.Is(err, ErrPastStays) {
			t.Errorf("%s, which has an end: %v", id, err)
		}
	}
	if err := Remove(ended, registry+"#k1"); err != nil {
		t.Errorf("a key without an end: %v", err)
	}
	if err := Remove(l, hub); err != nil || len(l.Hubs) != 0 {
		t.Fatalf("hub: %v", err)
	}
	if err := Remove(l, registry); err != nil || len(l.Issuers) != 0 {
		t.Fatalf("issuer: %v", err)
	}
}

func TestFollowsRefusesALiftedCutOffAndAChangedKey(t *testing.T) {
	old, _ := sample(t)
	old.Sequence = 1
	if err := CutOff(old, registry+"#k1", now, 0); err != nil {
		t.Fatal(err)
	}
	if err := End(old, old.Hubs[0].ID, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*vc.TrustList)
		want   error
	}{
		"same":                {func(*vc.TrustList) {}, nil},
		"cut-off earlier":     {func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOff = now.Add(-time.Hour) }, nil},
		"issuer gone":         {func(l *vc.TrustList) { l.Issuers = nil }, nil},
		"cut-off lifted":      {func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOff = time.Time{} }, ErrBackwards},
		"cut-off put off":     {func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOff = now.Add(time.Hour) }, ErrBackwards},
		"issued earlier":      {func(l *vc.TrustList) { l.IssuedAt = old.IssuedAt.Add(-time.Second) }, ErrBackwards},
		"identifier reused":   {func(l *vc.TrustList) { l.Issuers[0].Keys[0].JWK = l.Hubs[0].JWK }, ErrKeyReused},
		"unreadable key":      {func(l *vc.TrustList) { l.Issuers[0].Keys[0].JWK = json.RawMessage(`{}`) }, ErrKeyReused},
		"sequence not higher": {func(l *vc.TrustList) { l.Sequence = 1 }, ErrBackwards},
		"end earlier":         {func(l *vc.TrustList) { l.Hubs[0].NotAfter = now.Add(time.Minute) }, nil},
		"end put off":         {func(l *vc.TrustList) { l.Hubs[0].NotAfter = now.Add(2 * time.Hour) }, ErrBackwards},
		"end gone":            {func(l *vc.TrustList) { l.Hubs[0].NotAfter = time.Time{} }, ErrBackwards},
		"a first end":         {func(l *vc.TrustList) { l.Issuers[0].Keys[0].NotAfter = now.Add(time.Hour) }, nil},
	} {
		next := clone(old)
		next.Sequence = 2
		c.change(next)
		if err := Follows(old, next); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestDidKeyIssuerMustCarryItsOwnKey(t *testing.T) {
	k := key(t, keys.EdDSA)
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	frag := strings.TrimPrefix(id, "did:key:")
	l, _ := New(key(t, keys.EdDSA).Public())
	if err := AddIssuer(l, entry(t, id, map[string]*keys.Key{frag: key(t, keys.EdDSA)})); !errors.Is(err, ErrInvalid) {
		t.Fatalf("another key under a did:key: %v", err)
	}
	if err := AddIssuer(l, entry(t, id, map[string]*keys.Key{frag: k})); err != nil {
		t.Fatal(err)
	}
}

func TestHubIsListedOnce(t *testing.T) {
	l, _ := New(key(t, keys.EdDSA).Public())
	h := key(t, keys.EdDSA)
	id, err := AddHub(l, h.Public(), now, now.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if pub, err := did.ParseKey(id); err != nil || !h.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(pub) {
		t.Fatalf("identifier does not name the key: %v", err)
	}
	if _, err := AddHub(l, h.Public(), now, time.Time{}); !errors.Is(err, ErrExists) {
		t.Fatalf("listed again: %v", err)
	}
	if _, err := AddHub(l, key(t, keys.EdDSA).Public(), time.Time{}, time.Time{}); !errors.Is(err, ErrInvalid) {
		t.Fatalf("without a start: %v", err)
	}
	if len(l.Hubs) != 1 {
		t.Fatalf("%d hubs", len(l.Hubs))
	}
}

// Validate meets lists that an anchor signed and something else wrote.
func FuzzValidate(f *testing.F) {
	l, _ := sample(f)
	b, err := json.Marshal(l)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"id":"x","sequence":-1,"issuers":[{"did":"did:web:a","keys":[{"publicKeyJwk":null}]}],"hubs":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l vc.TrustList
		if vc.StrictJSON(data, &l, vc.MaxDepth) != nil || Validate(&l) != nil {
			return
		}
		// What is valid survives being written and read.
		b, err := json.Marshal(&l)
		if err != nil {
			t.Skip() // years that RFC 3339 cannot write
		}
		var again vc.TrustList
		if err := vc.StrictJSON(b, &again, vc.MaxDepth); err != nil {
			t.Fatal(err)
		}
		if err := Validate(&again); err != nil {
			t.Fatal(err)
		}
	})
}

// A key takes the place of another in its role, once, and no key takes the name of
// one that is there.
func TestSucceed(t *testing.T) {
	jwk := func(id string) []byte {
		k, err := keys.New("k", keys.UseCredentials, keys.EdDSA, time.Now(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := vc.PublicJWK(k.Public(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const old, next = "did:web:court.example#key-1", "did:web:court.example#key-2"
	l := &vc.TrustList{ID: "did:key:z6Mk", Issuers: []vc.TrustIssuer{{DID: "did:web:court.example", Name: "Court", Shelf: "https://court.example",
		Keys: []vc.TrustKey{{ID: old, JWK: jwk(old), Role: vc.RoleCourt, Types: []string{vc.TypeGuardianship}, Bases: []string{"courtOrder"}, NotBefore: time.Unix(1e9, 0).UTC()}}}}, Hubs: []vc.TrustKey{}}
	from := time.Unix(1.7e9, 5).UTC()
	k := vc.TrustKey{ID: next, JWK: jwk(next), Role: vc.RoleRegistrar, NotBefore: from}
	for range 2 {
		if err := Succeed(l, old, k); err != nil {
			t.Fatal(err)
		}
	}
	is := &l.Issuers[0]
	if len(is.Keys) != 2 || is.Keys[1].Role != vc.RoleCourt || !slices.Equal(is.Keys[1].Types, is.Keys[0].Types) || !slices.Equal(is.Keys[1].Bases, is.Keys[0].Bases) ||
		!is.Keys[1].NotBefore.Equal(from.Truncate(time.Second)) || !is.Keys[1].NotAfter.IsZero() {
		t.Errorf("%+v", is.Keys)
	}
	if err := Succeed(l, old, vc.TrustKey{ID: next, JWK: jwk(next), NotBefore: from}); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another key of that name: %v", err)
	}
	if err := Succeed(l, "did:web:court.example#key-9", k); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("in the place of none: %v", err)
	}
	if err := Succeed(l, old, vc.TrustKey{ID: "did:web:other.example#key-2", JWK: k.JWK, NotBefore: from}); err == nil {
		t.Error("a key of another issuer")
	}
	if len(is.Keys) != 2 {
		t.Errorf("a refusal changed the list: %+v", is.Keys)
	}
}

// TestKeysForManyYears: a key may follow another every few days for ten years, though
// none that has an end is ever taken off.
func TestKeysForManyYears(t *testing.T) {
	l, _ := sample(t)
	last, at := registry+"#k1", now
	for n := 2; n <= 100; n++ {
		id := fmt.Sprintf("%s#k%d", registry, n)
		at = at.AddDate(0, 0, 4)
		jwk, err := vc.PublicJWK(key(t, keys.EdDSA).Public(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := Succeed(l, last, vc.TrustKey{ID: id, JWK: jwk, NotBefore: at}); err != nil {
			t.Fatalf("key %d: %v", n, err)
		}
		if err := End(l, last, at.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		last = id
	}
	if years := maxKeys * 4 / 365; years < 10 {
		t.Errorf("there is room for %d years", years)
	}
}
