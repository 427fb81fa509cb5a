package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// guardian is somebody with a holder key and the credentials of one
// guardianship.
type guardian struct {
	t      testing.TB
	signer keys.Signer
	did    string
	copies []IssuedCredential
	child  child
}

// newKey gives a fresh holder key.
func newKey(t testing.TB, alg string) (keys.Signer, string) {
	t.Helper()
	k, err := keys.New("holder", "holder", alg, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k.Signer(did.KeyID(id)), id
}

// guardian registers a family and gives its mother her credentials.
func (d *booth) guardian(edit ...func(*vc.Guardianship)) *guardian {
	d.t.Helper()
	b := newBirth()
	return d.guardianOf(child{d.birth(StateIssued, b), d.guardianship(StateIssued, newGuardianship(b, edit...))})
}

func (d *booth) guardianOf(c child) *guardian {
	d.t.Helper()
	g := &guardian{t: d.t, child: c}
	g.signer, g.did = newKey(d.t, keys.EdDSA)
	var err error
	if g.copies, err = d.IssueCopies(context.Background(), c.guardianship.ID, g.did); err != nil {
		d.t.Fatal(explain(err))
	}
	return g
}

// copy gives the holder's credential of a type and profile.
func (g *guardian) copy(kind, profile string) IssuedCredential {
	g.t.Helper()
	for _, c := range g.copies {
		if c.Type == kind && c.Profile == profile {
			return c
		}
	}
	g.t.Fatal("no such copy")
	return IssuedCredential{}
}

// mandate is the id of the guardianship credential in the border shape.
func (g *guardian) mandate() string {
	return "urn:uuid:" + g.copy(vc.TypeGuardianship, ProfileBorder).ID
}

// members of a request about the status of a consent.
type members = map[string]any

// sign signs a request as it is.
func (g *guardian) sign(m any) string {
	g.t.Helper()
	return signed(g.t, g.signer, vc.TypConsentStatus, m)
}

func signed(t testing.TB, s keys.Signer, typ string, m any) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := vc.SignJWS(s, typ, "", b)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

// reservation is a good request to reserve.
func (d *booth) reservation(g *guardian) members {
	return members{"aud": d.DID(), "iat": d.now().Unix(), "jti": token(), "act": "reserve", "guardianship": g.mandate()}
}

// withdrawal is a good request to withdraw.
func (d *booth) withdrawal(s ConsentStatus) members {
	return members{"aud": d.DID(), "iat": d.now().Unix(), "jti": token(), "act": "withdraw", "list": s.Status[0].List, "index": s.Status[0].Index}
}

// but copies a request and changes it; a nil value takes the member out.
func but(m members, name string, value any) members {
	out := members{}
	for k, v := range m {
		out[k] = v
	}
	if out[name] = value; value == nil {
		delete(out, name)
	}
	return out
}

func (d *booth) reserved(g *guardian) ConsentStatus {
	d.t.Helper()
	s, err := d.ReserveConsent(context.Background(), g.sign(d.reservation(g)))
	if err != nil {
		d.t.Fatal(explain(err))
	}
	return s
}

func (d *booth) withdraw(g *guardian, s ConsentStatus) error {
	return d.WithdrawConsent(context.Background(), g.sign(d.withdrawal(s)))
}

// at reads a status as strangers do, in all the lists that have it: whether the
// revocation and the suspension bit are set. The two encodings must agree.
func (d *booth) at(s ConsentStatus) (revoked, suspended bool) {
	d.t.Helper()
	p, ok := d.placeAt(s.Status[0].List, s.Status[0].Index)
	if !ok || len(s.Status) != 2 || s.Status[1].Index != s.Status[0].Index ||
		s.Status[0].Purpose != vc.PurposeRevocation || s.Status[1].Purpose != vc.PurposeSuspension ||
		s.Status[1].List != strings.Replace(s.Status[0].List, "/revocation/", "/suspension/", 1) {
		d.t.Fatalf("not a pair of status entries: %+v", s.Status)
	}
	bit := func(purpose string) bool {
		bits := d.stranger(purpose, p.list)
		return bits[p.index/8]>>(7-p.index%8)&1 == 1
	}
	revoked, suspended = bit(vc.PurposeRevocation), bit(vc.PurposeSuspension)
	want := byte(0)
	switch {
	case revoked:
		want = 1
	case suspended:
		want = 2
	}
	if got := d.tokenBytes(p.list)[p.index/4] >> (p.index % 4 * 2) & 3; got != want {
		d.t.Errorf("the token list says %d and the bitstring lists %d", got, want)
	}
	d.agree(p.list) // and the CWT
	return revoked, suspended
}

func (d *booth) wantAt(s ConsentStatus, revoked, suspended bool) {
	d.t.Helper()
	if r, x := d.at(s); r != revoked || x != suspended {
		d.t.Errorf("published: revoked %v suspended %v, want %v %v", r, x, revoked, suspended)
	}
}

func eachBooth(t *testing.T, fn func(t *testing.T, d *booth)) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) { fn(t, newBooth(t, db, newRing(t, keys.EdDSA))) })
}

