package issuer

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// holderCrash reserves a holder's copies of a family in every profile and
// forgets them, as a process does that is killed between reserving and sealing.
func (d *desk) holderCrash() (guardianship, holder string) {
	d.t.Helper()
	b := newBirth()
	d.birth(StateIssued, b)
	g := d.guardianship(StateIssued, newGuardianship(b))
	holder = newHolder(d.t)
	var wanted []copyOf
	for _, p := range []string{ProfileFull, ProfileBorder, ProfileSDJWT, ProfileLDP} {
		wanted = append(wanted, copyOf{profile: p, holder: holder})
	}
	rows, list, err := d.wanted(ctx, g.ID, wanted)
	if err != nil {
		d.t.Fatal(explain(err))
	}
	drafts := make([]*draft, len(list))
	for n, c := range list {
		if _, drafts[n], err = d.haveOrDraft(ctx, c); err != nil || drafts[n] == nil {
			d.t.Fatal(explain(err))
		}
	}
	if err := d.reserveCopies(ctx, rows, list, make([]copied, len(list)), drafts); err != nil {
		d.t.Fatal(explain(err))
	}
	return g.ID, holder
}

// TestRecoverEveryFormat: what a crash left reserved is signed later with the
// bytes that were committed to, and the holder gets that and nothing else.
func TestRecoverEveryFormat(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		guardianship, holder := d.holderCrash()
		open, err := d.store.open(ctx, always, "", 0)
		if err != nil || len(open) != 8 {
			t.Fatal(len(open), err)
		}
		for _, r := range open {
			var salt, hash []byte
			if err := db.QueryRowContext(ctx, `SELECT salt, hash FROM commitments WHERE credential_id = $1`, r.ID).Scan(&salt, &hash); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(hash, commitment(salt, r.Payload)) {
				t.Errorf("%s: the commitment is to other bytes", r.Profile)
			}
		}
		if v, err := d.Verify(ctx); err != nil || v.Bad != 0 {
			t.Errorf("before: %+v, %v", v, err)
		}
		d.pass(24 * time.Hour)
		if r, err := d.Recover(ctx); err != nil || r != (Recovered{Open: 8, Sealed: 8}) {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, r := range open {
			cs, err := d.store.copies(ctx, d.db, `WHERE id = $1`, r.ID)
			if err != nil || len(cs) != 1 || !cs[0].Sealed || cs[0].Profile != r.Profile {
				t.Fatal(cs, err)
			}
			got, err := d.unsecure(form{profile: r.Profile}, cs[0].JWT, d.now())
			if err != nil || !bytes.Equal(got, r.Payload) {
				t.Errorf("%s: other bytes were signed: %v", r.Profile, err)
			}
		}
		copies, err := d.IssueCopies(ctx, guardianship, holder)
		if err != nil || len(copies) != 8 {
			t.Fatal(len(copies), err)
		}
		for _, c := range copies {
			d.checkCopy(c)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE holder <> ''`); n != 8 {
			t.Errorf("%d copies", n)
		}
		if v, err := d.Verify(ctx); err != nil || v != (Verified{Checked: 10}) {
			t.Errorf("after: %+v, %v", v, err)
		}
	})
}

// TestRecoverRefusesEveryFormat: whoever can write the database gets no
// signature over what was not checked, in no format.
func TestRecoverRefusesEveryFormat(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	d.holderCrash()
	open, err := d.store.open(ctx, always, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	other := openDeskWith(t, Config{DB: storetest.Open(t, store.SQLite, "issuer"), Ring: newRing(t, keys.EdDSA)})
	inPayload := func(from, to string) func(reserved) []byte {
		return func(r reserved) []byte {
			if r.Profile != ProfileSDJWT {
				return bytes.ReplaceAll(r.Payload, []byte(from), []byte(to))
			}
			payload, rest, _ := strings.Cut(string(r.Payload), "~")
			text, err := base64.RawURLEncoding.DecodeString(payload)
			if err != nil {
				t.Fatal(err)
			}
			return []byte(base64.RawURLEncoding.EncodeToString(bytes.ReplaceAll(text, []byte(from), []byte(to))) + "~" + rest)
		}
	}
	for name, change := range map[string]func(reserved) []byte{
		"another issuer": inPayload("did:web:registry.example", "did:web:other.example"),
		"without an end": func(r reserved) []byte {
			return inPayload(`"validUntil"`, `"name"`)(reserved{Profile: r.Profile, Payload: inPayload(`"exp":`, `"note":`)(r)})
		},
		"nothing":            func(reserved) []byte { return nil },
		"cut":                func(r reserved) []byte { return r.Payload[:len(r.Payload)/2] },
		"of another profile": func(r reserved) []byte { return otherProfile(open, r) },
		"of another place":   func(r reserved) []byte { return sibling(open, r) },
		"without its schema": func(r reserved) []byte {
			return inPayload(`"credentialSchema"`, `"name"`)(reserved{Profile: r.Profile, Payload: inPayload(`"vct":"https://w3id.org/`, `"vct":"https://w3id.net/`)(r)})
		},
		"without its status": func(r reserved) []byte {
			return inPayload(`"credentialStatus"`, `"name"`)(reserved{Profile: r.Profile, Payload: inPayload(`"status":`, `"state":`)(r)})
		},
	} {
		for _, r := range open {
			if name == "without its status" && (r.Profile == ProfileFull || r.Profile == ProfileBorder) {
				continue // the schema asks for it
			}
			bad := r
			bad.Payload = change(r)
			if bytes.Equal(bad.Payload, r.Payload) {
				t.Fatalf("%s: nothing was changed in %s", name, r.Profile)
			}
			if x, err := d.signAgain(bad); err == nil || x != nil {
				t.Errorf("%s: a %s copy was signed", name, r.Profile)
			}
		}
	}
	for _, r := range open {
		x, err := d.signAgain(r)
		if err != nil {
			t.Fatalf("%s: %v", r.Profile, err)
		}
		if _, err := other.unsecure(form{profile: r.Profile}, x.JWT, d.now()); !errors.Is(err, errAltered) {
			t.Errorf("%s: another issuer's keys: %v", r.Profile, err)
		}
		if _, err := d.unsecure(form{profile: r.Profile}, x.JWT[:len(x.JWT)-40], d.now()); r.Profile != ProfileSDJWT && err == nil {
			t.Errorf("%s: a cut copy verifies", r.Profile)
		}
		for _, profile := range []string{ProfileFull, ProfileSDJWT, ProfileLDP} {
			if same := profile == r.Profile || profile == ProfileFull && r.Profile == ProfileBorder; same {
				continue
			}
			if _, err := d.unsecure(form{profile: profile}, x.JWT, d.now()); err == nil {
				t.Errorf("a %s copy passes for %s", r.Profile, profile)
			}
		}
	}
}

