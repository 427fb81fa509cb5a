package wallet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// consentStatus is the office as host of the status of consents: a request
// signed by the holder of one of its guardianships, and nothing of a journey.
func (o *office) consentStatus(w http.ResponseWriter, r *http.Request) {
	var in struct{ Request string }
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		answerJSON(w, 400, jsonObject{})
		return
	}
	s, err := vc.SplitJWS(in.Request)
	if err != nil || s.Header.Typ != "kinpass-consent-status+jwt" {
		answerJSON(w, 400, jsonObject{})
		return
	}
	pub, err := did.ParseKey(s.Header.Kid)
	if err != nil {
		answerJSON(w, 400, jsonObject{})
		return
	}
	payload, err := s.Verify(pub)
	if err != nil {
		answerJSON(w, 400, jsonObject{})
		return
	}
	for _, no := range []string{zainab.ref, "departFrom", "IND", "withOneGuardian"} {
		if contains(payload, no) {
			o.t.Errorf("the office is told %q", no)
		}
	}
	var c struct {
		Aud, Jti, Act, Guardianship, List, Index string
		Iat                                      int64
	}
	json.Unmarshal(payload, &c)
	holder, _ := did.EncodeKey(pub)
	if raw, err := base64.RawURLEncoding.DecodeString(c.Jti); err != nil || len(raw) < 16 || c.Aud != o.did || c.Iat != o.clock.now().Unix() {
		answerJSON(w, 400, jsonObject{})
		return
	}
	switch {
	case r.URL.Path == "/consent-status" && c.Act == "reserve":
		if !o.mandated(holder, c.Guardianship) {
			answerJSON(w, 404, jsonObject{})
			return
		}
		key := holder + " " + c.Jti
		if o.reserved[key] == nil {
			o.next++
			o.owners[fmt.Sprint(o.next)] = holder
			for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
				o.reserved[key] = append(o.reserved[key], jsonObject{"type": "BitstringStatusListEntry", "statusPurpose": p,
					"statusListIndex": fmt.Sprint(o.next), "statusListCredential": o.srv.URL + "/status/" + p + "/1"})
			}
		}
		answerJSON(w, 201, jsonObject{"credentialStatus": o.reserved[key], "validUntil": o.clock.now().AddDate(3, 0, 0).Format(time.RFC3339)})
	case r.URL.Path == "/consent-status/withdraw" && c.Act == "withdraw":
		if o.owners[c.Index] != holder || c.List != o.srv.URL+"/status/revocation/1" {
			answerJSON(w, 404, jsonObject{})
			return
		}
		n, _ := strconv.ParseInt(c.Index, 10, 64)
		if err := o.lists[vc.PurposeRevocation].Set(n); err != nil {
			o.t.Error(err)
		}
		w.WriteHeader(204)
	default:
		answerJSON(w, 400, jsonObject{})
	}
}

// mandated reports whether a guardianship of this id was issued to the holder.
func (o *office) mandated(holder, id string) bool {
	for _, d := range o.offers {
		for _, jwt := range d.issued {
			s, err := vc.SplitJWS(jwt)
			if d.holder == holder && err == nil && contains(s.PayloadUnverified(), id) && contains(s.PayloadUnverified(), `"travelConsent"`) {
				return true
			}
		}
	}
	return false
}

// hosting makes the office one that keeps the status of consents.
func (s scene) hosting() scene {
	s.o.set(func() { s.o.trust.Issuers[0].ConsentStatus = true })
	return s
}

// trip is a journey that may be agreed to.
const trip = `{"departFrom":"NPL","destinations":["IND"],"notBefore":"2026-12-01","notAfter":"2026-12-20","returnBy":"2026-12-20","crossings":2,"purpose":"holiday"}`

func (s scene) draft(t *testing.T, g Guardian, d Draft) Consent {
	t.Helper()
	if d.Trip == nil {
		d.Trip = json.RawMessage(trip)
	}
	if d.Mode == "" {
		d.Mode = vc.ModeOneGuardian
	}
	c, err := s.DraftConsent(t.Context(), g, d)
	if err != nil {
		t.Fatalf("drafting: %v", err)
	}
	return c
}