// A guardian reserves a place and withdraws: strangers read it from the
// published lists, in both encodings, and nothing else changes.
func TestConsentStatus(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g := d.guardian()
		s := d.reserved(g)
		d.wantAt(s, false, false)
		if q := d.total(`SELECT COUNT(*) FROM status_lists WHERE type = 'TravelConsentCredential' AND quarter = '2028Q4'`); q != 1 {
			t.Error("no list of its own for consents that end in two years")
		}
		if want := time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC); !s.ValidUntil.Equal(want) {
			t.Errorf("valid until %v", s.ValidUntil)
		}
		index, err := d.StatusIndex(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Status {
			if !strings.Contains(string(index.Body), `"`+e.List+`"`) {
				t.Errorf("%s is not in the index", e.List)
			}
		}
		other := d.reserved(g)
		if other.Status[0].Index == s.Status[0].Index {
			t.Fatal("one place twice")
		}
		before := d.total(`SELECT COUNT(*) FROM status_changes`)
		version := d.total(`SELECT version FROM status_lists WHERE type = 'TravelConsentCredential'`)
		for range 3 { // idempotent
			if err := d.withdraw(g, s); err != nil {
				t.Fatal(explain(err))
			}
			d.pass(time.Minute)
		}
		d.wantAt(s, true, false)
		d.wantAt(other, false, false)
		if n := d.total(`SELECT COUNT(*) FROM status_changes`); n != before+1 {
			t.Errorf("%d changes for one withdrawal", n-before)
		}
		if n := d.total(`SELECT version FROM status_lists WHERE type = 'TravelConsentCredential'`); n != version+1 {
			t.Errorf("the version of the list rose by %d", n-version)
		}
		// The guardianship is untouched, and nobody was told.
		d.checkShelf(nil)
		if n := d.total(`SELECT COUNT(*) FROM status_acts`) + d.total(`SELECT COUNT(*) FROM approvals`); n != 0 {
			t.Errorf("%d acts of an office", n)
		}
		// The ledger has a salted hash of each act and can tell nothing from it.
		for kind, want := range map[string]int{actReserved: 2, actWithdrawn: 1} {
			if n := d.total(`SELECT COUNT(DISTINCT hash) FROM commitments WHERE kind = $1 AND length(salt) = 32 AND length(hash) = 32`, kind); n != want {
				t.Errorf("%d commitments of kind %s", n, kind)
			}
		}
	})
}

