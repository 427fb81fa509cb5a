package verifier

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// overrideURL is the address of an authority's n-th list over another's.
func (o *office) overrideURL(n int) string { return fmt.Sprintf("%s/overrides/%d", o.url, n) }

// overriding is the authority's list over this list of another issuer, made now.
func (o *office) overriding(n int, over *office, purpose string, indexes ...int64) *vc.Credential {
	l, err := status.New(status.MinSize)
	if err != nil {
		o.w.t.Fatal(err)
	}
	for _, i := range indexes {
		if err := l.Set(i); err != nil {
			o.w.t.Fatal(err)
		}
	}
	encoded, err := l.Encode()
	if err != nil {
		o.w.t.Fatal(err)
	}
	subject, err := json.Marshal(map[string]any{"id": over.listURL(purpose) + "#list", "type": "BitstringStatusList",
		"statusPurpose": purpose, "encodedList": encoded, "ttl": 300000})
	if err != nil {
		o.w.t.Fatal(err)
	}
	at := o.w.now().Truncate(time.Second)
	return &vc.Credential{Context: []string{vc.ContextV2}, ID: o.overrideURL(n), Type: []string{vc.TypeCredential, vc.TypeStatusList},
		Issuer: o.did, ValidFrom: at, ValidTo: at.Add(7 * 24 * time.Hour), Subject: subject}
}

// publish puts the authority's lists on its shelf, the first at number 1.
func (o *office) publish(lists ...*vc.Credential) {
	var urls []string
	for i, l := range lists {
		urls = append(urls, o.overrideURL(i+1))
		o.put(fmt.Sprintf("/overrides/%d", i+1), o.sign(o.signer, l))
	}
	index, err := json.Marshal(map[string]any{"lists": slices.Concat([]string{}, urls)})
	if err != nil {
		o.w.t.Fatal(err)
	}
	o.put("/overrides", index)
}

// look decides about the mother's family with a fresh code.
func (w *world) look(v *Verifier, credentials ...string) Result {
	w.t.Helper()
	r, err := v.Check(context.Background(), []string{w.present("mother", store.Random(16), credentials...)}, confirmed)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// An authority speaks over an issuer that does not comply, and whatever happens
// to its shelf afterwards, what it said stays or is missed aloud.
func TestOverridesStay(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		court := w.authority(vc.RoleCourt, o)
		w.signTrust()
		v := w.verifier(db)
		birth, mandate, index := o.family("mother")
		if r := w.build(v); r.Overrides != 0 || len(r.Problems) != 0 {
			t.Fatalf("an authority that overrides nothing: %+v", r)
		}
		if r := w.look(v, birth, mandate); r.Colour != check.Green {
			t.Fatalf("before: %v", r.Codes())
		}
		revoked := court.overriding(1, o, vc.PurposeRevocation, index)
		for _, step := range []struct {
			name     string
			change   func()
			problems string
			held     int
			red      bool
		}{
			{"published", func() { court.publish(revoked) }, "", 1, true},
			{"the index is silent", func() { court.put("/overrides", []byte("x")) }, "status-index-invalid", 1, true},
			{"the list is missing", func() { court.publish(revoked); court.put("/overrides/1", []byte("x")) }, "status-list-invalid", 1, true},
			{"the shelf is down", func() {
				court.reply(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(500); return true })
			}, "shelf-unreachable shelf-unreachable", 1, true},
			{"another key on the shelf", func() {
				court.reply(nil)
				court.publish(revoked)
				doc := court.document()
				doc.VerificationMethod[0].PublicKeyJwk, _ = vc.PublicJWK(newKey(t, keys.UseCredentials).Public(), court.did+"#key-1", keys.EdDSA)
				b, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				court.put("/.well-known/did.json", b)
			}, "issuer-key-mismatch issuer-key-mismatch", 1, true},
			{"an older list without the entry", func() {
				court.put("/.well-known/did.json", nil)
				old := court.overriding(1, o, vc.PurposeRevocation)
				old.ValidFrom = revoked.ValidFrom.Add(-time.Hour)
				court.publish(old)
			}, "status-list-older", 1, true},
			{"taken off the index too early", func() { court.publish() }, "status-list-gone", 1, true},
			{"on it again", func() { court.publish(revoked) }, "", 1, true},
			{"a younger list without the entry", func() { court.publish(court.overriding(1, o, vc.PurposeRevocation)) }, "", 1, false},
			{"and with it", func() {
				w.wait(time.Minute)
				court.publish(court.overriding(1, o, vc.PurposeRevocation, index))
			}, "", 1, true},
			{"off the trust list", func() {
				w.list.Issuers[slices.IndexFunc(w.list.Issuers, func(i vc.TrustIssuer) bool { return i.DID == court.did })].MayRevoke = nil
				w.signTrust()
			}, "override-list-gone", 0, false},
			{"and no more about it", func() {}, "", 0, false},
		} {
			step.change()
			w.wait(time.Minute)
			r := w.build(v)
			if codes(r) != step.problems || r.Overrides != step.held {
				t.Fatalf("%s: %d lists, problems %q, want %d, %q", step.name, r.Overrides, codes(r), step.held, step.problems)
			}
			d := w.look(v, birth, mandate)
			if red := d.Has("STATUS_REVOKED"); red != step.red || red != (d.Colour == check.Red) || !red && d.Colour != check.Green {
				t.Fatalf("%s: %v %v", step.name, d.Colour, d.Codes())
			}
		}
	})
}