// otherProfile gives the bytes of a reservation in another format.
func otherProfile(open []reserved, r reserved) []byte {
	for _, o := range open {
		if (o.Profile == ProfileSDJWT) != (r.Profile == ProfileSDJWT) {
			return o.Payload
		}
	}
	return nil
}

// sibling gives the bytes of the other reservation in this format.
func sibling(open []reserved, r reserved) []byte {
	for _, o := range open {
		if o.Profile == r.Profile && o.ID != r.ID {
			return o.Payload
		}
	}
	return nil
}

// TestFsckFindsAlteredCopies: a sealed copy that was changed in the database is
// found, in every format.
func TestFsckFindsAlteredCopies(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth()
	d.birth(StateIssued, b)
	g := d.guardianship(StateIssued, newGuardianship(b))
	copies, err := d.IssueCopies(ctx, g.ID, newHolder(t))
	if err != nil {
		t.Fatal(err)
	}
	set := func(id, jwt string) {
		if _, err := d.db.ExecContext(ctx, `UPDATE credentials SET jwt = $2 WHERE id = $1`, id, jwt); err != nil {
			t.Fatal(err)
		}
	}
	for n, c := range copies {
		swapped := copies[(n+1)%len(copies)].JWT
		for _, bad := range []string{"", swapped, c.JWT + "~", "x" + c.JWT} {
			set(c.ID, bad)
			if v, err := d.Verify(ctx); err != nil || v.Bad != 1 {
				t.Errorf("%s %s: %+v, %v", c.Type, c.Profile, v, err)
			}
		}
		set(c.ID, c.JWT)
	}
	if v, err := d.Verify(ctx); err != nil || v.Bad != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	// A year later, with all copies over, they are still what was issued.
	d.pass(370 * 24 * time.Hour)
	if v, err := d.Verify(ctx); err != nil || v.Bad != 0 || v.Checked != 10 {
		t.Errorf("later: %+v, %v", v, err)
	}
}