// A jti that is repeated gets the same place, also in a request that is signed
// anew; with another guardianship it is refused.
func TestConsentStatusReplay(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		b := newBirth()
		c := child{d.birth(StateIssued, b), d.guardianship(StateIssued, newGuardianship(b))}
		g := d.guardianOf(c)
		first := d.reservation(g)
		s, err := d.ReserveConsent(ctx, g.sign(first))
		if err != nil {
			t.Fatal(explain(err))
		}
		again, err := d.ReserveConsent(ctx, g.sign(first))
		d.pass(time.Hour)
		third, err2 := d.ReserveConsent(ctx, g.sign(but(first, "iat", d.now().Unix())))
		if err != nil || err2 != nil || fmt.Sprint(again) != fmt.Sprint(s) || fmt.Sprint(third) != fmt.Sprint(s) {
			t.Errorf("%v %v: %v, %v, %v", err, err2, s, again, third)
		}
		// Somebody else's jti is their own.
		h := d.guardianOf(c)
		other, err := d.ReserveConsent(ctx, h.sign(but(d.reservation(h), "jti", first["jti"])))
		if err != nil || other.Status[0].Index == s.Status[0].Index {
			t.Errorf("another guardian with the same jti: %v", err)
		}
		// The same key for another child, with the same jti.
		b2 := newBirth()
		c2 := child{d.birth(StateIssued, b2), d.guardianship(StateIssued, newGuardianship(b2))}
		more, err := d.IssueCopies(ctx, c2.guardianship.ID, g.did)
		if err != nil {
			t.Fatal(explain(err))
		}
		g2 := &guardian{t: t, signer: g.signer, did: g.did, copies: more, child: c2}
		_, err = d.ReserveConsent(ctx, g2.sign(but(d.reservation(g2), "jti", first["jti"])))
		wantFault(t, err, ErrConsentReused)
		if n := d.total(`SELECT COUNT(*) FROM consent_places`); n != 2 {
			t.Errorf("%d places", n)
		}
		// What was taken and not used is there for the next.
		name, _ := consentList(d.now())
		if l := d.store.lists.open[name]; l == nil || l.next-int64(len(l.back)) != 2 {
			t.Errorf("places are lost: %+v", l)
		}
		if last := d.reserved(g); last.Status[0].Index == s.Status[0].Index || last.Status[0].Index == other.Status[0].Index {
			t.Error("one place twice")
		}
	})
}

// Who may not consent by a guardianship learns nothing: one fault for all.
func TestConsentStatusOfOthers(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g := d.guardian()
		stranger := &guardian{t: t}
		stranger.signer, stranger.did = newKey(t, keys.EdDSA)
		powerless := d.guardian(func(g *vc.Guardianship) { g.Powers = []string{"travelAccompany"} })
		paper := "urn:uuid:" + g.child.guardianship.Credentials[0].ID
		birth := "urn:uuid:" + g.copy(vc.TypeBirth, ProfileFull).ID
		revoked, suspended, orphan := d.guardian(), d.guardian(), d.guardian()
		d.revoke(revoked.copies[1].ID)
		for _, c := range []string{suspended.child.guardianship.Credentials[0].ID, orphan.child.birth.Credentials[0].ID} {
			if _, err := d.Suspend(ctx, clara, c, "safety", ""); err != nil {
				t.Fatal(explain(err))
			}
		}
		for name, x := range map[string]struct {
			by *guardian
			m  members
		}{
			"nobody's guardianship":     {g, but(d.reservation(g), "guardianship", "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11")},
			"somebody else's":           {stranger, d.reservation(g)},
			"without the power":         {powerless, d.reservation(powerless)},
			"a paper credential":        {g, but(d.reservation(g), "guardianship", paper)},
			"a birth credential":        {g, but(d.reservation(g), "guardianship", birth)},
			"revoked":                   {revoked, d.reservation(revoked)},
			"suspended":                 {suspended, d.reservation(suspended)},
			"of a child who is no more": {orphan, d.reservation(orphan)},
		} {
			if _, err := d.ReserveConsent(ctx, x.by.sign(x.m)); !errors.Is(err, ErrNoSuchGuardianship) || err.Error() != ErrNoSuchGuardianship.Error() {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A credential that is over, and a ward who came of age.
		d.pass(366 * 24 * time.Hour)
		_, err := d.ReserveConsent(ctx, g.sign(d.reservation(g)))
		wantFault(t, err, ErrNoSuchGuardianship)
		if n := d.total(`SELECT COUNT(*) FROM consent_places`); n != 0 {
			t.Errorf("%d places", n)
		}
		if n := d.total(`SELECT COUNT(*) FROM status_lists WHERE type = 'TravelConsentCredential'`); n != 0 {
			t.Error("strangers use up the lists")
		}
	})
}