// kept opens a consent as it is stored.
func (s scene) kept(t *testing.T, g Guardian, id string) consentHeld {
	t.Helper()
	v, err := s.vault(t.Context(), g.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.consent(t.Context(), v, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConsentAlone(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		a := s.accept(t, amina, zainab)
		d := s.draft(t, amina, Draft{Child: a.Child})
		if d.State != consentDraft || d.Usable || d.Quorum != 1 || len(d.Grantors) != 1 || !d.Grantors[0].You || d.Grantors[0].Signed || d.Invitation != nil {
			t.Fatalf("draft %+v", d)
		}
		if n := s.o.count("/consent-status"); n != 0 {
			t.Errorf("a draft made %d requests", n)
		}
		if got := d.ValidUntil; !got.Equal(time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("ends %v", got)
		}
		c, err := s.SignConsent(t.Context(), amina, d.ID, false)
		if err != nil {
			t.Fatal(err)
		}
		if c.State != consentSigned || !c.Usable || !c.Grantors[0].Signed || c.Digest != d.Digest {
			t.Fatalf("signed %+v", c)
		}
		again, err := s.SignConsent(t.Context(), amina, d.ID, false)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("signing again: %v %v", again, err)
		}
		if n := s.o.count("/consent-status"); n != 1 {
			t.Errorf("%d reservations", n)
		}

		p, err := s.Present(t.Context(), amina, Request{Child: a.Child, Consent: c.ID})
		if err != nil {
			t.Fatal(err)
		}
		shown := s.parts(t, p.Presentation)
		if len(shown) != 3 || !shown[0].Is(vc.TypeBirth) || !shown[1].Is(vc.TypeGuardianship) || !shown[2].Is(vc.TypeConsent) {
			t.Fatalf("presentation of %d", len(shown))
		}
		consent := shown[2]
		var said vc.TravelConsent
		if err := vc.StrictJSON(consent.Subject, &said, vc.MaxDepth); err != nil {
			t.Fatal(err)
		}
		if consent.Issuer != c.Grantors[0].Key || said.ChildRef != zainab.ref || said.Grantors[0].Guardianship != shown[1].ID ||
			said.Grantors[0].Key != consent.Issuer || said.Assurance != (vc.Assurance{Level: vc.LevelSelfSigned}) || said.GrantedOn != "2026-11-20" {
			t.Errorf("consent %+v", said)
		}
		if raw, err := base64.RawURLEncoding.DecodeString(said.Nonce); err != nil || len(raw) != 16 {
			t.Errorf("nonce %q", said.Nonce)
		}
		if d, err := vc.ConsentDigest(consent.Subject); err != nil || d != c.Digest {
			t.Error("the digest is not that of what was signed")
		}
		if len(consent.Status) != 2 || consent.Status[0].Index != consent.Status[1].Index || consent.Status[0].Purpose != vc.PurposeRevocation {
			t.Errorf("status %+v", consent.Status)
		}
		// Without a consent nothing changes.
		p, err = s.Present(t.Context(), amina, Request{Child: a.Child})
		if err != nil || len(s.parts(t, p.Presentation)) != 2 {
			t.Errorf("without a consent: %v", err)
		}

		// Not yours is not there.
		s.accept(t, bilal, zainab)
		for _, id := range []string{c.ID, "AbCdEfGhIjKlMnOp"} {
			_, err = s.Consent(t.Context(), bilal, id)
			mustCode(t, err, "no-such-consent")
			_, err = s.SignConsent(t.Context(), bilal, id, true)
			mustCode(t, err, "no-such-consent")
			mustCode(t, s.WithdrawConsent(t.Context(), bilal, id), "no-such-consent")
		}
		_, err = s.Present(t.Context(), bilal, Request{Child: a.Child, Consent: c.ID})
		mustCode(t, err, "no-such-consent")

		// The wallet answers for what it signed until that is taken back.
		mustCode(t, s.Delete(t.Context(), amina), "consent-live")
		if err := s.WithdrawConsent(t.Context(), amina, c.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		storetest.Scrubbed(t, s.cfg.DB)
		if n := count(t, s.db, "consents"); n != 0 {
			t.Errorf("%d consents left of a deleted wallet", n)
		}
	})
}

// parts verifies a presentation and every credential in it, self-signed ones by
// the key that they name.
func (s scene) parts(t *testing.T, vp string) []*vc.Credential {
	t.Helper()
	p, _ := opened(t, vp)
	var out []*vc.Credential
	for _, e := range p.Credentials {
		jwt, ok := e.JWT()
		if !ok {
			t.Fatal("not enveloped")
		}
		j, err := vc.SplitJWS(jwt)
		if err != nil {
			t.Fatal(err)
		}
		pub := s.o.key.Public()
		if strings.HasPrefix(j.Header.Kid, "did:key:") {
			if pub, err = did.ParseKey(j.Header.Kid); err != nil {
				t.Fatal(err)
			}
		}
		payload, err := vc.VerifyJWS(jwt, vc.TypCredential, pub)
		if err != nil {
			t.Fatal(err)
		}
		c, err := vc.ParseCredential(payload)
		if err != nil {
			t.Fatal(err)
		}
		if err := vc.ValidateSchema(c.Schema.ID, payload); err != nil {
			t.Error(err)
		}
		out = append(out, c)
	}
	return out
}

func TestConsentWithdrawn(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		a := s.accept(t, amina, zainab)
		d := s.draft(t, amina, Draft{Child: a.Child})
		if _, err := s.SignConsent(t.Context(), amina, d.ID, false); err != nil {
			t.Fatal(err)
		}
		entry := s.kept(t, amina, d.ID).Sign.Entries[0]
		index, _ := strconv.ParseInt(entry.Index, 10, 64)
		// The office is away: nothing is shown from now on all the same.
		s.o.set(func() {
			s.o.override["/consent-status/withdraw"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
		})
		mustCode(t, s.WithdrawConsent(t.Context(), amina, d.ID), "consent-office-unreachable")
		c, err := s.Consent(t.Context(), amina, d.ID)
		if err != nil || c.State != consentWithdrawn || c.Usable || !strings.Contains(strings.Join(c.Lines, " "), "could not be reached") {
			t.Errorf("withdrawn, the office away: %+v %v", c, err)
		}
		_, err = s.Present(t.Context(), amina, Request{Child: a.Child, Consent: d.ID})
		mustCode(t, err, "consent-state")
		s.o.set(func() { delete(s.o.override, "/consent-status/withdraw") })
		for range 2 {
			if err := s.WithdrawConsent(t.Context(), amina, d.ID); err != nil {
				t.Fatal(err)
			}
		}
		s.o.set(func() {
			if on, err := s.o.lists[vc.PurposeRevocation].Get(index); err != nil || !on {
				t.Error("the office does not know of the withdrawal")
			}
		})
		if n := s.o.count("/consent-status/withdraw"); n != 2 {
			t.Errorf("the office was told %d times", n)
		}
		_, err = s.SignConsent(t.Context(), amina, d.ID, false)
		if err != nil {
			t.Fatal(err) // it was signed before
		}
		if c, _ := s.Consent(t.Context(), amina, d.ID); c.State != consentWithdrawn {
			t.Errorf("state %s", c.State)
		}
		// What was never signed is taken back without a word.
		e := s.draft(t, amina, Draft{Child: a.Child})
		if err := s.WithdrawConsent(t.Context(), amina, e.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.SignConsent(t.Context(), amina, e.ID, true)
		mustCode(t, err, "consent-state")
		if n := s.o.count("/consent-status"); n != 1 {
			t.Errorf("%d reservations", n)
		}
	})
}

// A wallet is not forgotten while somebody relies on what its holder signed: it
// could not be taken back any more. A withdrawal that waits for the office is
// passed on first.
func TestDeleteAnswersForConsents(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		ctx := t.Context()
		a := s.accept(t, amina, zainab)
		d := s.draft(t, amina, Draft{Child: a.Child})
		if _, err := s.SignConsent(ctx, amina, d.ID, false); err != nil {
			t.Fatal(err)
		}
		mustCode(t, s.Delete(ctx, amina), "consent-live")
		s.o.set(func() {
			s.o.override["/consent-status/withdraw"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
		})
		mustCode(t, s.WithdrawConsent(ctx, amina, d.ID), "consent-office-unreachable")
		mustCode(t, s.Delete(ctx, amina), "consent-office-unreachable")
		s.o.set(func() { delete(s.o.override, "/consent-status/withdraw") })
		if err := s.Delete(ctx, amina); err != nil {
			t.Fatal(err)
		}
		if s.o.count("/consent-status/withdraw") != 3 || count(t, s.db, "consents") != 0 {
			t.Error("the office was not told, or something is left")
		}
		// What is over, or was never signed, holds nobody back; no more does a wallet
		// that is not there.
		a = s.accept(t, amina, zainab)
		d = s.draft(t, amina, Draft{Child: a.Child})
		if _, err := s.SignConsent(ctx, amina, d.ID, false); err != nil {
			t.Fatal(err)
		}
		s.draft(t, amina, Draft{Child: a.Child})
		s.o.clock.add(60 * oneDay)
		for range 2 {
			if err := s.Delete(ctx, amina); err != nil {
				t.Error(err)
			}
		}
	})
}

