package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

func TestOpenGood(t *testing.T) {
	w := newWorld(t)
	p := w.payload()
	data, err := p.Sign(w.hub)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(data, w.anchors())
	if err != nil {
		t.Fatal(err)
	}
	if b.ID != p.ID || b.Sequence != p.Sequence || !b.CreatedAt.Equal(p.CreatedAt) || b.Trust.Sequence != 7 || b.RefusedLists != 0 || len(b.lists) != 10 || len(b.keys) != 7 {
		t.Errorf("%+v", b)
	}
	if b.Hub != w.hub.KID || b.SignedTrust != p.TrustList || b.Digest == [32]byte{} || b.Digest != b.File().Digest() || len(b.Lists()) != 10 {
		t.Errorf("%+v", b)
	}
	// A second anchor, as during a change of anchors.
	if _, err := Open(data, vc.OneOf(newWorld(t).anchor.Public(), w.anchor.Public())); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, make := range map[string]func(w *world) []byte{
		"nothing":       func(*world) []byte { return nil },
		"no bundle":     func(*world) []byte { return []byte("a.b.c") },
		"too long":      func(w *world) []byte { return append(mustSign(w, w.hub), make([]byte, bundle.MaxSize)...) },
		"a line more":   func(w *world) []byte { return append(mustSign(w, w.hub), '\n') },
		"no trust list": func(w *world) []byte { return w.repack(w.hub, without(partTrust)) },
		"trust list of another anchor": func(w *world) []byte {
			return w.repack(w.hub, part(partTrust, w.sign(newWorld(t).anchor.Signer("anchor"), vc.TypTrustList, w.trust)))
		},
		"trust list changed": func(w *world) []byte {
			return w.repack(w.hub, part(partTrust, corrupt(w.payload().TrustList, 1)))
		},
		"a credential for a trust list": func(w *world) []byte {
			return w.repack(w.hub, part(partTrust, w.sign(w.anchor.Signer("anchor"), vc.TypCredential, w.trust)))
		},
		"another trust list's number": func(w *world) []byte {
			w.trust.Sequence++
			return w.repack(w.hub, part(partTrust, w.payload().TrustList), func(h *bundle.Header, _ []bundle.Part) []bundle.Part { h.TrustList--; return nil })
		},
		"signed by nobody known":   func(w *world) []byte { return mustSign(w, w.holder["thief"]) },
		"signed by a registrar":    func(w *world) []byte { return mustSign(w, w.office[vc.RoleRegistrar]) },
		"signed in the hub's name": func(w *world) []byte { s := w.holder["thief"]; s.KID = w.hub.KID; return mustSign(w, s) },
		"no key named":             func(w *world) []byte { s := w.hub; s.KID = ""; return mustSign(w, s) },
		"hub without the role":     func(w *world) []byte { w.trust.Hubs[0].Role = vc.RoleRegistrar; return mustSign(w, w.hub) },
		"hub not yet valid":        func(w *world) []byte { w.trust.Hubs[0].NotBefore = now; return mustSign(w, w.hub) },
		"hub no longer valid":      func(w *world) []byte { w.trust.Hubs[0].NotAfter = w.built; return mustSign(w, w.hub) },
		"hub cut off":              func(w *world) []byte { w.trust.Hubs[0].CutOff = now.Add(time.Hour); return mustSign(w, w.hub) },
		"hub named twice":          func(w *world) []byte { w.trust.Hubs = append(w.trust.Hubs, w.trust.Hubs[0]); return mustSign(w, w.hub) },
		"hub key unreadable":       func(w *world) []byte { w.trust.Hubs[0].JWK = []byte(`{"kty":"oct"}`); return mustSign(w, w.hub) },
		"one key id for two keys": func(w *world) []byte {
			k := w.trustKey(w.office[vc.RoleCourt], vc.RoleRegistrar)
			k.ID = w.office[vc.RoleRegistrar].KID
			w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, k)
			return mustSign(w, w.hub)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b, err := Open(make(w), w.anchors())
			if !errors.Is(err, ErrBundle) || b != nil {
				t.Errorf("%v %v", b, err)
			}
		})
	}
	w := newWorld(t)
	if _, err := Open(mustSign(w, w.hub), vc.Anchors{}); !errors.Is(err, ErrBundle) {
		t.Errorf("without anchors: %v", err)
	}
}