// A list that the authority took away after its time, and an authority that is
// gone from the trust list, are missed aloud, once.
func TestOverridesThatEnd(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		court := w.authority(vc.RoleCourt, o)
		w.signTrust()
		v := w.verifier(db)
		_, _, index := o.family("mother")
		court.publish(court.overriding(1, o, vc.PurposeSuspension, index))
		w.build(v)
		court.put("/overrides", []byte("x"))
		w.wait(30 * 24 * time.Hour)
		// Long over, and still what the authority said last.
		if r := w.build(v); r.Overrides != 1 || !strings.Contains(codes(r), "status-index-invalid") {
			t.Fatalf("%d lists, %v", r.Overrides, codes(r))
		}
		court.publish()
		w.wait(time.Minute)
		if r := w.build(v); r.Overrides != 0 || codes(r) != "override-list-gone" {
			t.Fatalf("taken away: %d lists, %v", r.Overrides, codes(r))
		}
		court.publish(court.overriding(1, o, vc.PurposeSuspension, index))
		w.wait(time.Minute)
		if r := w.build(v); r.Overrides != 1 || codes(r) != "" {
			t.Fatalf("again: %d lists, %v", r.Overrides, codes(r))
		}
		w.list.Issuers = slices.DeleteFunc(w.list.Issuers, func(i vc.TrustIssuer) bool { return i.DID == court.did })
		w.signTrust()
		w.wait(time.Minute)
		if r := w.build(v); r.Overrides != 0 || codes(r) != "override-list-gone" || r.Problems[0].Issuer != court.did {
			t.Fatalf("no authority: %d lists, %+v", r.Overrides, r.Problems)
		}
		if r := w.build(v); codes(r) != "" {
			t.Fatalf("said twice: %v", codes(r))
		}
	})
}