// Wherever signing is interrupted, calling again finishes it: one place in the
// status list, one credential.
func TestConsentSurvivesCrash(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		a := s.accept(t, amina, zainab)
		d := s.draft(t, amina, Draft{Child: a.Child})
		// The answer to the reservation is lost: the work was done.
		s.o.set(func() { s.o.drop["/consent-status"] = 1 })
		_, err := s.SignConsent(t.Context(), amina, d.ID, false)
		mustCode(t, err, "consent-office-unreachable")
		k := s.kept(t, amina, d.ID)
		if k.Sign == nil || k.Sign.Request == "" || k.Parties[0].Consent != "" || !k.Frozen {
			t.Fatalf("after a lost answer: %+v", k.Sign)
		}
		// Another process, later.
		s.o.clock.add(time.Hour)
		after := newWallet(t, s.db, s.ring, s.o)
		c, err := after.SignConsent(t.Context(), amina, d.ID, false)
		if err != nil || c.State != consentSigned {
			t.Fatalf("%+v %v", c, err)
		}
		if len(s.o.reserved) != 1 {
			t.Errorf("%d places were reserved", len(s.o.reserved))
		}
		// Killed after the reservation was kept and before anything was signed.
		e := s.draft(t, amina, Draft{Child: a.Child})
		v, err := s.vault(t.Context(), amina.ID)
		if err != nil {
			t.Fatal(err)
		}
		entries := s.kept(t, amina, d.ID).Sign.Entries
		if _, err := s.changeConsent(t.Context(), v, e.ID, func(c *consentHeld) error {
			c.Frozen, c.Sign = true, &signing{Request: "AAAAAAAAAAAAAAAAAAAAAA", ID: "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11", From: s.o.clock.now().Truncate(time.Second), Entries: entries}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		n := s.o.count("/consent-status")
		if c, err := s.SignConsent(t.Context(), amina, e.ID, false); err != nil || c.State != consentSigned {
			t.Fatalf("%+v %v", c, err)
		}
		if s.o.count("/consent-status") != n {
			t.Error("a place was reserved twice")
		}
		if got := s.kept(t, amina, e.ID); !contains([]byte(decoded(t, got.Parties[0].Consent)), "6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11") {
			t.Error("the credential is another one than was begun")
		}
	})
}

