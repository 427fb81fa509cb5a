package verifier

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

func TestBuildCarriesEveryListOfEveryIssuer(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		w.office()
		w.office()
		w.signTrust()
		v := w.verifier(db)
		ctx := context.Background()
		if _, err := v.Latest(ctx); !errors.Is(err, ErrNoBundle) {
			t.Fatalf("before any bundle: %v", err)
		}
		r := w.build(v)
		if r.Lists != 4 || len(r.Problems) != 0 || r.TrustList != 1 || r.Sequence < 1 || !r.CreatedAt.Equal(start) {
			t.Fatalf("report %+v", r)
		}
		b, err := v.Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if b.ID != r.ID || len(b.Bytes) != r.Bytes || b.RefusedLists != 0 {
			t.Fatalf("bundle %s with %d lists refused", b.ID, b.RefusedLists)
		}
		again, err := check.Open(b.Bytes, vc.OneOf(w.anchor.Public()))
		if err != nil || again.ID != r.ID || again.Sequence != r.Sequence {
			t.Fatalf("what is published does not open: %v", err)
		}
		w.wait(time.Minute)
		next := w.build(v)
		if next.Sequence <= r.Sequence || next.ID == r.ID {
			t.Fatalf("the second bundle has number %d after %d", next.Sequence, r.Sequence)
		}
		if third := w.build(v); third.Sequence != next.Sequence+1 {
			t.Fatalf("the third bundle, in the same second, has number %d after %d", third.Sequence, next.Sequence)
		}
	})
}

