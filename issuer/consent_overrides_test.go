package issuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// An authority that the trust list lets override this registry is asked before
// anything is witnessed; what it calls revoked or suspended cannot be used.
func TestWitnessAsksWhoOverrides(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	files := map[string]string{}
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, ok := files[r.URL.Path]
		if !ok {
			w.WriteHeader(404)
			return
		}
		fmt.Fprint(w, body)
	}))
	defer srv.Close()
	court, err := did.FromURL(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	ring := &keys.Ring{}
	addOffices(t, ring, deskTime, RoleCourt, RoleProtection)
	authority := vc.TrustIssuer{DID: court, Name: "Court", Shelf: srv.URL, MayRevoke: []string{b.DID()}}
	for _, role := range []string{RoleCourt, RoleProtection} {
		k := ring.Of(role)[0]
		x := vc.TrustKey{ID: court + "#" + k.Name, Role: role, Types: []string{vc.TypeGuardianship, vc.TypeStatusList}, NotBefore: k.NotBefore}
		if x.JWK, err = vc.PublicJWK(k.Public(), x.ID, k.Alg); err != nil {
			t.Fatal(err)
		}
		authority.Keys = append(authority.Keys, x)
	}
	b.trusted.Issuers = append(b.trusted.Issuers, authority)
	b.fetcher = didweb.New(didweb.Config{Loopback: true, Timeout: 2 * time.Second})
	g := b.guardian()
	d := b.dossier(b.trip(g), g)
	entry := func(jwt, purpose string) vc.StatusEntry {
		var c vc.Credential
		if err := json.Unmarshal([]byte(payloadOf(t, jwt)), &c); err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Status {
			if e.Purpose == purpose {
				return e
			}
		}
		t.Fatal("no such entry")
		return vc.StatusEntry{}
	}
	// list is the first list of the authority, signed in a role, over an entry.
	list := func(role string, e vc.StatusEntry, edit ...func(*vc.Credential)) string {
		bits, err := status.New(status.MinSize)
		if err != nil {
			t.Fatal(err)
		}
		index, err := status.ParseIndex(e.Index)
		if err != nil || bits.Set(index) != nil {
			t.Fatal(err)
		}
		encoded, err := bits.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c := vc.Credential{Context: []string{vc.ContextV2}, ID: srv.URL + "/overrides/1", Type: []string{vc.TypeCredential, vc.TypeStatusList}, Issuer: court,
			ValidFrom: deskTime.Add(-time.Hour), ValidTo: deskTime.AddDate(0, 0, 7),
			Subject: raw(t, members{"id": e.List + "#list", "type": "BitstringStatusList", "statusPurpose": e.Purpose, "encodedList": encoded})}
		for _, x := range edit {
			x(&c)
		}
		k := ring.Of(role)[0]
		return signed(t, k.Signer(court+"#"+k.Name), vc.TypCredential, c)
	}
	const one = "/overrides/1"
	index := func(names ...string) string {
		lists := []string{}
		for _, n := range names {
			lists = append(lists, srv.URL+n)
		}
		return string(raw(t, members{"lists": lists}))
	}
	birth, mandate, consent := entry(d.Birth, vc.PurposeRevocation), entry(d.Guardianships[0], vc.PurposeSuspension), entry(d.Consents[0], vc.PurposeRevocation)
	elsewhere := birth
	elsewhere.List = b.cfg.Base + "/status/revocation/7"
	other := birth
	other.Index = "1"
	if birth.Index == "1" {
		other.Index = "2"
	}
	for name, x := range map[string]struct {
		files map[string]string
		want  error
		path  string
	}{
		"nothing is overridden":         {map[string]string{"/overrides": index()}, nil, ""},
		"the birth is revoked":          {map[string]string{"/overrides": index(one), one: list(RoleCourt, birth)}, ErrDossier, "/birth"},
		"the mandate is suspended":      {map[string]string{"/overrides": index(one), one: list(RoleProtection, mandate)}, ErrDossier, "/guardianships/0"},
		"the consent is revoked":        {map[string]string{"/overrides": index(one), one: list(RoleCourt, consent)}, ErrDossier, "/consents/0"},
		"another credential":            {map[string]string{"/overrides": index(one), one: list(RoleCourt, other)}, nil, ""},
		"another list":                  {map[string]string{"/overrides": index(one), one: list(RoleCourt, elsewhere)}, nil, ""},
		"it does not answer":            {nil, ErrDossierStatus, ""},
		"a list is missing":             {map[string]string{"/overrides": index(one)}, ErrDossierStatus, ""},
		"no index":                      {map[string]string{"/overrides": `{}`}, ErrDossierStatus, ""},
		"not JSON":                      {map[string]string{"/overrides": `<html>`}, ErrDossierStatus, ""},
		"too many":                      {map[string]string{"/overrides": index(strings.Split(strings.Repeat(one+" ", maxOverrides+1), " ")...)}, ErrDossierStatus, ""},
		"a list on another host":        {map[string]string{"/overrides": `{"lists":["https://evil.example/overrides/1"]}`}, ErrDossierStatus, ""},
		"a list beside the others":      {map[string]string{"/overrides": index("/overrides/../status/1")}, ErrDossierStatus, ""},
		"revoked by who only suspends":  {map[string]string{"/overrides": index(one), one: list(RoleProtection, birth)}, ErrDossierStatus, ""},
		"a list of yesterday's morning": {map[string]string{"/overrides": index(one), one: list(RoleCourt, other, func(c *vc.Credential) { c.ValidFrom = deskTime.Add(-25 * time.Hour) })}, ErrDossierStatus, ""},
		"a list that is over":           {map[string]string{"/overrides": index(one), one: list(RoleCourt, other, func(c *vc.Credential) { c.ValidTo = deskTime })}, ErrDossierStatus, ""},
		"a list of another address":     {map[string]string{"/overrides": index(one), one: list(RoleCourt, other, func(c *vc.Credential) { c.ID += "1" })}, ErrDossierStatus, ""},
		"a list of another issuer":      {map[string]string{"/overrides": index(one), one: list(RoleCourt, other, func(c *vc.Credential) { c.Issuer = b.DID() })}, ErrDossierStatus, ""},
		"a list about itself": {map[string]string{"/overrides": index(one), one: list(RoleCourt, vc.StatusEntry{List: srv.URL + one, Index: "1", Purpose: vc.PurposeRevocation})},
			ErrDossierStatus, ""},
		"a list of the registry": {map[string]string{"/overrides": index(one), one: func() string {
			p, err := b.StatusList(ctx, vc.PurposeRevocation, 1)
			if err != nil {
				t.Fatal(explain(err))
			}
			return string(p.Body)
		}()}, ErrDossierStatus, ""},
		"a list cut short": {map[string]string{"/overrides": index(one), one: list(RoleCourt, other)[:300]}, ErrDossierStatus, ""},
	} {
		clear(files)
		for k, v := range x.files {
			files[k] = v
		}
		_, err := b.WitnessConsent(ctx, nora, d, "")
		if !errors.Is(err, x.want) || x.path != "" && !strings.Contains(err.Error(), x.path+" cannot be used") {
			t.Errorf("%s: %v, want %v", name, why(err), x.want)
		}
	}
	// Who may not override this registry is not asked.
	b.trusted.Issuers[1].MayRevoke = []string{"did:web:other.example"}
	clear(files)
	calls = 0
	if _, err := b.WitnessConsent(ctx, nora, d, ""); err != nil || calls != 0 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func why(err error) string {
	if err == nil {
		return "no fault"
	}
	return explain(err)
}