func decoded(t *testing.T, jwt string) string {
	t.Helper()
	s, err := vc.SplitJWS(jwt)
	if err != nil {
		t.Fatal(err)
	}
	return string(s.PayloadUnverified())
}

// What the office answers is not believed either.
func TestConsentHostileOffice(t *testing.T) {
	s := lite(t).hosting()
	a := s.accept(t, amina, zainab)
	entry := func(purpose, index, list string) jsonObject {
		return jsonObject{"type": "BitstringStatusListEntry", "statusPurpose": purpose, "statusListIndex": index, "statusListCredential": list}
	}
	good := s.o.srv.URL + "/status/"
	for name, x := range map[string]struct {
		code    string
		status  int
		entries any
	}{
		"refused":          {"consent-status-refused", 404, nil},
		"busy":             {"consent-office-unreachable", 429, nil},
		"broken":           {"consent-office-unreachable", 500, nil},
		"nothing":          {"issuer-answer", 201, nil},
		"one entry":        {"issuer-answer", 201, []jsonObject{entry("revocation", "7", good+"revocation/1")}},
		"two indexes":      {"issuer-answer", 201, []jsonObject{entry("revocation", "7", good+"revocation/1"), entry("suspension", "8", good+"suspension/1")}},
		"one list":         {"issuer-answer", 201, []jsonObject{entry("revocation", "7", good+"revocation/1"), entry("suspension", "7", good+"revocation/1")}},
		"somewhere else":   {"issuer-answer", 201, []jsonObject{entry("revocation", "7", "https://x.test/status/revocation/1"), entry("suspension", "7", good+"suspension/1")}},
		"other purposes":   {"issuer-answer", 201, []jsonObject{entry("suspension", "7", good+"revocation/1"), entry("revocation", "7", good+"suspension/1")}},
		"no index":         {"issuer-answer", 201, []jsonObject{entry("revocation", "-7", good+"revocation/1"), entry("suspension", "-7", good+"suspension/1")}},
		"not of this kind": {"issuer-answer", 201, "x"},
	} {
		d := s.draft(t, amina, Draft{Child: a.Child})
		s.o.set(func() {
			s.o.override["/consent-status"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				answerJSON(w, x.status, jsonObject{"credentialStatus": x.entries, "validUntil": "2027-01-01T00:00:00Z"})
			})
		})
		_, err := s.SignConsent(t.Context(), amina, d.ID, false)
		if faultCode(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
		if k := s.kept(t, amina, d.ID); k.Parties[0].Consent != "" || len(k.Sign.Entries) > 0 {
			t.Errorf("%s: something was kept", name)
		}
	}
	// A status that ends before the journey does makes the consent end there.
	s.o.set(func() { delete(s.o.override, "/consent-status") })
	c := s.kept(t, amina, s.draft(t, amina, Draft{Child: a.Child}).ID)
	c.Sign = &signing{Until: s.o.clock.now().Add(time.Hour)}
	if !c.until().Equal(c.Sign.Until) {
		t.Errorf("ends %v", c.until())
	}
}

func TestConsentNeedsHost(t *testing.T) {
	s := lite(t)
	a := s.accept(t, amina, zainab)
	_, err := s.DraftConsent(t.Context(), amina, Draft{Child: a.Child, Mode: vc.ModeOneGuardian, Trip: json.RawMessage(trip)})
	mustCode(t, err, "consent-no-status")
}

func TestConsentNeedsMandate(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = func(config string, doc jsonObject) {
		if strings.HasPrefix(config, "Guardianship") {
			subject(doc)["powers"] = []string{"travelAccompany"}
		}
	}
	a := s.accept(t, amina, zainab)
	try := func() error {
		_, err := s.DraftConsent(t.Context(), amina, Draft{Child: a.Child, Mode: vc.ModeOneGuardian, Trip: json.RawMessage(trip)})
		return err
	}
	mustCode(t, try(), "consent-no-mandate")
	s.o.alter = nil
	b := s.accept(t, amina, zainab) // a second mandate, with the power
	if b.Child != a.Child {
		t.Fatal("another child")
	}
	if err := try(); err != nil {
		t.Error(err)
	}
	_, err := s.DraftConsent(t.Context(), amina, Draft{Child: "AbCdEfGhIjKlMnOp"})
	mustCode(t, err, "no-such-child")
	_, err = s.DraftConsent(t.Context(), bilal, Draft{Child: a.Child})
	mustCode(t, err, "no-such-child")
}