// TestWithoutSelectiveKey: an issuer without a P-256 key issues and offers all
// but what needs one.
func TestWithoutSelectiveKey(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(r *keys.Ring){
		"none":  func(r *keys.Ring) { r.Keys = append(r.Keys[:1:1], r.Keys[2:]...) },
		"ended": func(r *keys.Ring) { r.Keys[1].NotAfter = deskTime.Add(-time.Hour) },
		"later": func(r *keys.Ring) { r.Keys[1].NotBefore = deskTime.Add(time.Hour) },
	} {
		ring := newRing(t, keys.EdDSA)
		edit(ring)
		d := openDeskWith(t, Config{DB: storetest.Open(t, store.SQLite, "issuer"), Ring: ring})
		b := newBirth()
		d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		copies, err := d.IssueCopies(ctx, g.ID, newHolder(t))
		if err != nil || len(copies) != 6 {
			t.Fatalf("%s: %d copies, %v", name, len(copies), err)
		}
		of, err := d.NewOffer(ctx, rita, g.ID)
		if err != nil || len(of.Offer.Configurations) != 6 || len(d.Metadata().Configurations) != 6 {
			t.Errorf("%s: %v, %v", name, of.Offer.Configurations, err)
		}
		if _, err := d.holderCopies(ctx, g.ID, newHolder(t), ProfileLDP); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
		if n := one(t, d.db, `SELECT COUNT(*) FROM credentials WHERE profile = 'ldp' OR state = 'reserved'`); n != 0 {
			t.Errorf("%s: %d reservations that nobody can sign", name, n)
		}
	}
}

// TestAgeIsMadeAnew: an SD-JWT VC tells the ages of its day; the one that is
// given after a birthday that counts tells the new one, and no other copy
// changes.
func TestAgeIsMadeAnew(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth(func(b *vc.Birth) {
		b.BirthDate.Value = deskTime.AddDate(-13, 0, 10).Format(time.DateOnly)
		b.Registration.Date = deskTime.AddDate(-13, 0, 12).Format(time.DateOnly)
	})
	d.birth(StateIssued, b)
	g := d.guardianship(StateIssued, newGuardianship(b))
	holder := newHolder(t)
	ask := func() map[string]IssuedCredential {
		copies, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil || len(copies) != 8 {
			t.Fatal(len(copies), explain(err))
		}
		out := map[string]IssuedCredential{}
		for _, c := range copies {
			d.checkCopy(c)
			out[c.Type+" "+c.Profile] = c
		}
		return out
	}
	before := ask()
	d.pass(9 * 24 * time.Hour)
	if again := ask(); !reflect.DeepEqual(before, again) {
		t.Error("copies were made anew before the birthday")
	}
	d.pass(24 * time.Hour)
	after := ask()
	for what, c := range after {
		if changed := c.ID != before[what].ID; changed != (what == "BirthCredential sd-jwt") {
			t.Errorf("%s made anew: %v", what, changed)
		}
	}
	if again := ask(); !reflect.DeepEqual(after, again) {
		t.Error("made anew again")
	}
	ages := func(c IssuedCredential) string {
		x, err := vc.ReopenSDJWTVC([]byte(mustUnsecure(t, d, c)))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(x.NotBefore.Format(time.DateOnly), strings.Contains(claimsOf(t, c.JWT), `"13":true`))
	}
	if ages(before["BirthCredential sd-jwt"]) != "2026-11-20false" || ages(after["BirthCredential sd-jwt"]) != "2026-11-30true" {
		t.Error(ages(before["BirthCredential sd-jwt"]), ages(after["BirthCredential sd-jwt"]))
	}
}

