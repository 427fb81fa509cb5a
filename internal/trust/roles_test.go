package trust

import (
	"errors"
	"slices"
	"testing"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// labelled is the document of a register that keeps records for a court and a
// notary.
func labelled(t testing.TB) *did.Document {
	t.Helper()
	d := document(t, registry, map[string]*keys.Key{"key-1": key(t, keys.EdDSA), "court-1": key(t, keys.EdDSA), "notary-1": key(t, keys.ES256)})
	for i := range d.VerificationMethod {
		switch m := &d.VerificationMethod[i]; m.ID {
		case registry + "#court-1":
			m.Role = vc.RoleCourt
		case registry + "#notary-1":
			m.Role = vc.RoleNotary
		}
	}
	return d
}

func rolesByKey(l *vc.TrustList) map[string]string {
	out := map[string]string{}
	for _, k := range l.Issuers[0].Keys {
		out[k.ID[len(registry)+1:]] = k.Role
	}
	return out
}

// TestRolesAreTheOperators: a key gets the role that its document labels it for
// only where the operator named that role as well.
func TestRolesAreTheOperators(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Entry)
		want map[string]string
		err  error
	}{
		"labels alone give nothing": {func(*Entry) {}, map[string]string{"key-1": vc.RoleRegistrar}, nil},
		"one role named": {func(e *Entry) { e.Labelled = []string{vc.RoleCourt} },
			map[string]string{"key-1": vc.RoleRegistrar, "court-1": vc.RoleCourt}, nil},
		"both named": {func(e *Entry) { e.Labelled = []string{vc.RoleCourt, vc.RoleNotary} },
			map[string]string{"key-1": vc.RoleRegistrar, "court-1": vc.RoleCourt, "notary-1": vc.RoleNotary}, nil},
		"labelled alone": {func(e *Entry) { e.Role, e.Types, e.Labelled = "", nil, []string{vc.RoleNotary} },
			map[string]string{"notary-1": vc.RoleNotary}, nil},
		"a role that nothing is labelled for": {func(e *Entry) { e.Role, e.Types, e.Labelled = "", nil, []string{vc.RoleWitness} }, nil, ErrDocument},
		"one key by name": {func(e *Entry) { e.Role, e.Types, e.KeyRoles = "", nil, map[string]string{"key-1": vc.RoleCourt} },
			map[string]string{"key-1": vc.RoleCourt}, nil},
		"a name against the label": {func(e *Entry) { e.KeyRoles = map[string]string{"court-1": vc.RoleNotary} }, nil, ErrLabel},
		"a name of no key":         {func(e *Entry) { e.KeyRoles = map[string]string{"court-9": vc.RoleCourt} }, nil, ErrLabel},
		"no role at all":           {func(e *Entry) { e.Role = "" }, nil, ErrInvalid},
		"a role of nobody":         {func(e *Entry) { e.KeyRoles = map[string]string{"key-1": "judge"} }, nil, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := New(key(t, keys.EdDSA).Public())
			if err != nil {
				t.Fatal(err)
			}
			e := entry(t, registry, nil)
			e.Document = labelled(t)
			c.edit(&e)
			if err := AddIssuer(l, e); !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if c.err != nil {
				if len(l.Issuers) != 0 {
					t.Fatal("a refused entry is on the list")
				}
				return
			}
			got := rolesByKey(l)
			if len(got) != len(c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			for k, role := range c.want {
				if got[k] != role {
					t.Fatalf("%v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestTypesAndBasesByRole: what keys of a role sign is the role's own by
// default, and the legal bases are those that were named for it.
func TestTypesAndBasesByRole(t *testing.T) {
	l, _ := New(key(t, keys.EdDSA).Public())
	e := entry(t, registry, nil)
	e.Document, e.Labelled = labelled(t), []string{vc.RoleCourt, vc.RoleNotary}
	e.Bases = map[string][]string{vc.RoleCourt: {"courtOrder", "kafala"}}
	if err := AddIssuer(l, e); err != nil {
		t.Fatal(err)
	}
	for _, k := range l.Issuers[0].Keys {
		switch k.Role {
		case vc.RoleRegistrar:
			if !slices.Equal(k.Types, e.Types) || k.MayBase("courtOrder") || !k.MayBase("acknowledgement") {
				t.Errorf("registrar: %+v", k)
			}
		case vc.RoleCourt:
			if k.May(vc.TypeBirth) || !k.May(vc.TypeGuardianship) || !k.May(vc.TypeConsent) || !k.MayBase("kafala") || k.MayBase("adoptionPlenary") {
				t.Errorf("court: %+v", k)
			}
		case vc.RoleNotary:
			if k.May(vc.TypeBirth) || k.May(vc.TypeStatusList) || !k.May(vc.TypeConsent) || !k.MayBase("kafala") || k.MayBase("courtOrder") {
				t.Errorf("notary: %+v", k)
			}
		}
	}
	// An edit of a copy leaves the bases and the overridden of the original.
	c := clone(l)
	for i := range c.Issuers[0].Keys {
		for j := range c.Issuers[0].Keys[i].Bases {
			c.Issuers[0].Keys[i].Bases[j] = "changed"
		}
	}
	if err := Validate(l); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{{"courtOrder", "courtOrder"}, {"divorce"}} {
		e.Bases = map[string][]string{vc.RoleCourt: bad}
		fresh, _ := New(key(t, keys.EdDSA).Public())
		if err := AddIssuer(fresh, e); !errors.Is(err, ErrInvalid) {
			t.Errorf("bases %v: %v", bad, err)
		}
	}
	e.Bases = map[string][]string{vc.RoleWitness: {"kafala"}}
	e.Role, e.Types, e.Labelled, e.KeyRoles = "", nil, nil, map[string]string{"key-1": vc.RoleWitness}
	fresh, _ := New(key(t, keys.EdDSA).Public())
	if err := AddIssuer(fresh, e); !errors.Is(err, ErrInvalid) {
		t.Errorf("bases of a key that signs no guardianships: %v", err)
	}
}

// TestMayRevoke: whom an authority may override is named on the list, and only
// for a court or an authority for the protection of children.
func TestMayRevoke(t *testing.T) {
	for name, c := range map[string]struct {
		role string
		of   []string
		err  error
	}{
		"court":           {vc.RoleCourt, []string{"did:web:office.example"}, nil},
		"protection":      {vc.RoleProtection, []string{"did:web:office.example", "did:web:other.example"}, nil},
		"registrar":       {vc.RoleRegistrar, []string{"did:web:office.example"}, ErrInvalid},
		"notary":          {vc.RoleNotary, []string{"did:web:office.example"}, ErrInvalid},
		"itself":          {vc.RoleCourt, []string{registry}, ErrInvalid},
		"twice":           {vc.RoleCourt, []string{"did:web:office.example", "did:web:office.example"}, ErrInvalid},
		"a key":           {vc.RoleCourt, []string{"did:web:office.example#key-1"}, ErrInvalid},
		"no DID":          {vc.RoleCourt, []string{"https://office.example"}, ErrInvalid},
		"more than bound": {vc.RoleCourt, make([]string, maxOverridden+1), ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := New(key(t, keys.EdDSA).Public())
			e := entry(t, registry, map[string]*keys.Key{"k": key(t, keys.EdDSA)})
			e.Role, e.Types, e.MayRevoke = c.role, DefaultTypes(c.role), c.of
			yes := true
			e.ConsentStatus = &yes
			if err := AddIssuer(l, e); !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if c.err != nil {
				return
			}
			if !slices.Equal(l.Issuers[0].MayRevoke, c.of) || !l.Issuers[0].ConsentStatus {
				t.Fatalf("%+v", l.Issuers[0])
			}
			// Adding the keys that a document gained says nothing of the rest.
			e.MayRevoke, e.ConsentStatus = nil, nil
			if err := AddIssuer(l, e); err != nil || !slices.Equal(l.Issuers[0].MayRevoke, c.of) || !l.Issuers[0].ConsentStatus {
				t.Fatalf("after another edit: %v %+v", err, l.Issuers[0])
			}
			no := false
			e.MayRevoke, e.ConsentStatus = []string{}, &no
			if err := AddIssuer(l, e); err != nil || len(l.Issuers[0].MayRevoke) != 0 || l.Issuers[0].ConsentStatus {
				t.Fatalf("taken back: %v %+v", err, l.Issuers[0])
			}
		})
	}
}