func TestSigners(t *testing.T) {
	for _, c := range []struct {
		x    vc.Exercise
		mode string
		want int
	}{
		{vc.Exercise{Mode: "sole"}, vc.ModeThirdParty, 1},
		{vc.Exercise{Mode: "independent", CoGuardianCount: 2}, vc.ModeThirdParty, 1},
		{vc.Exercise{Mode: "joint"}, vc.ModeThirdParty, 2},
		{vc.Exercise{Mode: "joint"}, vc.ModeOneGuardian, 1},
		{vc.Exercise{Mode: "joint", CoGuardianCount: 3}, vc.ModeAlone, 3},
		{vc.Exercise{Mode: "joint", CoGuardianCount: 3}, vc.ModeOneGuardian, 2},
		{vc.Exercise{Mode: "joint", CoGuardianCount: 3, Quorum: 2}, vc.ModeGroup, 2},
		{vc.Exercise{Mode: "joint", JointFor: []string{"healthMajor"}, Quorum: 2}, vc.ModeGroup, 1},
		{vc.Exercise{Mode: "joint", JointFor: []string{"healthMajor", "travelConsent"}, Quorum: 2}, vc.ModeGroup, 2},
		{vc.Exercise{Mode: "joint", JointFor: []string{"travelAccompany"}}, vc.ModeGroup, 2},
	} {
		if got := signers(c.x, c.mode); got != c.want {
			t.Errorf("%+v %s: %d, want %d", c.x, c.mode, got, c.want)
		}
	}
}

// A joint mandate is not signed by one alone, unless they say so.
func TestConsentNeedsSigners(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	a := s.accept(t, amina, zainab)
	with := json.RawMessage(`[{"names":[{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"]}]}]`)
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: with})
	if d.Quorum != 2 {
		t.Errorf("quorum %d", d.Quorum)
	}
	_, err := s.SignConsent(t.Context(), amina, d.ID, false)
	mustCode(t, err, "consent-signers-missing")
	if s.kept(t, amina, d.ID).Frozen {
		t.Error("a refused signature closed the consent")
	}
	c, err := s.SignConsent(t.Context(), amina, d.ID, true)
	if err != nil || c.State != consentSigned {
		t.Errorf("alone: %+v %v", c, err)
	}
}

func jointly(n int) func(string, jsonObject) {
	return func(config string, doc jsonObject) {
		if strings.HasPrefix(config, "Guardianship") {
			subject(doc)["exercise"] = jsonObject{"mode": "joint", "coGuardianCount": n}
		}
	}
}

