package issuer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// hub is a key that the office's trust list names as a hub's.
func (o *office) hub() *keys.Key {
	o.t.Helper()
	k, err := keys.New("hub-1", keys.UseHub, keys.EdDSA, o.now().Add(-time.Hour), time.Time{})
	if err != nil {
		o.t.Fatal(err)
	}
	jwk, err := vc.PublicJWK(k.Public(), "did:example:hub#hub-1", k.Alg)
	if err != nil {
		o.t.Fatal(err)
	}
	o.trust = &vc.TrustList{ID: "did:key:z", Sequence: 1, IssuedAt: o.now(), Next: o.now().AddDate(0, 1, 0),
		Hubs: []vc.TrustKey{{ID: "did:example:hub#hub-1", JWK: jwk, Role: vc.RoleHub, NotBefore: o.now().Add(-time.Hour)}}}
	return k
}

type hubClaims struct {
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
}

func (o *office) hubToken(k *keys.Key, kid, typ string, change func(*hubClaims)) string {
	o.t.Helper()
	c := hubClaims{officeBase, o.now().Unix(), o.now().Add(time.Minute).Unix(), store.Random(24)}
	if change != nil {
		change(&c)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		o.t.Fatal(err)
	}
	jwt, err := vc.SignJWS(k.Signer(kid), typ, "", payload)
	if err != nil {
		o.t.Fatal(err)
	}
	return "KinpassHub " + jwt
}

// TestLiveLists: a hub of the trust list sees at once what everybody sees with the
// next slot, out of every cache; nobody else does.
func TestLiveLists(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openSlots(t, db)
		_, birth, _ := o.family()
		o.pass(5 * time.Minute)
		k := o.hub()
		kid := o.trust.Hubs[0].ID
		o.call("POST", "/credentials/"+o.copyOf(birth)+"/suspend", "rita", `{"reason":"safety"}`).want(200)
		o.call("POST", "/overrides", "carla", `{"statusListCredential":"https://elsewhere.example/status/revocation/1","statusListIndex":"7","statusPurpose":"suspension","reason":"courtDecision"}`).want(200)
		_, fresh, _ := o.family()
		get := func(path, auth string) answer {
			t.Helper()
			return o.send("GET", path, "", "Authorization", auth)
		}
		for path, want := range map[string]int64{"/status/suspension/1": 1, "/status/revocation/1": 0, "/status/issued/1": 2, "/overrides/1": 1} {
			a := get(path, o.hubToken(k, kid, vc.TypHub, nil)).want(200)
			c, bits := listOf(t, "\n"+a.body)
			if bits.Count() != want || !c.ValidFrom.Equal(o.now()) {
				t.Errorf("%s: %d as of %v", path, bits.Count(), c.ValidFrom)
			}
			if got := a.header["Cache-Control"][0] + a.header["Vary"][0]; got != "private, no-storeAuthorization" {
				t.Errorf("%s may be kept: %s", path, got)
			}
			if !strings.HasPrefix(path, "/overrides") {
				if _, bits = listOf(t, "\n"+get(path, "").want(200).body); path == "/status/suspension/1" && bits.Count() != 0 {
					t.Errorf("%s tells everybody", path)
				}
			} else if path == "/overrides/1" {
				get(path, "").want(404)
			}
		}
		get("/overrides", o.hubToken(k, kid, vc.TypHub, nil)).want(200, "/overrides/1")
		get("/overrides", "").want(200, `{"lists":[]}`)
		get("/status", o.hubToken(k, kid, vc.TypHub, nil)).want(200, "/status/issued/1")
		_ = fresh

		other, err := keys.New("hub-2", keys.UseHub, keys.EdDSA, o.now(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		used := o.hubToken(k, kid, vc.TypHub, nil)
		get("/status", used).want(200)
		ago := func(d time.Duration) func(*hubClaims) {
			return func(c *hubClaims) { c.IssuedAt -= int64(d / time.Second); c.Expires -= int64(d / time.Second) }
		}
		for name, token := range map[string]string{
			"used before":      used,
			"another key":      o.hubToken(other, kid, vc.TypHub, nil),
			"unknown key":      o.hubToken(other, "did:example:hub#hub-2", vc.TypHub, nil),
			"no key id":        o.hubToken(k, "", vc.TypHub, nil),
			"another type":     o.hubToken(k, kid, vc.TypBundle, nil),
			"another shelf":    o.hubToken(k, kid, vc.TypHub, func(c *hubClaims) { c.Audience = "https://other.example" }),
			"over":             o.hubToken(k, kid, vc.TypHub, ago(3*time.Minute)),
			"from the future":  o.hubToken(k, kid, vc.TypHub, ago(-3*time.Minute)),
			"too long":         o.hubToken(k, kid, vc.TypHub, func(c *hubClaims) { c.Expires += 300 }),
			"backwards":        o.hubToken(k, kid, vc.TypHub, func(c *hubClaims) { c.Expires = c.IssuedAt }),
			"no jti":           o.hubToken(k, kid, vc.TypHub, func(c *hubClaims) { c.ID = "" }),
			"no token":         "KinpassHub ",
			"not a token":      "KinpassHub a.b.c",
			"a very large one": "KinpassHub " + strings.Repeat("a", 5000),
		} {
			for _, path := range []string{"/status", "/status/suspension/1", "/status/issued/1", "/overrides", "/overrides/1"} {
				if a := get(path, token); a.status != 401 || !strings.Contains(a.body, `"hub-invalid"`) && !strings.Contains(a.body, "hub-invalid") {
					t.Errorf("%s, %s: %d %s", name, path, a.status, a.body)
				}
			}
		}
		for name, change := range map[string]func(*vc.TrustList){
			"withdrawn":    func(l *vc.TrustList) { l.Hubs[0].CutOff = o.now().Add(time.Hour) },
			"of later":     func(l *vc.TrustList) { l.Hubs[0].NotBefore = o.now().Add(time.Hour) },
			"another role": func(l *vc.TrustList) { l.Hubs[0].Role = vc.RoleRegistrar },
			"twice":        func(l *vc.TrustList) { l.Hubs = append(l.Hubs, l.Hubs[0]) },
			"list too old": func(l *vc.TrustList) { l.Next = o.now() },
		} {
			kept := o.trust
			copied := *kept
			copied.Hubs = append([]vc.TrustKey(nil), kept.Hubs...)
			change(&copied)
			o.trust = &copied
			if a := get("/status", o.hubToken(k, kid, vc.TypHub, nil)); a.status != 401 {
				t.Errorf("%s: %d", name, a.status)
			}
			o.trust = kept
		}
		// What is not a hub's token is not looked at.
		get("/status", "Bearer whatever").want(200)
	})
}
