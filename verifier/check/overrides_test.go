package check

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// over makes the list of an authority over the registrar's list, with one bit
// set.
type over struct {
	by       keys.Signer
	purpose  string
	about    string // the list that it is about; "" is the registrar's
	index    int64
	at       time.Time
	set      bool
	indexTop int64 // where the list ends, 0 for the usual size
}

func (w *world) over(o over) string {
	w.t.Helper()
	size := int64(status.MinSize)
	if o.indexTop > 0 {
		size = o.indexTop
	}
	l, err := status.New(size)
	if err != nil {
		w.t.Fatal(err)
	}
	if o.set {
		if err := l.Set(o.index); err != nil {
			w.t.Fatal(err)
		}
	}
	encoded, err := l.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if o.about == "" {
		o.about = shelf(vc.RoleRegistrar) + "/status/" + o.purpose + "/1"
	}
	if o.at.IsZero() {
		o.at = now.Add(-time.Hour)
	}
	issuer := did.Base(o.by.KID)
	subject, err := json.Marshal(map[string]any{"id": o.about + "#list", "type": "BitstringStatusList", "statusPurpose": o.purpose, "encodedList": encoded, "ttl": 300000})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sign(o.by, vc.TypCredential, vc.Credential{Context: []string{vc.ContextV2}, ID: "https://" + strings.TrimPrefix(issuer, "did:web:") + "/overrides/" + o.purpose,
		Type: []string{vc.TypeCredential, vc.TypeStatusList}, Issuer: issuer, ValidFrom: o.at.UTC(), ValidTo: o.at.Add(7 * 24 * time.Hour).UTC(), Subject: subject})
}

// TestOverrides: a court revokes and suspends what a registrar issued, also
// when the registrar does nothing; nobody else does, and nothing is made valid.
func TestOverrides(t *testing.T) {
	registrar := "did:web:registrar.example"
	for _, c := range []struct {
		name  string
		world func(w *world)
		over  func(w *world) []over
		want  string
	}{
		{"a court revokes", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true}}
		}, "STATUS_REVOKED"},
		{"a court suspends", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, set: true}}
		}, "STATUS_SUSPENDED"},
		{"an authority for protection suspends", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleProtection], purpose: "suspension", index: 2, set: true}}
		}, "STATUS_SUSPENDED"},
		{"an authority for protection does not revoke", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleProtection], purpose: "revocation", index: 2, set: true}}
		}, "OK"},
		{"a notary has no say", func(w *world) { w.trust.Issuers[4].MayRevoke = []string{registrar} }, func(w *world) []over {
			return []over{{by: w.office[vc.RoleNotary], purpose: "suspension", index: 2, set: true}}
		}, "OK"},
		{"a court that may not", func(w *world) { w.trust.Issuers[1].MayRevoke = nil }, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true}}
		}, "OK"},
		{"a court for another issuer", func(w *world) { w.trust.Issuers[1].MayRevoke = []string{"did:web:notary.example"} }, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true}}
		}, "OK"},
		{"another child", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 3, set: true}}
		}, "OK"},
		{"a list that nothing names", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true, about: shelf(vc.RoleRegistrar) + "/status/revocation/9"}}
		}, "OK"},
		{"a suspension over a revocation list", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, set: true, about: shelf(vc.RoleRegistrar) + "/status/revocation/1"}}
		}, "OK"},
		{"the younger of two lifts it", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, set: true, at: now.Add(-3 * time.Hour)},
				{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, at: now.Add(-time.Hour)}}
		}, "OK"},
		{"in whatever order they come", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, set: true, at: now.Add(-time.Hour)},
				{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, at: now.Add(-3 * time.Hour)}}
		}, "STATUS_SUSPENDED"},
		{"one of two authorities", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2},
				{by: w.office[vc.RoleProtection], purpose: "suspension", index: 2, set: true}}
		}, "STATUS_SUSPENDED"},
		{"over a revocation, an empty list", func(w *world) { w.set(vc.PurposeRevocation, 2) }, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2}}
		}, "STATUS_REVOKED"},
		{"in the place of a list that is missing", func(w *world) { delete(w.lists, shelf(vc.RoleRegistrar)+"/status/revocation/1") }, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2}}
		}, "STATUS_UNKNOWN"},
		{"revoked, though the list is missing", func(w *world) { delete(w.lists, shelf(vc.RoleRegistrar)+"/status/revocation/1") }, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true}}
		}, "STATUS_REVOKED STATUS_UNKNOWN"},
		{"an old override still counts", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true, at: now.Add(-20 * day)}}
		}, "STATUS_REVOKED STATUS_UNKNOWN"},
		{"an override of two days that says nothing", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, at: now.Add(-2 * day)}}
		}, "STATUS_STALE"},
		{"an override of nine days that says nothing", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, at: now.Add(-9 * day)}}
		}, "STATUS_UNKNOWN"},
		{"an old override of another list", nil, func(w *world) []over {
			return []over{{by: w.office[vc.RoleCourt], purpose: "suspension", index: 2, at: now.Add(-9 * day), about: shelf(vc.RoleRegistrar) + "/status/suspension/9"}}
		}, "OK"},
		{"a list that nobody signed", nil, func(w *world) []over {
			return []over{{by: w.office["stranger"], purpose: "revocation", index: 2, set: true}}
		}, "OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.trust.Issuers[1].MayRevoke = []string{registrar}
			w.trust.Issuers[2].MayRevoke = []string{registrar}
			if c.world != nil {
				c.world(w)
			}
			text := goodFamily(w)
			for _, o := range c.over(w) {
				w.overrides = append(w.overrides, w.over(o))
			}
			d, _, err := Check(text, w.bundle(), Facts{}, History{}, now)
			if err != nil || strings.Join(d.Codes(), " ") != c.want {
				t.Errorf("%v %v, want %s", d.Codes(), err, c.want)
			}
		})
	}
}