// What cannot be agreed to, and what is right beside it.
func TestDraftRefuses(t *testing.T) {
	s := lite(t).hosting()
	a := s.accept(t, amina, zainab)
	key, err := s.Key(t.Context(), amina)
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Key(t.Context(), bilal)
	if err != nil {
		t.Fatal(err)
	}
	const rita = `{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"]}`
	adult := func(more string) string { return `[{"names":[` + rita + `]` + more + `}]` }
	raw := func(s string) json.RawMessage {
		if s == "" {
			return nil
		}
		return json.RawMessage(s)
	}
	third := func(with string) Draft { return Draft{Mode: vc.ModeThirdParty, Accompanying: raw(with)} }
	travel := func(old, new string) Draft {
		if !strings.Contains(trip, old) {
			t.Fatalf("%s is not in the trip", old)
		}
		return Draft{Trip: raw(strings.Replace(trip, old, new, 1))}
	}
	for name, c := range map[string]struct {
		d    Draft
		rule string // "" is taken
	}{
		"good":                     {Draft{}, ""},
		"no mode":                  {Draft{Mode: "withAnybody"}, "/mode"},
		"trip missing":             {Draft{Trip: raw(`null`)}, "/trip"},
		"trip of text":             {Draft{Trip: raw(`"IND"`)}, "/trip"},
		"unknown member":           {travel(`"crossings"`, `"religion":"x","crossings"`), "/trip"},
		"no destination":           {travel(`["IND"]`, `[]`), "/trip/destinations"},
		"unknown country":          {travel(`["IND"]`, `["QQX"]`), "/trip/destinations/0 is not a country"},
		"persons are no country":   {travel(`["IND"]`, `["XXB"]`), "/trip/destinations/0 is not a country"},
		"going nowhere":            {travel(`["IND"]`, `["NPL"]`), "/trip/destinations/0 is where the journey begins"},
		"two destinations":         {travel(`["IND"]`, `["IND","BTN"]`), ""},
		"unknown transit":          {travel(`"crossings"`, `"transit":["QQX"],"crossings"`), "/trip/transit/0"},
		"transit":                  {travel(`"crossings"`, `"transit":["BGD"],"crossings"`), ""},
		"dates turned round":       {travel(`"notAfter":"2026-12-20"`, `"notAfter":"2026-11-30"`), "/trip/notAfter is before the journey begins"},
		"one day":                  {travel(`"notAfter":"2026-12-20","returnBy":"2026-12-20"`, `"notAfter":"2026-12-01"`), ""},
		"a day that is not":        {travel(`"notBefore":"2026-12-01"`, `"notBefore":"2026-11-31"`), "/trip/notBefore"},
		"over":                     {travel(`"notBefore":"2026-12-01","notAfter":"2026-12-20","returnBy":"2026-12-20"`, `"notBefore":"2026-10-01","notAfter":"2026-10-20"`), "/trip/notAfter is over"},
		"three years":              {travel(`"notAfter":"2026-12-20"`, `"notAfter":"2029-12-20"`), "/trip/notAfter is more than two years"},
		"no end":                   {travel(`"notAfter":"2026-12-20",`, ``), ""},
		"no end, far away":         {travel(`"notBefore":"2026-12-01","notAfter":"2026-12-20","returnBy":"2026-12-20"`, `"notBefore":"2029-01-01"`), "/trip/notBefore"},
		"back before leaving":      {travel(`"returnBy":"2026-12-20"`, `"returnBy":"2026-11-30"`), "/trip/returnBy is before"},
		"back after the end":       {travel(`"returnBy":"2026-12-20"`, `"returnBy":"2026-12-21"`), "/trip/returnBy is after"},
		"no crossing":              {travel(`"crossings":2`, `"crossings":0`), "/trip/crossings"},
		"a move":                   {travel(`"holiday"`, `"relocation"`), "/relocationAllowed"},
		"a move, allowed":          {Draft{Trip: travel(`"holiday"`, `"relocation"`).Trip, RelocationAllowed: true}, ""},
		"granted in the future":    {Draft{GrantedOn: "2026-11-22"}, "/grantedOn is in the future"},
		"granted here today":       {Draft{GrantedOn: "2026-11-20"}, ""},
		"granted on no day":        {Draft{GrantedOn: "2026-02-30"}, "/grantedOn"},
		"an old deed":              {Draft{GrantedOn: "2025-11-20"}, ""},
		"alone, received by none":  {Draft{Mode: vc.ModeAlone}, "is required: receiving"},
		"alone, received by half":  {Draft{Mode: vc.ModeAlone, Receiving: raw(`{"name":"Sita Rai"}`)}, "/receiving must say"},
		"alone, received":          {Draft{Mode: vc.ModeAlone, Receiving: raw(`{"name":"Sita Rai","contact":"+9779800000000"}`)}, ""},
		"alone, with an adult":     {Draft{Mode: vc.ModeAlone, Receiving: raw(`{"name":"Sita Rai","contact":"+977"}`), Accompanying: raw(adult(""))}, "/accompanying is for"},
		"no adult":                 {third(``), "is required: accompanying"},
		"no adult in the list":     {third(`[]`), "/accompanying must name"},
		"an adult":                 {third(adult("")), ""},
		"a group without adult":    {Draft{Mode: vc.ModeGroup}, "is required: accompanying"},
		"a group":                  {Draft{Mode: vc.ModeGroup, Accompanying: raw(adult(""))}, ""},
		"two guardians travel":     {Draft{Accompanying: raw(`[{"names":[` + rita + `]},{"names":[` + rita + `]}]`)}, "/accompanying names the one"},
		"a guardian travels":       {Draft{Accompanying: raw(adult(`,"key":"` + other + `"`))}, ""},
		"an adult without name":    {third(`[{"names":[]}]`), "/accompanying/0/names must hold"},
		"a name of dots":           {third(`[{"names":[{"kind":"legal","script":"Latn","full":"..."}]}]`), "/accompanying/0/names/0"},
		"hidden characters only":   {third(`[{"names":[{"kind":"legal","script":"Latn","full":"` + "\u202e\u2066" + `"}]}]`), "/accompanying/0/names/0"},
		"unnamed":                  {third(`[{"names":[{"kind":"legal","script":"Latn","status":"unnamed"}]}]`), "/accompanying/0/names/0 holds no name"},
		"no table for the script":  {third(`[{"names":[{"kind":"legal","script":"Thai","full":"ริต้า"}]}]`), "/accompanying/0/names cannot be written"},
		"as in the passport":       {third(`[{"names":[{"kind":"legal","script":"Thai","full":"ริต้า","mrz":{"primary":"RITA"}}]}]`), ""},
		"two scripts, one table":   {third(`[{"names":[{"kind":"legal","script":"Thai","full":"ริต้า"},` + rita + `]}]`), ""},
		"a false filler":           {third(`[{"names":[{"kind":"legal","script":"Thai","full":"ริต้า","mrz":{"primary":"RITA<<X"}}]}]`), "/accompanying/0/names/0/mrz"},
		"a key":                    {third(adult(`,"key":"` + other + `"`)), ""},
		"no key":                   {third(adult(`,"key":"did:key:z6Mk"`)), "/accompanying/0/key is not a did:key"},
		"a key id":                 {third(adult(`,"key":"` + did.KeyID(other) + `"`)), "/accompanying/0/key is not a did:key"},
		"another DID":              {third(adult(`,"key":"did:web:x.test"`)), "/accompanying/0/key is not a did:key"},
		"one's own key":            {third(adult(`,"key":"` + key + `"`)), "/accompanying/0/key is your own"},
		"a key twice":              {third(`[{"names":[` + rita + `],"key":"` + other + `"},{"names":[` + rita + `],"key":"` + other + `"}]`), "/accompanying/1/key is named twice"},
		"not born yet":             {third(adult(`,"birthDate":{"value":"2027-01-01","precision":"day","basis":"documentary"}`)), "/accompanying/0/birthDate"},
		"born":                     {third(adult(`,"birthDate":{"value":"1987-01-01","precision":"day","basis":"documentary"}`)), ""},
		"a document of no country": {third(adult(`,"document":{"type":"passport","value":"X1","issuer":"QQX"}`)), "/accompanying/0/document/issuer"},
		"a document":               {third(adult(`,"document":{"type":"passport","value":"X1","issuer":"NPL"}`)), ""},
		"twenty-one adults":        {third(`[` + strings.Repeat(`{"names":[`+rita+`]},`, 20) + `{"names":[` + rita + `]}]`), "/accompanying"},
		"not JSON":                 {third(`[`), ""},
	} {
		c.d.Child = a.Child
		if c.d.Mode == "" {
			c.d.Mode = vc.ModeOneGuardian
		}
		if c.d.Trip == nil {
			c.d.Trip = raw(trip)
		}
		got, err := s.DraftConsent(t.Context(), amina, c.d)
		if name == "not JSON" {
			mustCode(t, err, "consent-invalid")
			continue
		}
		if c.rule == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if _, err := s.SignConsent(t.Context(), amina, got.ID, true); err != nil {
				t.Errorf("%s is drafted and cannot be signed: %v", name, err)
			}
			continue
		}
		if faultCode(err) != "consent-invalid" || !strings.Contains(rules(err), c.rule) {
			t.Errorf("%s: %v; %s", name, err, rules(err))
		}
	}
}