func mustUnsecure(t *testing.T, d *desk, c IssuedCredential) []byte {
	t.Helper()
	b, err := d.unsecure(form{profile: c.Profile}, c.JWT, d.now())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// claimsOf gives all claims of an SD-JWT VC as JSON.
func claimsOf(t testing.TB, text string) string {
	t.Helper()
	x, err := vc.SplitSDJWT(text, vc.TypSDJWTVC)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x.ClaimsUnverified()
	if err != nil {
		t.Fatal(err)
	}
	return string(c.Claims)
}

// TestMadeRecordsAreShownInParts issues every made record in the two formats
// that are shown in parts: no guardianship loses a part of the mandate, whatever
// its holder leaves out, and a birth of which only the date is shown tells
// nothing else of the child.
func TestMadeRecordsAreShownInParts(t *testing.T) {
	storetest.Volume(t)
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	d.time = dataDay
	holder := newHolder(t)
	every := 40 // one of so many; all of them take minutes
	if os.Getenv("KINPASS_LONG") == "1" {
		every = 1
	}
	wards := map[string]*vc.Birth{}
	births, mandates := 0, 0
	for i, b := range madeBirths(t) {
		wards[b.ChildRef] = b
		if i%every == 0 {
			d.shownInParts(copyOf{birth: b, childRef: token(), at: dataDay, holder: holder})
			births++
		}
	}
	for i, line := range madeLines(t, "guardianships.jsonl") {
		if i%every != 0 {
			continue
		}
		g, err := CheckGuardianship(line, dataDay)
		if err != nil {
			t.Fatal(err)
		}
		b := wards[g.Ward.ChildRef]
		if NotIssuable(g, b, dataDay) != "" {
			continue
		}
		d.shownInParts(copyOf{birth: b, guardianship: g, childRef: token(), at: dataDay, holder: holder})
		mandates++
	}
	t.Logf("%d births and %d guardianships", births, mandates)
	if births < 50 || mandates < 45 {
		t.Errorf("only %d births and %d guardianships", births, mandates)
	}
}

// shownInParts makes both copies of a record and shows as little of them as can
// be, and one part.
func (d *desk) shownInParts(c copyOf) {
	d.t.Helper()
	c.profile = ProfileLDP
	c.record = row{Kind: KindBirth, ID: token(), Version: 1}
	base := d.securedCopy(c)
	whole := tree(d.t, []byte(base))
	delete(whole, "proof")
	key := func(string) (crypto.PublicKey, string, error) {
		return d.ring.Of(keys.UseSelective)[0].Public(), d.DID(), nil
	}
	policy := vc.Policy{Keys: key, Trusts: func(*vc.Verified) error { return nil }, Status: func(*vc.Verified) error { return nil }, Now: dataDay}
	parts := [][]string{{"/credentialSubject/birthDate"}}
	if c.guardianship != nil {
		parts = [][]string{nil, {"/credentialSubject/guardian"}}
	}
	for _, pointers := range parts {
		derived, err := vc.Derive([]byte(base), pointers)
		if err != nil {
			d.t.Fatalf("%s: %v", c.credentialType(), explain(err))
		}
		v, err := vc.VerifyCredential(derived, policy)
		if err != nil {
			d.t.Fatalf("%s: %v", c.credentialType(), explain(err))
		}
		shown := tree(d.t, v.Document)
		was, is := whole["credentialSubject"].(map[string]any), shown["credentialSubject"].(map[string]any)
		for _, name := range []string{"issuer", "validFrom", "validUntil", "credentialStatus", "credentialSchema", "type", "id"} {
			if !reflect.DeepEqual(whole[name], shown[name]) {
				d.t.Errorf("%s is %v", name, shown[name])
			}
		}
		if c.guardianship != nil {
			for _, name := range []string{"id", "legalBasis", "powers", "exercise", "constraints", "effective", "termination", "role"} {
				if is[name] == nil || !reflect.DeepEqual(sorted(was[name]), sorted(is[name])) {
					d.t.Errorf("%s is %v, was %v", name, is[name], was[name])
				}
			}
			if at := func(m map[string]any, a, b string) any { return m[a].(map[string]any)[b] }; at(was, "ward", "childRef") != at(is, "ward", "childRef") ||
				at(was, "guardian", "kind") != at(is, "guardian", "kind") || !reflect.DeepEqual(sorted(at(was, "guardian", "delegates")), sorted(at(is, "guardian", "delegates"))) {
				d.t.Errorf("child or guardian: %v", is)
			}
			continue
		}
		if !reflect.DeepEqual(was["birthDate"], is["birthDate"]) {
			d.t.Errorf("the date of birth is %v", is["birthDate"])
		}
		if len(is) != 1 {
			d.t.Errorf("shown: %v", is)
		}
		nothingElse(d.t, derived, whole, shown)
	}

	c.profile = ProfileSDJWT
	text := d.securedCopy(c)
	x, err := vc.SplitSDJWT(text, vc.TypSDJWTVC)
	if err != nil {
		d.t.Fatal(err)
	}
	jwt, _, _ := strings.Cut(text, "~")
	none := jwt + "~"
	v, err := vc.VerifySDJWTVC(none, vc.SDPolicy{Keys: func(string) (crypto.PublicKey, string, error) {
		return d.ring.Of(keys.UseCredentials)[0].Public(), d.DID(), nil
	}, Binding: vc.KeyBinding{None: true}, Now: dataDay})
	if err != nil {
		d.t.Fatal(err)
	}
	all, err := x.ClaimsUnverified()
	if err != nil {
		d.t.Fatal(err)
	}
	was, is := tree(d.t, all.Claims), tree(d.t, v.Claims)
	if c.guardianship == nil {
		nothingElse(d.t, v.Claims, was, is)
		return
	}
	for _, name := range []string{"legalBasis", "powers", "exercise", "constraints", "effective", "termination", "role", "status", "iss", "cnf"} {
		if is[name] == nil || !reflect.DeepEqual(was[name], is[name]) {
			d.t.Errorf("SD-JWT: %s is %v", name, is[name])
		}
	}
}

// securedCopy signs a copy without storing it.
func (d *desk) securedCopy(c copyOf) string {
	d.t.Helper()
	dr, err := d.draft(ctx, c)
	if err != nil {
		d.t.Fatalf("%s %s: %v %+v", c.credentialType(), c.profile, explain(err), fault.As(err).Fields)
	}
	text, err := d.secure(dr.unsigned)
	if err != nil {
		d.t.Fatalf("%s %s: %v", c.credentialType(), c.profile, explain(err))
	}
	return text
}

// nothingElse looks for every text of the whole that is not among those shown.
func nothingElse(t testing.TB, text []byte, whole, shown map[string]any) {
	t.Helper()
	open := ""
	eachText(shown, func(s string) { open += s + "\n" })
	eachText(whole, func(s string) {
		// Short ones occur by chance in what is random; a date can be that of the
		// credential too.
		if strings.Contains(open, s) || len(s) < 6 {
			return
		}
		if bytes.Contains(text, []byte(s)) {
			t.Errorf("a text that was not to be shown is there: %q", s)
		}
		sum := sha256.Sum256([]byte(s))
		if bytes.Contains(text, []byte(base64.RawURLEncoding.EncodeToString(sum[:]))) {
			t.Error("the digest of a text that was not to be shown is there")
		}
	})
}

func eachText(v any, f func(string)) {
	switch x := v.(type) {
	case string:
		f(x)
	case []any:
		for _, e := range x {
			eachText(e, f)
		}
	case map[string]any:
		for _, e := range x {
			eachText(e, f)
		}
	}
}

// sorted puts lists of texts into one order: for JSON-LD sets have none.
func sorted(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := map[string]int{}
	for _, e := range list {
		out[fmt.Sprint(e)]++
	}
	return out
}

func tree(t testing.TB, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestHolderKeyIsTheProvenOne: an SD-JWT VC is bound to the key that was
// proven, of both kinds.
func TestHolderKeyIsTheProvenOne(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth()
	d.birth(StateIssued, b)
	g := d.guardianship(StateIssued, newGuardianship(b))
	for _, alg := range []string{keys.EdDSA, keys.ES256} {
		k, err := keys.New("holder", "", alg, deskTime, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		holder, err := did.EncodeKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		copies, err := d.holderCopies(ctx, g.ID, holder, ProfileSDJWT)
		if err != nil || len(copies) != 2 {
			t.Fatal(copies, err)
		}
		for _, c := range copies {
			if x := d.checkCopy(c); x.holder != holder {
				t.Errorf("%s: bound to %s", alg, x.holder)
			}
		}
	}
}