// Every way in which a shelf can be wrong: the build goes on, the other issuer's
// lists are in, the report says what is missing.
func TestBrokenShelfDoesNotStopTheOthers(t *testing.T) {
	list := "/status/revocation/1"
	refuse := func(o *office, change func(*vc.Credential, map[string]any)) {
		c := o.statusList(vc.PurposeRevocation)
		var subject map[string]any
		if err := json.Unmarshal(c.Subject, &subject); err != nil {
			t.Fatal(err)
		}
		change(c, subject)
		b, err := json.Marshal(subject)
		if err != nil {
			t.Fatal(err)
		}
		c.Subject = b
		o.put(list, o.sign(o.signer, c))
	}
	cases := []struct {
		name string
		do   func(o, other *office)
		code string // of the one problem
		left int    // lists of the broken issuer in a first bundle
		kept int    // lists of it when an earlier bundle was good
	}{
		{"flipped character", func(o, _ *office) {
			b := o.file(list)
			b[len(b)-20] ^= 1
			o.put(list, b)
		}, "status-list-", 1, 2},
		{"flipped payload", func(o, _ *office) {
			b := o.file(list)
			b[bytes.IndexByte(b, '.')+40] ^= 2
			o.put(list, b)
		}, "status-list-", 1, 2},
		{"signed by another issuer", func(o, other *office) { o.put(list, o.sign(other.signer, o.statusList(vc.PurposeRevocation))) }, "status-list-signer", 1, 2},
		{"signed by another issuer under our key's name", func(o, other *office) {
			o.put(list, o.sign(other.key.Signer(o.did+"#key-1"), o.statusList(vc.PurposeRevocation)))
		}, "status-list-signer", 1, 2},
		{"signed by the hub", func(o, _ *office) {
			o.put(list, o.sign(o.w.ring.Keys[0].Signer(o.w.list.Hubs[0].ID), o.statusList(vc.PurposeRevocation)))
		}, "status-list-signer", 1, 2},
		{"another issuer's list", func(o, other *office) { o.put(list, other.file(list)) }, "status-list-signer", 1, 2},
		{"names another issuer", func(o, other *office) { refuse(o, func(c *vc.Credential, _ map[string]any) { c.Issuer = other.did }) }, "status-list-invalid", 1, 2},
		{"the suspension list as revocation list", func(o, _ *office) { o.put(list, o.file("/status/suspension/1")) }, "status-list-invalid", 1, 2},
		{"subject of another address", func(o, _ *office) {
			refuse(o, func(_ *vc.Credential, s map[string]any) { s["id"] = "https://example.org/list" })
		}, "status-list-invalid", 1, 2},
		{"credential of another address", func(o, _ *office) {
			refuse(o, func(c *vc.Credential, _ map[string]any) { c.ID = "https://example.org/list" })
		}, "status-list-invalid", 1, 2},
		{"unknown purpose", func(o, _ *office) {
			refuse(o, func(_ *vc.Credential, s map[string]any) { s["statusPurpose"] = "message" })
		}, "status-list-invalid", 1, 2},
		{"another type of subject", func(o, _ *office) {
			refuse(o, func(_ *vc.Credential, s map[string]any) { s["type"] = "StatusList2021" })
		}, "status-list-invalid", 1, 2},
		{"two things at once", func(o, _ *office) {
			refuse(o, func(c *vc.Credential, _ map[string]any) { c.Type = append(c.Type, vc.TypeBirth) })
		}, "status-list-invalid", 1, 2},
		{"no list at all", func(o, _ *office) {
			refuse(o, func(_ *vc.Credential, s map[string]any) { s["encodedList"] = "u" })
		}, "status-list-invalid", 1, 2},
		{"a bare bitstring", func(o, _ *office) { o.put(list, []byte("uH4sIAAAAAAAA")) }, "status-list-invalid", 1, 2},
		{"expired", func(o, _ *office) {
			refuse(o, func(c *vc.Credential, _ map[string]any) {
				c.ValidFrom, c.ValidTo = o.w.now().Add(-8*24*time.Hour), o.w.now()
			})
		}, "status-list-invalid", 1, 2},
		{"from the future", func(o, _ *office) {
			refuse(o, func(c *vc.Credential, _ map[string]any) { c.ValidFrom = o.w.now().Add(time.Hour) })
		}, "status-list-invalid", 1, 2},
		{"before its key was valid", func(o, _ *office) {
			refuse(o, func(c *vc.Credential, _ map[string]any) { c.ValidFrom = start.AddDate(-2, 0, 0) })
		}, "status-list-signer", 1, 2},
		{"missing", func(o, _ *office) { o.reply(notFound(list)) }, "shelf-file-missing", 1, 2},
		{"too large", func(o, _ *office) { o.put(list, bytes.Repeat([]byte("a"), maxList+1)) }, "shelf-file-large", 1, 2},
		{"shelf fails", func(o, _ *office) {
			o.reply(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(500); return true })
		}, "shelf-unreachable", 0, 2},
		{"shelf is silent", func(o, _ *office) {
			o.reply(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
		}, "shelf-unreachable", 0, 2},
		{"sent elsewhere", func(o, other *office) {
			o.reply(func(rw http.ResponseWriter, r *http.Request) bool {
				http.Redirect(rw, r, other.url+r.URL.Path, http.StatusFound)
				return true
			})
		}, "address-refused", 0, 2},
		{"sent to a file", func(o, _ *office) {
			o.reply(func(rw http.ResponseWriter, r *http.Request) bool {
				rw.Header().Set("Location", "file:///etc/passwd")
				rw.WriteHeader(http.StatusFound)
				return true
			})
		}, "", 0, 2},
		{"index is no JSON", func(o, _ *office) { o.put("/status", []byte("<html>")) }, "status-index-invalid", 0, 2},
		{"index names a list twice over", func(o, _ *office) { o.put("/status", []byte(`{"lists":[],"lists":[]}`)) }, "status-index-invalid", 0, 2},
		{"index points elsewhere", func(o, other *office) {
			o.put("/status", fmt.Appendf(nil, `{"lists":[%q]}`, other.listURL(vc.PurposeRevocation)))
		}, "status-index-invalid", 0, 2},
		{"index climbs out", func(o, _ *office) { o.put("/status", fmt.Appendf(nil, `{"lists":[%q]}`, o.url+"/status/../births")) }, "status-index-invalid", 0, 2},
		{"index asks with a query", func(o, _ *office) {
			o.put("/status", fmt.Appendf(nil, `{"lists":[%q]}`, o.listURL("revocation")+"?child=1"))
		}, "status-index-invalid", 0, 2},
		{"index climbs out of the token lists", func(o, _ *office) {
			o.put("/status", fmt.Appendf(nil, `{"lists":[%q]}`, o.url+"/status/token/../births"))
		}, "status-index-invalid", 0, 2},
		{"index without end", func(o, _ *office) {
			var urls []string
			for i := range maxLists + 1 {
				urls = append(urls, fmt.Sprintf("%q", o.url+"/status/revocation/"+fmt.Sprint(i)))
			}
			o.put("/status", []byte(`{"lists":[`+strings.Join(urls, ",")+`]}`))
		}, "status-index-invalid", 0, 2},
		{"publishes another key", func(o, other *office) {
			d := o.document()
			d.VerificationMethod[0].PublicKeyJwk = other.document().VerificationMethod[0].PublicKeyJwk
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			o.put("/.well-known/did.json", b)
		}, "issuer-key-mismatch", 0, 0},
		{"publishes another issuer's document", func(o, other *office) { o.put("/.well-known/did.json", other.file("/.well-known/did.json")) }, "issuer-key-mismatch", 0, 0},
		{"publishes no key", func(o, _ *office) {
			o.put("/.well-known/did.json", fmt.Appendf(nil, `{"id":%q,"verificationMethod":[],"assertionMethod":[]}`, o.did))
		}, "issuer-key-not-published", 0, 2},
		{"its key is not for assertions", func(o, _ *office) {
			d := o.document()
			d.AssertionMethod = nil
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			o.put("/.well-known/did.json", b)
		}, "issuer-key-not-published", 0, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, earlier := range []bool{false, true} {
				w := newWorld(t)
				o, other := w.office(), w.office()
				w.signTrust()
				v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
				want := c.left
				if earlier {
					if r := w.build(v); r.Lists != 4 {
						t.Fatalf("the good bundle has %d lists", r.Lists)
					}
					want = c.kept
					w.wait(time.Hour)
				}
				c.do(o, other)
				r := w.build(v)
				if len(r.Problems) != 1 || !strings.HasPrefix(r.Problems[0].Code, c.code) || r.Problems[0].Issuer != o.did {
					t.Errorf("earlier %v: problems %+v, want %s", earlier, r.Problems, c.code)
				}
				if r.Lists != 2+want {
					t.Errorf("earlier %v: %d lists, want %d", earlier, r.Lists, 2+want)
				}
				b, err := v.Latest(context.Background())
				if err != nil || b.RefusedLists != 0 {
					t.Errorf("earlier %v: %v, %d lists refused", earlier, err, b.RefusedLists)
				}
				// The address of a list is never said for one that is not on the index.
				for _, p := range r.Problems {
					if p.List != "" && p.List != o.listURL(vc.PurposeRevocation) {
						t.Errorf("reported list %q", p.List)
					}
				}
			}
		})
	}
}