// The machine-readable form of an adult's name is the issuer's.
func TestCompanionNames(t *testing.T) {
	s := lite(t).hosting()
	a := s.accept(t, amina, zainab)
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: json.RawMessage(
		`[{"names":[{"kind":"legal","script":"Latn","given":["Jörg  Ole"],"family":["Müller-Þór"]},{"kind":"legal","script":"Arab","full":"حسن"},{"kind":"legal","script":"Cyrl","full":"` + "\u202eЮлия" + `"}]}]`)})
	var c vc.TravelConsent
	if err := json.Unmarshal(s.kept(t, amina, d.ID).Subject, &c); err != nil {
		t.Fatal(err)
	}
	n := c.Accompanying[0].Names
	if *n[0].MRZ != (vc.MRZ{Primary: "MUELLER<THOR", Secondary: "JOERG<OLE"}) || n[0].Given[0] != "Jörg Ole" {
		t.Errorf("%+v %+v", n[0], n[0].MRZ)
	}
	if n[1].MRZ.Primary != "XHSN" && n[1].MRZ.Primary != "HSN" {
		t.Errorf("%+v", n[1].MRZ)
	}
	if n[2].MRZ == nil || strings.ContainsRune(n[2].Full, '\u202e') {
		t.Errorf("%+v", n[2])
	}
}

// Plain words: who, where, when, and what can be done.
func TestConsentLines(t *testing.T) {
	s := lite(t).hosting()
	a := s.accept(t, amina, zainab)
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, MedicalConsent: "emergency", Accompanying: json.RawMessage(
		`[{"names":[{"kind":"legal","script":"Latn","full":"Rita Thapa"}],"relation":"teacher","document":{"type":"passport","value":"X1"}}]`),
		Receiving: json.RawMessage(`{"name":"Sita Rai","address":"Delhi"}`)})
	want := []string{
		"Zainab Okonkwo, born 2019-03-07, may travel from Nepal to India.",
		"The child travels with Rita Thapa, a teacher, passport X1.",
		"There the child stays with Sita Rai, Delhi.",
		"From 1 December 2026 until 20 December 2026.",
		"The child must be back by 20 December 2026.",
		"The child may cross a border 2 times.",
		"The reason: a holiday.",
		"The child may not move there for good.",
		"Doctors may treat the child in an emergency.",
		"You have not signed yet.",
		"You can take it back at any time. Nobody is told.",
	}
	if !slices.Equal(d.Lines, want) {
		t.Errorf("%s", strings.Join(d.Lines, "\n"))
	}
	if got := country("RKS"); got == "" {
		t.Error("a code without a name is not shown")
	}
	if got := countries([]string{"NPL", "IND", "BTN"}); got != "Nepal, India and Bhutan" {
		t.Error(got)
	}
	alone := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeAlone, Receiving: json.RawMessage(`{"name":"Sita Rai","address":"Delhi"}`), RelocationAllowed: true,
		Trip: json.RawMessage(`{"departFrom":"NPL","destinations":["IND"],"notBefore":"2026-12-01","crossings":1}`)})
	text := strings.Join(alone.Lines, " ")
	for _, w := range []string{"The child travels alone.", "From 1 December 2026.", "No last day is named: this ends on ", "2028.", "no way back", "may stay and live there"} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in %s", w, text)
		}
	}
}