// Every one of the conditions counts by itself.
func TestMayConsent(t *testing.T) {
	b := newBirth()
	at := deskTime
	good := func() (c copied, g, ward row) {
		c = copied{CredentialInfo: CredentialInfo{Type: vc.TypeGuardianship, State: StatusValid, ValidUntil: at.Add(time.Hour)}}
		return c, row{State: StateIssued, Status: StatusValid, Record: raw(t, newGuardianship(b))}, row{State: StateIssued, Status: StatusValid, Record: raw(t, b)}
	}
	for name, x := range map[string]struct {
		edit func(c *copied, g, ward *row)
		want bool
	}{
		"good":                {func(*copied, *row, *row) {}, true},
		"another type":        {func(c *copied, _, _ *row) { c.Type = vc.TypeBirth }, false},
		"a revoked copy":      {func(c *copied, _, _ *row) { c.State = StatusRevoked }, false},
		"no status":           {func(c *copied, _, _ *row) { c.State = "" }, false},
		"a copy that is over": {func(c *copied, _, _ *row) { c.ValidUntil = at }, false},
		"a revoked mandate":   {func(_ *copied, g, _ *row) { g.Status = StatusRevoked }, false},
		"a suspended mandate": {func(_ *copied, g, _ *row) { g.Status = StatusSuspended }, false},
		"a mandate on hold":   {func(_ *copied, g, _ *row) { g.State = StateHeld }, false},
		"a revoked birth":     {func(_ *copied, _, w *row) { w.Status = StatusRevoked }, false},
		"a birth that waits":  {func(_ *copied, _, w *row) { w.State = StatePending }, false},
		"a mandate that is over": {func(_ *copied, g, _ *row) {
			g.Record = raw(t, newGuardianship(b, func(g *vc.Guardianship) { g.Effective.Until = "2026-11-19" }))
		}, false},
		"a child of age": {func(_ *copied, _, w *row) {
			w.Record = raw(t, newBirth(func(b *vc.Birth) { b.BirthDate.Value = "2008-11-19" }))
		}, false},
		"no power": {func(_ *copied, g, _ *row) {
			g.Record = raw(t, newGuardianship(b, func(g *vc.Guardianship) { g.Powers = []string{"travelAccompany"} }))
		}, false},
	} {
		c, g, ward := good()
		x.edit(&c, &g, &ward)
		if got, err := (mandated{power: powerConsent}).may(c, g, ward, at); err != nil || got != x.want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

// Only the key that reserved withdraws, and nobody learns who did.
func TestWithdrawOfOthers(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g := d.guardian()
		other := d.guardianOf(g.child) // the same guardianship, another key
		s := d.reserved(g)
		mandate := g.copy(vc.TypeGuardianship, ProfileBorder)
		var own vc.Credential
		if err := json.Unmarshal([]byte(payloadOf(t, mandate.JWT)), &own); err != nil {
			t.Fatal(err)
		}
		good := d.withdrawal(s)
		for name, x := range map[string]struct {
			by *guardian
			m  members
		}{
			"somebody else's":            {other, good},
			"a place nobody has":         {g, but(good, "index", strconv.Itoa(one(t, d.db, `SELECT CASE WHEN idx = 0 THEN 1 ELSE 0 END FROM consent_places`)))},
			"a place outside the list":   {g, but(good, "index", "99999999999")},
			"an index in other spelling": {g, but(good, "index", "0"+s.Status[0].Index)},
			"a list that is not there":   {g, but(good, "list", strings.Replace(s.Status[0].List, "/revocation/", "/revocation/9", 1))},
			"a list in other spelling":   {g, but(good, "list", strings.Replace(s.Status[0].List, "/revocation/", "/revocation/0", 1))},
			"a list with a sign":         {g, but(good, "list", strings.Replace(s.Status[0].List, "/revocation/", "/revocation/+", 1))},
			"the suspension list":        {g, but(good, "list", s.Status[1].List)},
			"the token list":             {g, but(good, "list", strings.Replace(s.Status[0].List, "/revocation/", "/token/", 1))},
			"another issuer's list":      {g, but(good, "list", strings.Replace(s.Status[0].List, "registry", "registries", 1))},
			"a list with a query":        {g, but(good, "list", s.Status[0].List+"?")},
			"a guardianship credential":  {g, but(but(good, "list", own.Status[0].List), "index", own.Status[0].Index)},
			"nothing":                    {g, but(but(good, "list", ""), "index", "")},
		} {
			if err := d.WithdrawConsent(ctx, x.by.sign(x.m)); !errors.Is(err, ErrNoSuchConsent) || err.Error() != ErrNoSuchConsent.Error() {
				t.Errorf("%s: %v", name, err)
			}
		}
		d.wantAt(s, false, false)
		d.checkShelf(nil)
		if err := d.withdraw(g, s); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(s, true, false)
	})
}