// TestOverrideIsNoList: what speaks over a list does not stand in its place,
// and a list does not speak over itself.
func TestOverrideIsNoList(t *testing.T) {
	w := newWorld(t)
	w.trust.Issuers[1].MayRevoke = []string{"did:web:registrar.example"}
	o := w.over(over{by: w.office[vc.RoleCourt], purpose: "revocation", index: 2, set: true})
	p := w.payload()
	p.StatusLists = append(p.StatusLists, o)
	if b := w.open(p); b.RefusedLists != 1 {
		t.Errorf("%d refused", b.RefusedLists)
	}
	p = w.payload()
	p.Overrides = []string{p.StatusLists[0], "rubbish", corrupt(o, 2)}
	if b := w.open(p); b.RefusedLists != 3 || len(b.over) != 0 {
		t.Errorf("%d refused, %d used", b.RefusedLists, len(b.over))
	}
}

// TestWithdrawnByACourt: an authority also holds back a consent.
func TestWithdrawnByACourt(t *testing.T) {
	w := newWorld(t)
	w.trust.Issuers[1].MayRevoke = []string{"did:web:registrar.example"}
	text := coMother(vc.RoleNotary)(w)
	b := w.bundle()
	d, _, err := Check(text, b, kenya, History{}, now)
	if err != nil || d.Colour != Green {
		t.Fatalf("%v %v", d.Codes(), err)
	}
	consentIndex := int64(w.serial - 1)
	w.overrides = []string{w.over(over{by: w.office[vc.RoleCourt], purpose: "revocation", index: consentIndex, set: true})}
	d, _, err = Check(text, w.bundle(), kenya, History{}, now)
	if err != nil || !slices.Equal(d.Codes(), []string{CodeConsentWithdrawn}) {
		t.Errorf("%v %v", d.Codes(), err)
	}
}

// TestPoliciesInBundles: a bundle whose policies cannot all be used is no
// bundle; one without any leaves every country with the policy for all.
func TestPoliciesInBundles(t *testing.T) {
	files := policy.ShippedFiles()
	for name, raw := range map[string][]json.RawMessage{
		"not a policy":         {json.RawMessage(`{"policyId":"X"}`)},
		"a list":               {json.RawMessage(`[]`)},
		"null":                 {json.RawMessage(`null`)},
		"unknown predicate":    {json.RawMessage(strings.Replace(string(files["GBR-exit.json"]), `"bothParents"`, `"somebody"`, 1))},
		"unknown member":       {json.RawMessage(strings.Replace(string(files["GBR-exit.json"]), `"version"`, `"lenient":true,"version"`, 1))},
		"one good and one bad": {files["ZAF.json"], json.RawMessage(`{}`)},
		"two for one border":   {files["ZAF.json"], files["ZAF.json"]},
	} {
		w := newWorld(t)
		w.policies = raw
		data, err := w.payload().Sign(w.hub)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := Open(data, w.anchors()); !errors.Is(err, ErrBundle) || b != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld(t)
	if b := w.bundle(); b.rules("BRA", policy.Exit).ID != "GENERIC" || b.national() {
		t.Error("a bundle without policies has some")
	}
	w.national()
	b := w.bundle()
	for country, id := range map[string]string{"BRA": "BRA-131-2011", "DEU": "Schengen-exit", "UGA": "GENERIC", "": "GENERIC"} {
		if got := b.rules(country, policy.Exit).ID; got != id {
			t.Errorf("%s: %s", country, got)
		}
	}
	if got := b.rules("BRA", policy.Entry).ID; got != "GENERIC" || !b.national() {
		t.Errorf("entering Brazil: %s", got)
	}
	// A bundle of nothing has the policy for all as well.
	if (&Bundle{}).rules("BRA", policy.Exit).ID != "GENERIC" {
		t.Error("no bundle")
	}
}
