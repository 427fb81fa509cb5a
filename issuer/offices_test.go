package issuer

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

// addOffices adds the keys of these offices to a ring, as the command line makes
// them.
func addOffices(t testing.TB, ring *keys.Ring, at time.Time, offices ...string) {
	t.Helper()
	for _, o := range offices {
		for _, u := range []struct{ use, name, alg string }{{o, o + "-1", keys.EdDSA}, {keys.SelectiveOf(o), o + "-selective-1", keys.ES256}} {
			k, err := keys.New(u.name, u.use, u.alg, at.AddDate(-1, 0, 0), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if err := ring.Add(k); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// ringOf is a ring with the keys of these offices alone.
func ringOf(t testing.TB, offices ...string) *keys.Ring {
	t.Helper()
	ring := newRing(t, keys.EdDSA)
	ring.Keys = slices.DeleteFunc(ring.Keys, func(k *keys.Key) bool { return keys.RoleOf(k.Use) != "" })
	addOffices(t, ring, deskTime, offices...)
	return ring
}

// TestSignerByRole: each role signs with its own key, and a role whose key the
// office does not hold with none.
func TestSignerByRole(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := ringOf(t, RoleCourt, RoleNotary)
		d := openDeskWith(t, Config{DB: db, Ring: ring})
		for role, want := range map[string]string{"": "#key-1", RoleRegistrar: "#key-1", RoleCourt: "#court-1", RoleNotary: "#notary-1"} {
			s, err := d.signer(role)
			if err != nil || s.KID != d.DID()+want {
				t.Errorf("%q: %v %v", role, s.KID, err)
			}
		}
		for _, role := range []string{RoleProtection, RoleConsulate, RoleWitness, RoleHumanitarian} {
			if _, err := d.signer(role); !errors.Is(err, ErrNoRoleKey) {
				t.Errorf("%s: %v", role, err)
			}
		}
		if _, err := d.signer(RoleAuditor); err == nil {
			t.Error("an auditor signs")
		}
		// A key that is over signs no more.
		for _, k := range ring.Of(RoleCourt) {
			k.NotAfter = deskTime
		}
		if _, err := d.signer(RoleCourt); !errors.Is(err, ErrNoRoleKey) {
			t.Errorf("a key that is over: %v", err)
		}
	})
}

// TestDocumentLabelsOffices: the DID document tells which keys are for which
// office, and those of the register have no label.
func TestDocumentLabelsOffices(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := ringOf(t, RoleCourt, RoleHumanitarian)
		d := openDeskWith(t, Config{DB: db, Ring: ring})
		p, err := d.DIDDocument(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := did.ParseDocument(p.Body, d.DID())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, m := range doc.VerificationMethod {
			if doc.Method(m.ID) == nil {
				t.Errorf("%s is not for assertions", m.ID)
			}
			if selective := m.Type == "Multikey"; selective != keys.Selective(useByName(ring, m.ID[len(d.DID())+1:])) {
				t.Errorf("%s is a %s", m.ID, m.Type)
			}
			got[m.ID[len(d.DID())+1:]] = m.Role
		}
		want := map[string]string{"key-1": "", "selective-1": "", "court-1": RoleCourt, "court-selective-1": RoleCourt,
			"humanitarianOrganisation-1": RoleHumanitarian, "humanitarianOrganisation-selective-1": RoleHumanitarian}
		for k, role := range want {
			if r, ok := got[k]; !ok || r != role {
				t.Errorf("%s: %q, want %q", k, r, role)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%v, want %v", got, want)
		}
		jwks, err := d.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Keys []struct {
				Kid string `json:"kid"`
			} `json:"keys"`
		}
		if err := json.Unmarshal(jwks.Body, &set); err != nil || len(set.Keys) != len(want) {
			t.Fatalf("%d keys in the JWK Set: %v", len(set.Keys), err)
		}
		for k := range want {
			if !slices.ContainsFunc(set.Keys, func(x struct {
				Kid string `json:"kid"`
			}) bool {
				return x.Kid == d.DID()+"#"+k
			}) {
				t.Errorf("%s is not in the JWK Set", k)
			}
		}
	})
}

func useByName(r *keys.Ring, name string) string {
	for _, k := range r.Keys {
		if k.Name == name {
			return k.Use
		}
	}
	return ""
}