// payloadOf reads a compact JWS without verifying it.
func payloadOf(t testing.TB, jwt string) string {
	t.Helper()
	s, err := vc.SplitJWS(jwt)
	if err != nil {
		t.Fatal(err)
	}
	return string(s.PayloadUnverified())
}

// What is not exactly a request of ours, now, is refused.
func TestConsentRequestsRefused(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	g := d.guardian()
	other, _ := newKey(t, keys.EdDSA)
	good := d.reservation(g)
	if _, err := d.ReserveConsent(ctx, g.sign(good)); err != nil {
		t.Fatal(explain(err))
	}
	s := d.reserved(g)
	body := func(m any) string {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	rawSigned := func(payload string) string {
		jws, err := vc.SignJWS(g.signer, vc.TypConsentStatus, "", []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	named := func(s keys.Signer, kid string) keys.Signer { s.KID = kid; return s }
	for name, x := range map[string]struct {
		request string
		want    error
	}{
		"nothing":                    {"", ErrConsentRequest},
		"no JWS":                     {"a.b.c", ErrConsentRequest},
		"another type":               {signed(t, g.signer, vc.TypReissue, good), ErrConsentRequest},
		"no type":                    {signed(t, g.signer, "", good), ErrConsentRequest},
		"another key":                {signed(t, named(other, g.signer.KID), vc.TypConsentStatus, good), ErrConsentRequest},
		"a key without a name":       {signed(t, named(g.signer, ""), vc.TypConsentStatus, good), ErrConsentRequest},
		"a key by its DID":           {signed(t, named(g.signer, g.did), vc.TypConsentStatus, good), ErrConsentRequest},
		"the issuer's key":           {signed(t, named(g.signer, d.DID()+"#key-1"), vc.TypConsentStatus, good), ErrConsentRequest},
		"a changed signature":        {g.sign(good)[:200] + "A" + g.sign(good)[201:], ErrConsentRequest},
		"too long":                   {g.sign(but(good, "jti", strings.Repeat("a", 4096))), ErrConsentRequest},
		"no object":                  {rawSigned(`[]`), ErrConsentRequest},
		"null":                       {rawSigned(`null`), ErrConsentRequest},
		"a member twice":             {rawSigned(strings.Replace(body(good), `"act"`, `"act":"reserve","act"`, 1)), ErrConsentRequest},
		"a member in capitals":       {rawSigned(strings.Replace(body(good), `"aud"`, `"AUD"`, 1)), ErrConsentRequest},
		"data of the journey":        {g.sign(but(good, "trip", members{"departFrom": "ZAF"})), ErrConsentRequest},
		"without a jti":              {g.sign(but(good, "jti", nil)), ErrConsentRequest},
		"a short jti":                {g.sign(but(good, "jti", "abcdefghijklmnopqrstu")), ErrConsentRequest},
		"a jti with a space":         {g.sign(but(good, "jti", "abcdefghijklmnopqrstu v")), ErrConsentRequest},
		"an iat in words":            {g.sign(but(good, "iat", "now")), ErrConsentRequest},
		"a nested guardianship":      {g.sign(but(good, "guardianship", members{"id": g.mandate()})), ErrConsentRequest},
		"no id of a credential":      {g.sign(but(good, "guardianship", g.child.guardianship.ID)), ErrConsentRequest},
		"an id in capitals":          {g.sign(but(good, "guardianship", strings.ToUpper(g.mandate()))), ErrConsentRequest},
		"another act":                {g.sign(but(good, "act", "withdraw")), ErrConsentRequest},
		"a withdrawal":               {g.sign(d.withdrawal(s)), ErrConsentRequest},
		"for another issuer":         {g.sign(but(good, "aud", "did:web:other.example")), ErrConsentOther},
		"for nobody":                 {g.sign(but(good, "aud", nil)), ErrConsentRequest},
		"for several":                {g.sign(but(good, "aud", []string{d.DID()})), ErrConsentRequest},
		"six minutes old":            {g.sign(but(good, "iat", d.now().Add(-6*time.Minute).Unix())), ErrConsentTime},
		"six minutes ahead":          {g.sign(but(good, "iat", d.now().Add(6*time.Minute).Unix())), ErrConsentTime},
		"before all time":            {rawSigned(strings.Replace(body(good), `"iat":`, `"iat":-9223372036854775808,"x":`, 1)), ErrConsentRequest},
		"of the beginning of time":   {g.sign(but(good, "iat", int64(-9223372036854775808))), ErrConsentTime},
		"of the end of time":         {g.sign(but(good, "iat", int64(9223372036854775807))), ErrConsentTime},
		"a guardianship of no kind":  {g.sign(but(good, "guardianship", nil)), ErrConsentRequest},
		"a request with a list also": {g.sign(but(good, "list", s.Status[0].List)), ErrConsentRequest},
	} {
		if _, err := d.ReserveConsent(ctx, x.request); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
	for name, x := range map[string]struct {
		m    members
		want error
	}{
		"a reservation":      {good, ErrConsentRequest},
		"an index in number": {but(d.withdrawal(s), "index", 7), ErrConsentRequest},
		"old":                {but(d.withdrawal(s), "iat", d.now().Add(-6*time.Minute).Unix()), ErrConsentTime},
		"for another":        {but(d.withdrawal(s), "aud", "did:web:other.example"), ErrConsentOther},
		"with a reason":      {but(d.withdrawal(s), "reason", "x"), ErrConsentRequest},
	} {
		if err := d.WithdrawConsent(ctx, g.sign(x.m)); !errors.Is(err, x.want) {
			t.Errorf("withdrawal, %s: %v, want %v", name, err, x.want)
		}
	}
	d.wantAt(s, false, false)
	if n := d.total(`SELECT COUNT(*) FROM consent_places`); n != 2 {
		t.Errorf("%d places", n)
	}
}

// A guardian's holder key may be of P-256, as OpenID4VCI lets wallets choose.
func TestConsentStatusP256(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	c := d.child()
	g := &guardian{t: t, child: c}
	g.signer, g.did = newKey(t, keys.ES256)
	var err error
	if g.copies, err = d.IssueCopies(ctx, c.guardianship.ID, g.did); err != nil {
		t.Fatal(explain(err))
	}
	s := d.reserved(g)
	if err := d.withdraw(g, s); err != nil {
		t.Fatal(explain(err))
	}
	d.wantAt(s, true, false)
}

// One guardian cannot use up the lists.
func TestConsentStatusLimit(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	g := d.guardian()
	first := d.reservation(g)
	if _, err := d.ReserveConsent(ctx, g.sign(first)); err != nil {
		t.Fatal(explain(err))
	}
	for range consentsPerDay - 1 {
		d.reserved(g)
	}
	_, err := d.ReserveConsent(ctx, g.sign(d.reservation(g)))
	wantFault(t, err, ErrConsentLimit)
	if _, err := d.ReserveConsent(ctx, g.sign(first)); err != nil {
		t.Errorf("a request that is repeated: %v", err)
	}
	d.reserved(d.guardianOf(g.child)) // the other key of the same guardianship
	d.pass(24 * time.Hour)
	d.reserved(g)
}

// Who loses the mandate cannot go on consenting: places follow the guardianship,
// and what was withdrawn stays so.
func TestConsentFollowsGuardianship(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g, other := d.guardian(), d.guardian()
		kept, gone, others := d.reserved(g), d.reserved(g), d.reserved(other)
		if err := d.withdraw(g, gone); err != nil {
			t.Fatal(explain(err))
		}
		credential := g.child.guardianship.Credentials[0].ID
		if _, err := d.Suspend(ctx, clara, credential, "safety", ""); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(kept, false, true)
		d.wantAt(gone, true, false)
		d.wantAt(others, false, false)
		if _, err := d.Reinstate(ctx, clara, credential, "resolved", ""); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(kept, false, false)
		d.wantAt(gone, true, false)
		late := d.reserved(g)
		// Withdrawn while the mandate is suspended, and not good again after.
		if _, err := d.Suspend(ctx, clara, credential, "safety", ""); err != nil {
			t.Fatal(explain(err))
		}
		if err := d.withdraw(g, late); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(late, true, true)
		if _, err := d.Reinstate(ctx, clara, credential, "resolved", ""); err != nil {
			t.Fatal(explain(err))
		}
		if r, _ := d.at(late); !r {
			t.Error("a withdrawn consent is good again")
		}
		d.revoke(credential)
		d.wantAt(kept, true, false)
		d.wantAt(others, false, false)
		if err := d.withdraw(g, kept); err != nil {
			t.Errorf("withdrawing what fell: %v", err)
		}
		if n := d.total(`SELECT COUNT(*) FROM status_changes c JOIN consent_places p ON p.list = c.list AND p.idx = c.idx WHERE c.purpose = 'revocation'`); n != 3 {
			t.Errorf("%d revocations of three places", n)
		}
	})
}

// A suspension that nobody confirms ends for the consents too.
func TestConsentAfterSuspension(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g := d.guardian()
		s, gone := d.reserved(g), d.reserved(g)
		if _, err := d.Suspend(ctx, peter, g.child.guardianship.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(explain(err))
		}
		if err := d.withdraw(g, gone); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(s, false, true)
		d.pass(suspensionTerm + time.Minute)
		if _, err := d.store.expireSuspensions(ctx); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(s, false, false)
		d.wantAt(gone, true, true) // what is revoked stays as it was published
		d.reserved(g)
	})
}