func notFound(path string) func(http.ResponseWriter, *http.Request) bool {
	return func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			http.NotFound(rw, r)
			return true
		}
		return false
	}
}

func TestListsNeverGoBack(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		old := o.file("/status/revocation/1") // nobody is revoked
		w.wait(time.Hour)
		if err := o.bits[vc.PurposeRevocation].Set(77); err != nil {
			t.Fatal(err)
		}
		w.build(v)
		// Somebody puts yesterday's list back.
		o.put("/status/revocation/1", old)
		w.wait(time.Minute)
		r := w.build(v)
		if codes(r) != "status-list-older" || r.Lists != 2 {
			t.Fatalf("problems %q, %d lists", codes(r), r.Lists)
		}
		if !listHas(t, v, o.listURL(vc.PurposeRevocation), 77) {
			t.Fatal("the revocation was undone by an older list")
		}
		// The index forgets it: it stays for as long as it was signed for.
		o.put("/status/revocation/1", nil)
		o.put("/status", fmt.Appendf(nil, `{"lists":[%q]}`, o.listURL(vc.PurposeSuspension)))
		w.wait(time.Minute)
		if r = w.build(v); codes(r) != "status-list-gone" || r.Lists != 2 || !listHas(t, v, o.listURL(vc.PurposeRevocation), 77) {
			t.Fatalf("problems %q, %d lists", codes(r), r.Lists)
		}
		w.wait(8 * 24 * time.Hour)
		if r = w.build(v); codes(r) != "" || r.Lists != 1 {
			t.Fatalf("after its end: problems %q, %d lists", codes(r), r.Lists)
		}
	})
}