// Nobody speaks over the list of an issuer that the trust list does not name,
// or in a role that may not.
func TestOverridesThatAreRefused(t *testing.T) {
	suspension, revocation := vc.PurposeSuspension, vc.PurposeRevocation
	for name, c := range map[string]struct {
		role    string
		change  func(court, o, other *office, l *vc.Credential) []byte
		purpose string
		problem string
	}{
		"a court revokes":                 {vc.RoleCourt, nil, revocation, ""},
		"a court suspends":                {vc.RoleCourt, nil, suspension, ""},
		"a protection authority suspends": {vc.RoleProtection, nil, suspension, ""},
		"a protection authority revokes":  {vc.RoleProtection, nil, revocation, "status-list-signer"},
		"over another issuer": {vc.RoleCourt, func(court, _, other *office, _ *vc.Credential) []byte {
			return court.sign(court.signer, court.overriding(1, other, revocation, 1))
		}, revocation, "override-list-invalid"},
		"over itself": {vc.RoleCourt, func(court, _, _ *office, _ *vc.Credential) []byte {
			return court.sign(court.signer, court.overriding(1, court, revocation, 1))
		}, revocation, "override-list-invalid"},
		"signed by the other issuer": {vc.RoleCourt, func(_, o, _ *office, l *vc.Credential) []byte { return o.sign(o.signer, l) }, revocation, "status-list-signer"},
		"in the other issuer's name": {vc.RoleCourt, func(court, o, _ *office, l *vc.Credential) []byte {
			l.Issuer = o.did
			return court.sign(court.signer, l)
		}, revocation, "status-list-invalid"},
		"made for another address": {vc.RoleCourt, func(court, _, _ *office, l *vc.Credential) []byte {
			l.ID = court.overrideURL(2)
			return court.sign(court.signer, l)
		}, revocation, "status-list-invalid"},
		"from the future": {vc.RoleCourt, func(court, _, _ *office, l *vc.Credential) []byte {
			l.ValidFrom = start.Add(time.Hour)
			return court.sign(court.signer, l)
		}, revocation, "status-list-invalid"},
		"of another purpose": {vc.RoleCourt, func(court, _, _ *office, l *vc.Credential) []byte {
			l.Subject = json.RawMessage(strings.Replace(string(l.Subject), `"statusPurpose":"revocation"`, `"statusPurpose":"message"`, 1))
			return court.sign(court.signer, l)
		}, revocation, "status-list-invalid"},
		"about something below the list": {vc.RoleCourt, func(court, o, _ *office, l *vc.Credential) []byte {
			l.Subject = json.RawMessage(strings.Replace(string(l.Subject), o.url+"/status/", o.url+"/births/", 1))
			return court.sign(court.signer, l)
		}, revocation, "override-list-invalid"},
		"about an address that begins like": {vc.RoleCourt, func(court, o, _ *office, l *vc.Credential) []byte {
			l.Subject = json.RawMessage(strings.Replace(string(l.Subject), o.url, o.url+"0", 1))
			return court.sign(court.signer, l)
		}, revocation, "override-list-invalid"},
		"cut short": {vc.RoleCourt, func(court, _, _ *office, l *vc.Credential) []byte {
			b := court.sign(court.signer, l)
			return b[:len(b)-4]
		}, revocation, "status-list-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o, other := w.office(), w.office()
			court := w.authority(c.role, o)
			w.signTrust()
			v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
			birth, mandate, index := o.family("mother")
			l := court.overriding(1, o, c.purpose, index)
			court.publish(l)
			if c.change != nil {
				court.put("/overrides/1", c.change(court, o, other, l))
			}
			r := w.build(v)
			if codes(r) != c.problem || r.Overrides != map[bool]int{true: 1}[c.problem == ""] {
				t.Fatalf("%d lists, problems %q, want %q", r.Overrides, codes(r), c.problem)
			}
			d := w.look(v, birth, mandate)
			if red := d.Has("STATUS_REVOKED") || d.Has("STATUS_SUSPENDED"); red != (c.problem == "") {
				t.Fatalf("%v %v", d.Colour, d.Codes())
			}
		})
	}
}