// A birth takes the consents for its child with it.
func TestConsentFallsWithBirth(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g, other := d.guardian(), d.guardian()
		s, others := d.reserved(g), d.reserved(other)
		d.revoke(g.child.birth.Credentials[0].ID)
		d.wantAt(s, true, false)
		d.wantAt(others, false, false)
	})
}

// A guardianship that is corrected gets new credentials: consents that cite the
// old ones fall with these.
func TestConsentFallsWithCorrection(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		b := newBirth()
		mandate := newGuardianship(b)
		g := d.guardianOf(child{d.birth(StateIssued, b), d.guardianship(StateIssued, mandate)})
		s := d.reserved(g)
		changed := *mandate
		changed.Powers = []string{"travelAccompany", "travelConsent"}
		o, err := d.CorrectGuardianship(ctx, rita, g.child.guardianship.ID, raw(t, changed), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if o.State == StatePending {
			d.approve(o)
		}
		d.wantAt(s, true, false)
		_, err = d.ReserveConsent(ctx, g.sign(d.reservation(g)))
		wantFault(t, err, ErrNoSuchGuardianship) // the old credential
		if g.copies, err = d.IssueCopies(ctx, g.child.guardianship.ID, g.did); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(d.reserved(g), false, false)
	})
}

// One jti from two sides at once is one place.
func TestReserveTwiceAtOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		a, b, db := replicas(t, engine)
		d := &booth{a}
		g := d.guardian()
		request := g.sign(d.reservation(g))
		places := make(chan string, 16)
		for n := range 16 {
			i := a
			if n%2 == 1 {
				i = b
			}
			go func() {
				s, err := i.ReserveConsent(ctx, request)
				if err != nil {
					t.Error(explain(err))
				}
				places <- fmt.Sprint(s)
			}()
		}
		first := <-places
		for range 15 {
			if p := <-places; p != first {
				t.Errorf("%s and %s", first, p)
			}
		}
		if n := one(t, db, `SELECT COUNT(*) FROM consent_places`); n != 1 {
			t.Errorf("%d places", n)
		}
	})
}