// A consent does not outlive the child's reference: at an epoch there is a new
// one, and what was agreed to under the old one is shown with nothing else.
func TestConsentOutlived(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	s.o.clock.add(309 * oneDay)
	journey := json.RawMessage(`{"departFrom":"NPL","destinations":["IND"],"notBefore":"2027-10-01","notAfter":"2027-10-20"}`)
	d := s.draft(t, amina, Draft{Child: a.Child, Trip: journey})
	early := s.draft(t, amina, Draft{Child: a.Child, Trip: journey})
	if _, err := s.SignConsent(ctx, amina, d.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Present(ctx, amina, Request{Child: a.Child, Consent: d.ID}); err != nil {
		t.Fatal(err)
	}
	s.o.clock.add(oneDay)
	s.o.redo(func(d *deal) { d.child.ref = "ICEiIyQlJicoKSorLC0uLw" })
	if r, err := s.Renew(ctx, amina); err != nil || r.Renewed != 4 {
		t.Fatalf("%+v %v", r, err)
	}
	_, err := s.Present(ctx, amina, Request{Child: a.Child, Consent: d.ID})
	mustCode(t, err, "consent-outlived")
	if _, err := s.Present(ctx, amina, Request{Child: a.Child}); err != nil {
		t.Errorf("without the consent: %v", err)
	}
	_, err = s.Present(ctx, amina, Request{Child: a.Child, Consent: d.ID, Credentials: []string{borderOf(t, a, vc.TypeBirth), borderOf(t, a, vc.TypeGuardianship)}})
	mustCode(t, err, "consent-outlived")
	// It can still be taken back, also once nothing of the child is left here.
	for _, c := range a.Credentials {
		if err := s.DeleteCredential(ctx, amina, c.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.WithdrawConsent(ctx, amina, d.ID); err != nil {
		t.Error(err)
	}
	if s.kept(t, amina, d.ID).Told != true {
		t.Error("the office was not told")
	}
	if err := s.DeleteConsent(ctx, amina, early.ID); err != nil {
		t.Error(err)
	}
	// Renewed within an epoch, the guardianship has another id: the one that
	// was cited goes along.
	b := s.accept(t, bilal, tariq)
	e := s.draft(t, bilal, Draft{Child: b.Child, Trip: json.RawMessage(`{"departFrom":"NPL","destinations":["IND"],"notBefore":"2028-07-30","notAfter":"2028-08-20"}`)})
	s.o.clock.add(310 * oneDay)
	if _, err := s.SignConsent(ctx, bilal, e.ID, false); err != nil {
		t.Fatal(err)
	}
	s.o.redo(nil)
	if r, err := s.Renew(ctx, bilal); err != nil || r.Renewed != 4 {
		t.Fatalf("%+v %v", r, err)
	}
	p, err := s.Present(ctx, bilal, Request{Child: b.Child, Consent: e.ID})
	if err != nil {
		t.Fatal(err)
	}
	shown := s.parts(t, p.Presentation)
	var said vc.TravelConsent
	if len(shown) != 4 || json.Unmarshal(shown[3].Subject, &said) != nil || shown[2].ID != said.Grantors[0].Guardianship || shown[1].ID == shown[2].ID {
		t.Errorf("%d credentials", len(shown))
	}
}

// Nobody who lists consents has to wait for a trust list.
func TestConsentsWithoutTrustList(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	a := s.accept(t, amina, zainab)
	d := s.together(t, amina, a.Child)
	s.cfg.TrustList = func(context.Context) (*vc.TrustList, error) { return nil, nil }
	list, err := s.Consents(t.Context(), amina)
	if err != nil || len(list) != 1 || list[0].ID != d.ID {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := s.Consent(t.Context(), amina, d.ID); err != nil {
		t.Error(err)
	}
	_, err = s.SignConsent(t.Context(), amina, d.ID, true)
	mustCode(t, err, "trust-list-missing")
}

// Who agrees hears every name by which a border would take somebody for the
// companion: another guardian wrote them down, and may mean another adult.
func TestConsentLinesTellEveryName(t *testing.T) {
	s := lite(t).hosting()
	a := s.accept(t, amina, zainab)
	for who, want := range map[string]string{
		`{"names":[{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"],"mrz":{"primary":"SMITH","secondary":"JOHN"}}]}`:                               "The papers of this adult may also say JOHN SMITH.",
		`{"names":[{"kind":"legal","script":"Latn","full":"Rita Thapa"},{"kind":"alias","script":"Latn","full":"John Smith"}]}`:                                       "The papers of this adult may also say John Smith.",
		`{"names":[{"kind":"legal","script":"Latn","full":"Rita Thapa"},{"kind":"legal","script":"Latn","full":"John Smith"}]}`:                                       "The papers of this adult may also say John Smith.",
		`{"names":[{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"]}]}`:                                                                            "",
		`{"names":[{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"],"mrz":{"primary":"THAPA","secondary":"RITA"}}]}`:                               "",
		`{"names":[{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"]}],"birthDate":{"value":"1990-05-01","precision":"day","basis":"documentary"}}`: "",
	} {
		d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: json.RawMessage("[" + who + "]")})
		text := strings.Join(d.Lines, "\n")
		if !strings.Contains(text, "The child travels with Rita Thapa") || strings.Contains(text, "may also say") != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%s:\n%s", who, text)
		}
		if strings.Contains(who, "1990") && !strings.Contains(text, "Rita Thapa, born 1990-05-01.") {
			t.Errorf("no birth date in\n%s", text)
		}
	}
}

// Fewer guardians than the papers ask for is said, also when all who were asked
// have signed.
func TestConsentLinesTellTheQuorum(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	a := s.accept(t, amina, zainab)
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: json.RawMessage(`[{"names":[{"kind":"legal","script":"Latn","full":"Rita Thapa"}]}]`)})
	c, err := s.SignConsent(t.Context(), amina, d.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(c.Lines, "\n"); c.State != consentSigned || !strings.Contains(text, "Only 1 of 2 guardians agreed. A border may refuse it.") {
		t.Errorf("%s\n%s", c.State, text)
	}
}