// repack makes a bundle as Sign does, after changes to its parts; one that gives
// nil leaves them as they were.
func (w *world) repack(hub keys.Signer, changes ...func(*bundle.Header, []bundle.Part) []bundle.Part) []byte {
	w.t.Helper()
	p := w.payload()
	h := bundle.Header{ID: p.ID, Sequence: p.Sequence, CreatedAt: p.CreatedAt, TrustList: w.trust.Sequence}
	parts, err := p.parts(&w.trust)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, change := range changes {
		if made := change(&h, parts); made != nil {
			parts = made
		}
	}
	data, err := bundle.Pack(h, parts, hub)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// part puts other bytes into a part, or adds one.
func part(name, text string) func(*bundle.Header, []bundle.Part) []bundle.Part {
	return func(_ *bundle.Header, parts []bundle.Part) []bundle.Part {
		for i := range parts {
			if parts[i].Name == name {
				parts[i].Bytes = []byte(text)
				return parts
			}
		}
		return append(parts, bundle.Part{Name: name, Bytes: []byte(text)})
	}
}

func without(name string) func(*bundle.Header, []bundle.Part) []bundle.Part {
	return func(_ *bundle.Header, parts []bundle.Part) []bundle.Part {
		return slices.DeleteFunc(parts, func(p bundle.Part) bool { return p.Name == name })
	}
}

// listed changes the directory.
func listed(t testing.TB, change func(*directory)) func(*bundle.Header, []bundle.Part) []bundle.Part {
	return func(h *bundle.Header, parts []bundle.Part) []bundle.Part {
		for i := range parts {
			if parts[i].Name != partLists {
				continue
			}
			var d directory
			if err := json.Unmarshal(parts[i].Bytes, &d); err != nil {
				t.Fatal(err)
			}
			change(&d)
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			return part(partLists, string(text))(h, parts)
		}
		t.Fatal("no directory")
		return nil
	}
}

func mustSign(w *world, s keys.Signer) []byte {
	b, err := w.payload().Sign(s)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// TestLists: a status list that is not its issuer's, or not readable, answers
// nothing, and the rest of the bundle is as good as before.
func TestLists(t *testing.T) {
	address := shelf(vc.RoleRegistrar) + "/status/revocation/1"
	parsed := func(w *world) (*vc.Credential, map[string]any) {
		v, err := vc.SplitLargeJWS(w.list(address, w.lists[address], w.built), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		c, err := vc.ParseCredential(v.PayloadUnverified())
		if err != nil {
			t.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(c.Subject, &s); err != nil {
			t.Fatal(err)
		}
		return c, s
	}
	resign := func(w *world, role string, c *vc.Credential, s map[string]any) string {
		var err error
		if c.Subject, err = json.Marshal(s); err != nil {
			t.Fatal(err)
		}
		return w.sign(w.office[role], vc.TypCredential, c)
	}
	for name, make := range map[string]func(w *world) string{
		"no JWS":                   func(*world) string { return "x" },
		"changed":                  func(w *world) string { return corrupt(w.list(address, w.lists[address], w.built), 1) },
		"of a stranger":            func(w *world) string { c, s := parsed(w); return resign(w, "stranger", c, s) },
		"signed by another office": func(w *world) string { c, s := parsed(w); return resign(w, vc.RoleCourt, c, s) },
		"another office's, with the same address": func(w *world) string {
			c, s := parsed(w)
			c.Issuer = "did:web:court.example"
			return resign(w, vc.RoleCourt, c, s)
		},
		"of another media type": func(w *world) string {
			c, _ := parsed(w)
			return w.sign(w.office[vc.RoleRegistrar], "statuslist+jwt", c)
		},
		"of another type": func(w *world) string {
			c, s := parsed(w)
			c.Type[1] = vc.TypeBirth
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"of two types": func(w *world) string {
			c, s := parsed(w)
			c.Type = append(c.Type, "X")
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"subject of another type": func(w *world) string { c, s := parsed(w); s["type"] = "X"; return resign(w, vc.RoleRegistrar, c, s) },
		"unknown purpose": func(w *world) string {
			c, s := parsed(w)
			s["statusPurpose"] = "message"
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"other purpose": func(w *world) string {
			c, s := parsed(w)
			s["statusPurpose"] = "suspension"
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"two addresses": func(w *world) string {
			c, s := parsed(w)
			s["id"] = "https://x.example#list"
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"no address": func(w *world) string {
			c, s := parsed(w)
			c.ID = ""
			delete(s, "id")
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"another address": func(w *world) string {
			c, s := parsed(w)
			c.ID += "2"
			s["id"] = c.ID + "#list"
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"no list": func(w *world) string {
			c, s := parsed(w)
			s["encodedList"] = "u"
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"subject unreadable": func(w *world) string {
			c, s := parsed(w)
			s["encodedList"] = 7
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"before the key was valid": func(w *world) string {
			c, s := parsed(w)
			c.ValidFrom = now.AddDate(-2, 0, 0)
			return resign(w, vc.RoleRegistrar, c, s)
		},
		"run out": func(w *world) string { c, s := parsed(w); c.ValidTo = now; return resign(w, vc.RoleRegistrar, c, s) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			text := goodFamily(w)
			p := w.payload()
			p.StatusLists[0] = make(w)
			b := w.open(p)
			d, _, err := Check(text, b, Facts{}, History{}, now)
			if err != nil || !slices.Equal(d.Codes(), []string{CodeStatusUnknown}) {
				t.Errorf("%v %v", d.Codes(), err)
			}
		})
	}
	// Named by the subject alone, as other issuers do.
	w := newWorld(t)
	p := w.payload()
	c, s := parsed(w)
	c.ID = ""
	p.StatusLists[0] = resign(w, vc.RoleRegistrar, c, s)
	if d, _, err := Check(goodFamily(w), w.open(p), Facts{}, History{}, now); err != nil || d.Colour != Green {
		t.Errorf("%v %v", d.Codes(), err)
	}
}

// TestYoungestListCounts whatever its place in the bundle.
func TestYoungestListCounts(t *testing.T) {
	for _, swap := range []bool{false, true} {
		w := newWorld(t)
		text := goodFamily(w)
		address := shelf(vc.RoleRegistrar) + "/status/revocation/1"
		old, err := status.New(status.MinSize)
		if err != nil {
			t.Fatal(err)
		}
		p := w.payload()
		w.set(vc.PurposeRevocation, 2)
		young := w.list(address, w.lists[address], now.Add(-time.Minute))
		older := w.list(address, old, now.Add(-time.Hour))
		p.StatusLists = append(p.StatusLists[1:], older, young)
		if swap {
			p.StatusLists = append(p.StatusLists[:len(p.StatusLists)-2], young, older)
		}
		if d, _, err := Check(text, w.open(p), Facts{}, History{}, now); err != nil || !slices.Equal(d.Codes(), []string{CodeStatusRevoked}) {
			t.Errorf("%v %v", d.Codes(), err)
		}
	}
}

// TestKeysOfTheList: keys that cannot be used do not spoil the others, and sign
// for nobody.
func TestKeysOfTheList(t *testing.T) {
	w := newWorld(t)
	odd := w.trustKey(w.office["stranger"], vc.RoleRegistrar)
	odd.Types = []string{vc.TypeBirth, vc.TypeGuardianship}
	unreadable := odd
	unreadable.ID, unreadable.JWK = "did:web:registrar.example#key-9", json.RawMessage(`{"kty":"RSA"}`)
	bare := odd
	bare.ID = "did:web:registrar.example"
	// odd.ID is the stranger's own, listed under the registrar.
	w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, odd, unreadable, bare)
	b := w.bundle()
	if len(b.keys) != 7 {
		t.Errorf("%d keys", len(b.keys))
	}
	if d, _, err := Check(goodFamily(w), b, Facts{}, History{}, now); err != nil || d.Colour != Green {
		t.Errorf("%v %v", d.Codes(), err)
	}
	for _, issuer := range []string{"did:web:registrar.example", "did:web:stranger.example"} {
		text := w.present("mother", w.issue(w.birth()), w.issueBy("stranger", w.mandate("mother"), func(c *vc.Credential) { c.Issuer = issuer }))
		if d, _, err := Check(text, b, Facts{}, History{}, now); err != nil || !slices.Equal(d.Codes(), []string{CodeIssuerUntrusted}) {
			t.Errorf("%v %v", d.Codes(), err)
		}
	}
}

// TestES256 opens and checks with P-256 keys of anchor, hub and registrar.
func TestES256(t *testing.T) {
	w := newWorld(t)
	w.anchor = w.key(keys.ES256)
	hub := w.key(keys.ES256)
	w.hub = hub.Signer(did.KeyID(w.did(hub.Public())))
	w.trust.Hubs = []vc.TrustKey{w.trustKey(w.hub, vc.RoleHub)}
	w.office[vc.RoleRegistrar] = w.key(keys.ES256).Signer("did:web:registrar.example#key-1")
	k := w.trustKey(w.office[vc.RoleRegistrar], vc.RoleRegistrar)
	k.Types = []string{vc.TypeBirth, vc.TypeGuardianship}
	w.trust.Issuers[0].Keys = []vc.TrustKey{k}
	if d, _, err := Check(goodFamily(w), w.bundle(), Facts{}, History{}, now); err != nil || d.Colour != Green {
		t.Errorf("%v %v", d.Codes(), err)
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	good := mustSign(w, w.hub)
	anchors := w.anchors()
	f.Add([]byte(nil))
	f.Add([]byte("ey.ey.ey"))
	f.Add(append(slices.Clone(good), 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open(data, anchors)
		if err == nil && !bytes.Equal(data, good) || err != nil && (b != nil || !errors.Is(err, ErrBundle)) {
			t.Fatalf("%v %v", b, err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	w := newWorld(b)
	data := mustSign(w, w.hub)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(data, w.anchors()); err != nil {
			b.Fatal(err)
		}
	}
}