// Reservations and withdrawals beside a revocation: whatever comes first, every
// place that was given out ends revoked, each with one change.
func TestConsentBesideRevocation(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		a, b, db := replicas(t, engine)
		d, e := &booth{a}, &booth{b}
		g := d.guardian()
		early := d.reserved(g)
		o, err := d.Revoke(ctx, rita, g.copies[0].ID, "fraud", "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if o, err = d.Revoke(ctx, rita, g.child.guardianship.Credentials[0].ID, "fraud", ""); err != nil {
			t.Fatal(explain(err))
		}
		var requests []string
		for range 12 {
			requests = append(requests, g.sign(d.reservation(g)))
		}
		withdraw := g.sign(d.withdrawal(early))
		var wg sync.WaitGroup
		for n, r := range requests {
			wg.Add(1)
			go func() {
				defer wg.Done()
				i := d
				if n%2 == 1 {
					i = e
				}
				if _, err := i.ReserveConsent(ctx, r); err != nil && !errors.Is(err, ErrNoSuchGuardianship) {
					t.Error(explain(err))
				}
			}()
		}
		wg.Add(2)
		go func() {
			defer wg.Done()
			if _, err := e.Approve(ctx, rob, o.Approval, true); err != nil {
				t.Error(explain(err))
			}
		}()
		go func() {
			defer wg.Done()
			if err := d.WithdrawConsent(ctx, withdraw); err != nil {
				t.Error(explain(err))
			}
		}()
		wg.Wait()
		d.wantAt(early, true, false)
		if n := one(t, db, `SELECT COUNT(*) FROM consent_places WHERE status <> 'revoked'`); n != 0 {
			t.Errorf("%d places outlive the guardianship", n)
		}
		places := one(t, db, `SELECT COUNT(*) FROM consent_places`)
		changes := one(t, db, `SELECT COUNT(*) FROM status_changes c JOIN consent_places p ON p.list = c.list AND p.idx = c.idx`)
		if changes != places {
			t.Errorf("%d changes for %d places", changes, places)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM consent_places p WHERE EXISTS (SELECT 1 FROM credentials c WHERE c.list = p.list AND c.idx = p.idx)`); n != 0 {
			t.Error("a consent has a credential's place")
		}
	})
}

// What was reserved and withdrawn outlives the process, and a place is never
// given out again after a crash.
func TestConsentStatusRestart(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		url := storetest.URL(t, engine, "issuer")
		ring := newRing(t, keys.EdDSA)
		db := storetest.Reopen(t, url, "issuer")
		d := newBooth(t, db, ring)
		g := d.guardian()
		first := d.reservation(g)
		s, err := d.ReserveConsent(ctx, g.sign(first))
		if err != nil {
			t.Fatal(explain(err))
		}
		gone := d.reserved(g)
		if err := d.withdraw(g, gone); err != nil {
			t.Fatal(explain(err))
		}
		db.Close()
		d = newBooth(t, storetest.Reopen(t, url, "issuer"), ring)
		again, err := d.ReserveConsent(ctx, g.sign(first))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
			t.Errorf("another answer after a restart: %v", err)
		}
		d.wantAt(s, false, false)
		d.wantAt(gone, true, false)
		if x := d.reserved(g); x.Status[0].Index == s.Status[0].Index || x.Status[0].Index == gone.Status[0].Index {
			t.Error("one place twice")
		}
		if err := d.withdraw(g, s); err != nil {
			t.Fatal(explain(err))
		}
		d.wantAt(s, true, false)
	})
}

// The lists of consents stay published until the end that was told.
func TestConsentListOutlivesConsents(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), time.Date(2027, 2, 28, 1, 0, 0, 0, time.UTC), time.Date(2028, 2, 29, 1, 0, 0, 0, time.UTC),
	} {
		name, until := consentList(at)
		if until.Before(at.AddDate(2, 0, 3)) || until.After(at.AddDate(2, 5, 0)) || name.quarter != quarter(until.Add(-time.Second)) || name.quarter == quarter(until) {
			t.Errorf("%v: %v until %v", at, name, until)
		}
	}
	if name, _ := consentList(deskTime); name.credential != vc.TypeConsent {
		t.Error("consents share a list with others")
	}
}