// Only authorities with the right to it are asked, and an index never leads off
// the shelf.
func TestOverridesAreAskedOfAuthoritiesAlone(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	silent := w.authority(vc.RoleCourt) // may override nobody
	court := w.authority(vc.RoleCourt, o)
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	for _, x := range []*office{o, silent} {
		x.reply(func(rw http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/overrides") {
				t.Errorf("%s was asked of an issuer that overrides nobody", r.URL.Path)
			}
			return false
		})
	}
	_, _, index := o.family("mother")
	court.put("/overrides/1", court.sign(court.signer, court.overriding(1, o, vc.PurposeRevocation, index)))
	for _, list := range []string{o.url + "/overrides/1", court.url + "/status/revocation/1", court.url + "/overrides/../overrides/1", court.url + "/overrides/"} {
		court.put("/overrides", fmt.Appendf(nil, `{"lists":[%q,%q]}`, court.overrideURL(1), list))
		if r := w.build(v); r.Overrides != 0 || codes(r) != "status-index-invalid" {
			t.Errorf("%s: %d lists, %q", list, r.Overrides, codes(r))
		}
		w.wait(time.Second)
	}
	// A registry speaks over nobody, and its own list that was good stays.
	l := court.overriding(1, o, vc.PurposeRevocation, index)
	l.ID = o.listURL(vc.PurposeRevocation)
	l.Issuer = o.did
	l.Subject = json.RawMessage(strings.Replace(string(l.Subject), o.url+"/status/revocation/1", court.url+"/status/revocation/1", 1))
	o.put("/status/revocation/1", o.sign(o.signer, l))
	court.publish()
	if r := w.build(v); codes(r) != "status-list-invalid" || r.Lists != 6 {
		t.Errorf("a registry's list over another's: %d lists, %q", r.Lists, codes(r))
	}
}

// An older override comes in no more by a bundle that somebody carries.
func TestBundleWithAnOlderOverrideIsRefused(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	court := w.authority(vc.RoleCourt, o)
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	_, _, index := o.family("mother")
	empty := court.overriding(1, o, vc.PurposeRevocation)
	w.wait(time.Minute)
	court.publish(court.overriding(1, o, vc.PurposeRevocation, index))
	w.build(v)
	w.wait(time.Minute)
	hub := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	court.publish(empty)
	if r := w.build(hub); r.Overrides != 1 {
		t.Fatalf("%+v", r)
	}
	b, err := hub.Latest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Apply(context.Background(), b.Bytes); err == nil || !strings.Contains(err.Error(), "bundle-older") {
		t.Fatalf("taken: %v", err)
	}
}

const utopia = `{"policyId":"UTO-test","version":3,"label":"illustrative, not legal advice","country":"UTO","direction":"exit"`