// listHas looks into the bundle in force.
func listHas(t *testing.T, v *Verifier, url string, index int64) bool {
	t.Helper()
	b, err := v.Latest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.Lists() {
		if l.Address == url {
			set, err := l.Has(uint64(index))
			return err == nil && set
		}
	}
	return false
}

func TestTrustListNeverGoesBack(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		v := w.verifier(db)
		ctx := context.Background()

		if _, err := v.Build(ctx); !errors.Is(err, ErrNoTrust) {
			t.Fatalf("without a trust list: %v", err)
		}
		first := w.signTrust()
		w.build(v)
		twin := *w.list // for a second list under the same number, below
		w.office()
		w.wait(time.Minute)
		second := w.signTrust()
		if r := w.build(v); r.TrustList != 2 || r.Lists != 4 || codes(r) != "" {
			t.Fatalf("second list: %+v", r)
		}

		other := newKey(t, keys.UseAnchor)
		forged, err := trust.Sign(&twin, w.anchor.Signer("anchor"), w.now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		thief := *w.list
		stolen, err := trust.Sign(&thief, other.Signer("anchor"), w.now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		ahead := *w.list
		future, err := trust.Sign(&ahead, w.anchor.Signer("anchor"), w.now().Add(24*time.Hour), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		lifted := vc.TrustList{ID: "x", Sequence: 9, IssuedAt: w.now().Truncate(time.Second), Issuers: slices.Clone(w.list.Issuers), Hubs: w.list.Hubs}
		lifted.Issuers[0].Keys = slices.Clone(lifted.Issuers[0].Keys)
		lifted.Issuers[0].Keys[0].JWK = lifted.Issuers[1].Keys[0].JWK
		lifted.Issuers = lifted.Issuers[:1]
		swapped, err := vc.SignJWS(w.anchor.Signer("anchor"), vc.TypTrustList, "", must(json.Marshal(lifted)))
		if err != nil {
			t.Fatal(err)
		}
		broken, err := vc.SignJWS(w.anchor.Signer("anchor"), vc.TypTrustList, "", []byte(`{"id":"x","sequence":9,"issuedAt":"2026-11-20T10:00:00Z","issuers":[{"did":"did:web:a"}],"hubs":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct{ text, code string }{
			"older":                       {first, "trust-list-older"},
			"another one with its number": {forged, "trust-list-older"},
			"another anchor":              {stolen, "anchor-unknown"},
			"tampered":                    {second[:len(second)-10] + "AAAAAAAAAA", ""},
			"of another type":             {string(o.file("/status/revocation/1")), "trust-list-invalid"},
			"from the future":             {future, "no-trust-list"},
			"breaks the rules":            {broken, "trust-list-refused"},
			"a key under another's name":  {swapped, "trust-key-changed"},
			"empty":                       {"", "trust-list-invalid"},
			"no file":                     {"-", "no-trust-list"},
		} {
			w.writeTrust(c.text)
			if c.text == "-" {
				if err := os.Remove(w.source); err != nil {
					t.Fatal(err)
				}
			}
			w.wait(time.Second)
			r := w.build(v)
			if r.TrustList != 2 || r.Lists != 4 || len(r.Problems) != 1 || !strings.HasPrefix(r.Problems[0].Code, c.code) {
				t.Errorf("%s: list %d, problems %+v", name, r.TrustList, r.Problems)
			}
		}
		// The newest list, signed once more, is the same list.
		w.writeTrust(second)
		w.wait(time.Second)
		if r := w.build(v); codes(r) != "" {
			t.Errorf("the list itself: %q", codes(r))
		}
		w.wait(100 * 24 * time.Hour)
		if r := w.build(v); codes(r) != "trust-list-overdue" {
			t.Errorf("overdue: %q", codes(r))
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestTrustListFromAnAddress(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	o.put("/trust-list", []byte(w.signTrust()))
	cfg := w.config(storetest.Open(t, store.SQLite, "verifier"))
	cfg.TrustSource = o.url + "/trust-list"
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r := w.build(v); r.Lists != 2 || codes(r) != "" {
		t.Fatalf("%+v", r)
	}
	cfg = w.config(storetest.Open(t, store.SQLite, "verifier"))
	cfg.TrustSource, cfg.HTTP.Loopback = o.url+"/trust-list", false
	if v, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Build(context.Background()); !errors.Is(err, ErrNoTrust) {
		t.Fatalf("loopback without permission: %v", err)
	}
}

// What the trust list takes from a key is taken at the next build.
func TestTrustListDecidesWhoMaySign(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		edit  func(w *world, key string) error
		codes string
		lists int
	}{
		"not for status lists":           {[]string{vc.TypeBirth}, nil, "issuer-key-not-published", 0},
		"stolen before":                  {nil, func(w *world, k string) error { return trust.CutOff(w.list, k, start.Add(-time.Minute), 0) }, "issuer-key-not-published", 0},
		"stolen after the lists held":    {nil, func(w *world, k string) error { return trust.CutOff(w.list, k, start.Add(time.Minute), 0) }, "issuer-key-not-published", 2},
		"ended in good order":            {nil, func(w *world, k string) error { return trust.End(w.list, k, start.Add(time.Minute)) }, "issuer-key-not-published", 2},
		"ended before the lists held":    {nil, func(w *world, k string) error { return trust.End(w.list, k, start.Add(-time.Minute)) }, "issuer-key-not-published", 0},
		"issuer removed":                 {nil, func(w *world, k string) error { d, _, _ := strings.Cut(k, "#"); return trust.Remove(w.list, d) }, "", 0},
		"nothing happened (for control)": {nil, func(*world, string) error { return nil }, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o := w.office(c.types...)
			w.signTrust()
			v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
			r := w.build(v)
			if c.edit != nil {
				w.wait(time.Hour)
				if err := c.edit(w, o.signer.KID); err != nil {
					t.Fatal(err)
				}
				w.signTrust()
				r = w.build(v)
			}
			if codes(r) != c.codes || r.Lists != c.lists {
				t.Fatalf("problems %q, %d lists", codes(r), r.Lists)
			}
		})
	}
}

// Of an issuer's keys only those may sign lists that are named for it, and none
// that was stolen, whatever date it writes.
func TestOnlyTheRightKeyOfAnIssuerSignsItsLists(t *testing.T) {
	for name, c := range map[string]struct {
		types []string // of the second key
		cut   bool     // the second key is cut off, from now on
		want  string
	}{
		"second key for status lists":        {[]string{vc.TypeBirth, vc.TypeStatusList}, false, ""},
		"second key for births":              {[]string{vc.TypeBirth}, false, "status-list-signer"},
		"second key stolen, list dated back": {[]string{vc.TypeBirth, vc.TypeStatusList}, true, "status-list-signer"},
	} {
		w := newWorld(t)
		o := w.office()
		second := newKey(t, keys.UseCredentials)
		d := o.document()
		jwk, err := vc.PublicJWK(second.Public(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		m := d.VerificationMethod[0]
		m.ID, m.PublicKeyJwk = o.did+"#key-2", jwk
		d.VerificationMethod, d.AssertionMethod = append(d.VerificationMethod, m), append(d.AssertionMethod, m.ID)
		if err := trust.AddIssuer(w.list, trust.Entry{Document: d, Name: "Office", Shelf: o.url, Role: vc.RoleRegistrar, Types: c.types, From: start.AddDate(-1, 0, 0)}); err != nil {
			t.Fatal(err)
		}
		if c.cut {
			if err := trust.CutOff(w.list, m.ID, start, 0); err != nil {
				t.Fatal(err)
			}
		}
		w.signTrust()
		o.put("/.well-known/did.json", must(json.Marshal(d)))
		list := o.statusList(vc.PurposeRevocation)
		list.ValidFrom = start.Add(-time.Hour)
		o.put("/status/revocation/1", o.sign(second.Signer(m.ID), list))
		v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
		r := w.build(v)
		if codes(r) != c.want {
			t.Errorf("%s: problems %q, %d lists", name, codes(r), r.Lists)
		}
	}
}

func TestBuildNeedsAHubKeyThatIsListed(t *testing.T) {
	for name, edit := range map[string]func(w *world){
		"not listed": func(w *world) { w.list.Hubs = []vc.TrustKey{} },
		"cut off": func(w *world) {
			if err := trust.CutOff(w.list, w.list.Hubs[0].ID, start.Add(time.Hour), 0); err != nil {
				t.Fatal(err)
			}
		},
		"ended": func(w *world) {
			if err := trust.End(w.list, w.list.Hubs[0].ID, start); err != nil {
				t.Fatal(err)
			}
		},
		"no key":         func(w *world) { w.ring.Keys = nil },
		"key of another": func(w *world) { w.ring.Keys = []*keys.Key{newKey(t, keys.UseHub)} },
		"not yet":        func(w *world) { w.ring.Keys[0].NotBefore = start.Add(time.Hour) },
	} {
		w := newWorld(t)
		edit(w)
		w.signTrust()
		v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
		if _, err := v.Build(context.Background()); !errors.Is(err, ErrNoHub) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := v.Latest(context.Background()); !errors.Is(err, ErrNoBundle) {
			t.Errorf("%s: something was published: %v", name, err)
		}
	}
}

// A bundle goes from a hub to a post on a stick, and only forwards.
func TestApplyRefusesWhatIsNotNewer(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		w.office()
		w.signTrust()
		hub := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
		// Each bundle with what it was made of.
		build := func() ([]byte, check.BundlePayload) {
			w.build(hub)
			b, err := hub.Latest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			p := check.BundlePayload{ID: b.ID, Sequence: b.Sequence, CreatedAt: b.CreatedAt, TrustList: b.SignedTrust}
			lists, err := hub.book.heldLists(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lists {
				p.StatusLists = append(p.StatusLists, l.credential)
			}
			return b.Bytes, p
		}
		first, of1 := build()
		w.wait(time.Hour)
		second, _ := build()
		w.wait(time.Hour)
		w.signTrust()
		third, of3 := build()
		w.wait(time.Hour)

		cfg := w.config(db)
		cfg.TrustSource, cfg.Ring = "", &keys.Ring{Secrets: w.ring.Secrets}
		post, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := post.Apply(ctx, append(slices.Clone(second), '\n')); !errors.Is(err, check.ErrBundle) {
			t.Fatalf("with a line end: %v", err)
		}
		if _, err := post.Apply(ctx, second); err != nil {
			t.Fatal(err)
		}
		signer := w.ring.Keys[0].Signer(w.list.Hubs[0].ID)
		remake := func(change func(*check.BundlePayload)) []byte {
			p := of3
			p.ID = "changed"
			change(&p)
			data, err := p.Sign(signer)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		have, err := post.Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		tampered := slices.Clone(third)
		tampered[len(tampered)/2] ^= 1
		oldTrust := of1.TrustList
		for name, c := range map[string]struct {
			data []byte
			want error
		}{
			"again":                      {second, ErrRollback},
			"older":                      {first, ErrRollback},
			"tampered":                   {tampered, check.ErrBundle},
			"half":                       {third[:len(third)/2], check.ErrBundle},
			"empty":                      {nil, check.ErrBundle},
			"a status list":              {[]byte(oldTrust), check.ErrBundle},
			"newer number, made earlier": {remake(func(p *check.BundlePayload) { p.CreatedAt = start }), ErrRollback},
			"lower number, made later":   {remake(func(p *check.BundlePayload) { p.Sequence = 1 }), ErrRollback},
			"same id":                    {remake(func(p *check.BundlePayload) { p.ID = have.ID }), ErrRollback},
			"a status list of before":    {remake(func(p *check.BundlePayload) { p.StatusLists = of1.StatusLists }), ErrRollback},
			"from the future":            {remake(func(p *check.BundlePayload) { p.CreatedAt = w.now().Add(time.Hour) }), ErrFuture},
			"another hub": {func() []byte {
				k := newKey(t, keys.UseHub)
				p := check.BundlePayload{ID: "x", Sequence: 1 << 40, CreatedAt: w.now(), TrustList: of3.TrustList}
				data, err := p.Sign(k.Signer(signer.KID))
				if err != nil {
					t.Fatal(err)
				}
				return data
			}(), check.ErrBundle},
			"an issuer as hub": {func() []byte {
				p := check.BundlePayload{ID: "x", Sequence: 1 << 40, CreatedAt: w.now(), TrustList: of3.TrustList}
				data, err := p.Sign(w.anchor.Signer(w.list.Issuers[0].Keys[0].ID))
				if err != nil {
					t.Fatal(err)
				}
				return data
			}(), check.ErrBundle},
		} {
			if _, err := post.Apply(ctx, c.data); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if b, err := post.Latest(ctx); err != nil || b.ID != have.ID {
				t.Errorf("%s: the bundle in force changed (%v)", name, err)
			}
		}
		if b, err := post.Apply(ctx, third); err != nil || b.Trust.Sequence != 2 {
			t.Fatalf("the next bundle: %v", err)
		}
		// Now that trust list 2 was seen, a bundle with list 1 is old, however
		// new it is itself.
		back := remake(func(p *check.BundlePayload) {
			p.TrustList, p.Sequence, p.CreatedAt = oldTrust, p.Sequence+10, w.now()
		})
		if _, err := post.Apply(ctx, back); !errors.Is(err, ErrTrustOlder) {
			t.Fatalf("older trust list: %v", err)
		}
		// It is also not there when the process starts again.
		again, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := again.Latest(ctx); err != nil || b.Trust.Sequence != 2 {
			t.Fatalf("after a restart: %v", err)
		}
	})
}

func TestRestartKeepsTheLastBundle(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t)
			o := w.office()
			w.signTrust()
			url := storetest.URL(t, engine, "verifier")
			first := w.verifier(storetest.Reopen(t, url, "verifier"))
			r := w.build(first)
			w.wait(time.Hour)
			// Nothing can be fetched any more, and a new process starts.
			o.reply(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(503); return true })
			w.writeTrust("gone")
			db := storetest.Reopen(t, url, "verifier")
			second := w.verifier(db)
			b, err := second.Latest(context.Background())
			if err != nil || b.ID != r.ID {
				t.Fatalf("after a restart: %v", err)
			}
			next := w.build(second)
			if next.Sequence <= r.Sequence || next.Lists != 2 || codes(next) == "" {
				t.Fatalf("built from memory: %+v", next)
			}
			// The first replica sees what the second built.
			if b, err := first.Latest(context.Background()); err != nil || b.ID != next.ID {
				t.Fatalf("the other replica: %v", err)
			}
			// Other anchors: what is stored is believed no more.
			cfg := w.config(db)
			cfg.Anchors = vc.OneOf(newKey(t, keys.UseAnchor).Public())
			stranger, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stranger.Latest(context.Background()); !errors.Is(err, ErrNoBundle) {
				t.Fatalf("under another anchor: %v", err)
			}
		})
	}
}

func TestReplicasBuildAtTheSameTime(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		w.office()
		w.signTrust()
		a, b := w.verifier(db), w.verifier(db)
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[int64]bool{}
		for i := range 8 {
			v := a
			if i%2 == 1 {
				v = b
			}
			wg.Go(func() {
				r, err := v.Build(context.Background())
				// One that a faster replica overtook is refused, not published.
				if err != nil && !errors.Is(err, ErrRollback) {
					t.Errorf("build: %v", err)
				}
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					if seen[r.Sequence] {
						t.Errorf("sequence %d twice", r.Sequence)
					}
					seen[r.Sequence] = true
				}
			})
		}
		wg.Wait()
		x, err1 := a.Latest(context.Background())
		y, err2 := b.Latest(context.Background())
		if err1 != nil || err2 != nil || x.ID != y.ID {
			t.Fatalf("the replicas differ: %v, %v", err1, err2)
		}
		for n := range seen {
			if n > x.Sequence {
				t.Errorf("bundle %d is not in force, %d is", n, x.Sequence)
			}
		}
		var bodies int
		if err := db.QueryRow(`SELECT COUNT(*) FROM bundles WHERE body IS NOT NULL`).Scan(&bodies); err != nil || bodies != len(seen) {
			t.Errorf("%d bundle bodies of %d are kept (%v)", bodies, len(seen), err)
		}
	})
}

func TestBuildRefusesAClockThatWentBack(t *testing.T) {
	w := newWorld(t)
	w.office()
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	w.build(v)
	w.wait(-time.Hour)
	if _, err := v.Build(context.Background()); !errors.Is(err, ErrClock) {
		t.Fatalf("%v", err)
	}
}

// A hub whose clock is ahead would sign what nobody can replace for that long.
func TestBuildRefusesAClockThatIssuersContradict(t *testing.T) {
	w := newWorld(t)
	w.office()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	ctx := context.Background()
	for _, offset := range []time.Duration{-11 * time.Minute, 11 * time.Minute} {
		if err := v.vouch(ctx, []time.Duration{offset, offset, 0}); !errors.Is(err, ErrClock) {
			t.Errorf("%v: %v", offset, err)
		}
	}
	for _, offsets := range [][]time.Duration{nil, {9 * time.Minute}, {-24 * time.Hour, time.Second, 24 * time.Hour}} {
		if err := v.vouch(ctx, offsets); err != nil {
			t.Errorf("%v: %v", offsets, err)
		}
	}
}

func TestRunStopsWhenToldAndKeepsTrying(t *testing.T) {
	w := newWorld(t)
	w.office()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier")) // no trust list yet
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); v.Run(ctx, 5*time.Millisecond) }()
	time.Sleep(20 * time.Millisecond)
	w.signTrust()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := v.Latest(context.Background()); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no bundle was built")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Run did not stop")
	}
}

// A server's time counts only where TLS says whose it is.
func TestTimeOfAServer(t *testing.T) {
	at := start.Add(time.Hour)
	h := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Date", at.Format(http.TimeFormat))
		rw.Write([]byte("x"))
	})
	safe, plain := httptest.NewTLSServer(h), httptest.NewServer(h)
	defer safe.Close()
	defer plain.Close()
	f := newFetcher(HTTPPolicy{Loopback: true})
	if _, _, err := f.dated(context.Background(), safe.URL, 10); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("a certificate that nobody vouches for: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(safe.Certificate())
	f = newFetcher(HTTPPolicy{Loopback: true, roots: roots})
	if _, date, err := f.dated(context.Background(), safe.URL, 10); err != nil || !date.Equal(at) {
		t.Fatalf("over TLS: %v, %v", date, err)
	}
	if _, date, err := f.dated(context.Background(), plain.URL, 10); err != nil || !date.IsZero() {
		t.Fatalf("without: %v, %v", date, err)
	}
}

func TestAddressesThatAreNotCalled(t *testing.T) {
	strict := newFetcher(HTTPPolicy{})
	demo := newFetcher(HTTPPolicy{Loopback: true})
	inside := newFetcher(HTTPPolicy{Private: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16")}})
	for address, want := range map[string][3]bool{ // strict, demo, inside
		"93.184.216.34": {true, true, true}, "2606:2800:220:1:248:1893:25c8:1946": {true, true, true},
		"127.0.0.1": {false, true, false}, "::1": {false, true, false}, "127.9.9.9": {false, true, false},
		"10.1.2.3": {false, false, true}, "192.168.1.1": {}, "172.16.0.1": {}, "100.64.0.1": {},
		"169.254.169.254": {}, "fe80::1": {}, "fd00::1": {}, "0.0.0.0": {}, "::": {}, "224.0.0.1": {}, "255.255.255.255": {},
		"64:ff9b::7f00:1": {}, "2002:7f00:1::": {}, "::ffff:127.0.0.1": {false, true, false}, "198.18.0.1": {}, "240.0.0.1": {},
	} {
		a := netip.MustParseAddr(address).Unmap()
		for i, f := range []*fetcher{strict, demo, inside} {
			if got := f.client.May(a); got != want[i] {
				t.Errorf("%s with policy %d: %v", address, i, got)
			}
		}
	}
	for text, want := range map[string]bool{
		"https://registry.example/status": true, "http://localhost:8080/x": true, "http://127.0.0.1/x": true, "http://[::1]:1/x": true,
		"http://registry.example/": false, "http://10.1.2.3/": false, "https://user:pw@registry.example/": false,
		"https://registry.example/?child=1": false, "https://registry.example/#x": false, "ftp://registry.example/": false,
		"file:///etc/passwd": false, "registry.example": false, "https://": false, "": false, "https://" + strings.Repeat("a", 3000): false,
	} {
		if _, err := demo.parse(text); (err == nil) != want {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	if _, err := strict.parse("http://localhost/"); err == nil {
		t.Error("http on loopback without permission")
	}
	w := newWorld(t)
	o := w.office()
	if _, err := strict.get(context.Background(), strings.Replace(o.url, "http://", "https://", 1), 100); !errors.Is(err, ErrAddress) {
		t.Errorf("loopback over https without permission: %v", err)
	}
}