// What countries ask goes into each bundle; a broken policy keeps nothing else
// from the posts.
func TestPoliciesInTheBundle(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		w.office()
		w.signTrust()
		v := w.verifier(db)
		var shipped []string
		for _, p := range policy.Shipped() {
			shipped = append(shipped, fmt.Sprintf("%s/%d", p.ID, p.Version))
		}
		r := w.build(v)
		if slices.Sort(r.Policies); !slices.Equal(r.Policies, shipped) {
			t.Fatalf("%v, shipped %v", r.Policies, shipped)
		}
		inBundle := func() (out []string) {
			t.Helper()
			b, err := v.Latest(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range b.Policies() {
				out = append(out, fmt.Sprintf("%s/%d", x.ID, x.Version))
			}
			return out
		}
		if got := inBundle(); !slices.Equal(got, shipped) {
			t.Fatalf("in the bundle: %v", got)
		}
		dir := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		generic := policy.Generic()
		write("own.json", strings.Replace(string(generic.Raw()), `"policyId":"`+generic.ID+`"`, `"policyId":"OWN"`, 1))
		write("readme.txt", "not a policy")
		write(".hidden.json", "not a policy")
		cfg := w.config(db)
		cfg.Policies = dir
		var err error
		if v, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		own := []string{fmt.Sprintf("OWN/%d", generic.Version)}
		w.wait(time.Minute)
		if r := w.build(v); !slices.Equal(r.Policies, own) || len(r.Problems) != 0 || !slices.Equal(inBundle(), own) {
			t.Fatalf("from a directory: %+v", r)
		}
		// A set for one country alone leaves nobody to what a post's program says.
		lone := t.TempDir()
		for name, raw := range policy.ShippedFiles() {
			if p, err := policy.Parse(raw); err == nil && p.Country == "BRA" {
				if err := os.WriteFile(filepath.Join(lone, name), raw, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		set, err := readPolicies(lone)
		if err != nil || len(set.Policies()) != 2 || set.For("BRA", policy.Exit).Country != "BRA" || !slices.Contains(set.Policies(), policy.Generic()) {
			t.Fatalf("Brazil alone: %v, %v", set, err)
		}
		write("broken.json", utopia+`,"appliesIf":{"religion":"x"}}`)
		w.wait(time.Minute)
		r = w.build(v)
		if codes(r) != "policy-invalid" || !strings.Contains(r.Problems[0].Detail, "broken.json") || !slices.Equal(inBundle(), own) {
			t.Fatalf("with a broken one: %+v", r)
		}
	})
}

// A verifier does not start with policies that cannot be used, and says where
// they are wrong.
func TestPoliciesThatAreRefused(t *testing.T) {
	generic := string(policy.Generic().Raw())
	for name, c := range map[string]struct {
		files map[string]string
		has   []string
	}{
		"no file":             {nil, []string{"policies-missing"}},
		"no policy":           {map[string]string{"a.txt": generic}, []string{"policies-missing"}},
		"a word of no policy": {map[string]string{"a.json": generic, "b.json": utopia + `,"appliesIf":{"religion":"x"}}`}, []string{"policy-invalid", "b.json"}},
		"no JSON":             {map[string]string{"b.json": "{"}, []string{"policy-invalid", "b.json"}},
		"one id twice":        {map[string]string{"a.json": generic, "b.json": generic}, []string{"policy-invalid", "b.json"}},
		"one border twice": {map[string]string{"a.json": generic, "b.json": strings.Replace(generic, `"policyId":"`+policy.Generic().ID+`"`, `"policyId":"OTHER"`, 1)},
			[]string{"policy-invalid", "b.json is the second"}},
		"without end": {map[string]string{"b.json": strings.Repeat(" ", 2<<20)}, []string{"policy-invalid", "b.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cfg := w.config(storetest.Open(t, store.SQLite, "verifier"))
			cfg.Policies = t.TempDir()
			for f, text := range c.files {
				if err := os.WriteFile(filepath.Join(cfg.Policies, f), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := New(cfg)
			if err == nil {
				t.Fatal("started")
			}
			for _, s := range c.has {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q lacks %q", err, s)
				}
			}
		})
	}
	w := newWorld(t)
	cfg := w.config(storetest.Open(t, store.SQLite, "verifier"))
	cfg.Policies = filepath.Join(t.TempDir(), "nowhere")
	if _, err := New(cfg); err == nil {
		t.Error("started without its directory")
	}
}

// FuzzOverride: an authority signs whatever it likes; only its own list over one
// that it may override is taken.
func FuzzOverride(f *testing.F) {
	w := newWorld(f)
	o := w.office()
	w.authority(vc.RoleCourt, o)
	court := &office{w: w, did: w.list.Issuers[1].DID, url: w.list.Issuers[1].Shelf, key: newKey(f, keys.UseCredentials)}
	court.signer = court.key.Signer(court.did + "#key-1")
	jwk, err := vc.PublicJWK(court.key.Public(), court.did+"#key-1", keys.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	w.list.Issuers[1].Keys[0].JWK = jwk
	good, err := json.Marshal(court.overriding(1, o, vc.PurposeRevocation, 7))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(strings.ReplaceAll(string(good), "#list", "")))
	f.Add([]byte(strings.ReplaceAll(string(good), "/status/", "/status/../")))
	f.Fuzz(func(t *testing.T, payload []byte) {
		jws, err := vc.SignJWS(court.signer, vc.TypCredential, "vc", payload)
		if err != nil {
			t.Skip()
		}
		for _, fresh := range []bool{true, false} {
			s := &shelf{issuer: &w.list.Issuers[1], trust: w.list, clock: w.now, now: w.now()}
			h, err := s.openOverride(jws, court.overrideURL(1), fresh)
			if err != nil {
				if h.credential != "" || h.over != "" {
					t.Fatal("a refused list gave something")
				}
				continue
			}
			c, err := vc.ParseCredential(payload)
			if err != nil || c.Issuer != court.did || !c.Is(vc.TypeStatusList) || h.over != o.did {
				t.Fatal("a list that is not this authority's was taken")
			}
		}
	})
}
