package wallet

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

var carla = Guardian{ID: "token-carla"}

// withRita is a journey with an aunt who has no wallet.
const withRita = `[{"names":[{"kind":"legal","script":"Latn","given":["Rita"],"family":["Thapa"]}],"relation":"relative"}]`

// together drafts a journey that two guardians must agree to.
func (s scene) together(t *testing.T, g Guardian, child string) Consent {
	t.Helper()
	return s.draft(t, g, Draft{Child: child, Mode: vc.ModeThirdParty, Accompanying: json.RawMessage(withRita)})
}

// service is a wallet service of its own, which others reach over HTTP.
func service(t *testing.T, o *office, engine string) scene {
	t.Helper()
	ring := newRing(t)
	s := scene{o: o, db: storetest.Open(t, engine, "wallet"), ring: ring}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	s.Wallet = newWallet(t, s.db, ring, o)
	s.Wallet.cfg.Base = srv.URL
	web, err := serve.New(serve.Config{Role: "wallet", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Token: func(context.Context, string) (serve.Caller, error) { return serve.Caller{}, serve.ErrNoToken }})
	if err != nil {
		t.Fatal(err)
	}
	Routes(web, s.Wallet)
	handler = web
	return s
}

// Two guardians agree: at one service, or each at their own.
func TestConsentTogether(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		for _, apart := range []bool{false, true} {
			name := engine + ", one service"
			if apart {
				name = engine + ", two services"
			}
			t.Run(name, func(t *testing.T) {
				o := newOffice(t, newClock())
				o.alter = jointly(2)
				a := service(t, o, engine).hosting()
				b := a
				if apart {
					b = service(t, o, engine)
				}
				testTogether(t, a, b)
			})
		}
	}
}

func testTogether(t *testing.T, a, b scene) {
	ctx := t.Context()
	hers, his := a.accept(t, amina, zainab), b.accept(t, bilal, zainab)
	d := a.together(t, amina, hers.Child)
	if d.State != consentOpen || d.Quorum != 2 || d.Invitation == nil || !d.Invitation.ExpiresAt.Equal(a.o.clock.now().Add(7*24*time.Hour)) {
		t.Fatalf("draft %+v", d)
	}
	if link := d.Invitation.Link; !strings.HasPrefix(link, a.cfg.Base+"/wallet/drops/") || strings.Contains(link, zainab.ref) {
		t.Errorf("link %s", link)
	}
	j, err := b.JoinConsent(ctx, bilal, d.Invitation.Link)
	if err != nil {
		t.Fatal(err)
	}
	if j.State != consentOpen || len(j.Grantors) != 2 || j.Grantors[0].You || !j.Grantors[1].You || j.Child != his.Child || j.Invitation != nil ||
		!slices.Contains(j.Lines, "Zainab Okonkwo, born 2019-03-07, may travel from Nepal to India.") || j.Lines[1] != d.Lines[1] {
		t.Fatalf("joined %+v", j)
	}
	again, err := b.JoinConsent(ctx, bilal, d.Invitation.Link)
	if err != nil || again.ID != j.ID || len(again.Grantors) != 2 {
		t.Errorf("joining again: %+v %v", again, err)
	}
	seen, err := a.Consent(ctx, amina, d.ID)
	if err != nil || len(seen.Grantors) != 2 || seen.Digest != j.Digest || seen.Invitation != nil {
		t.Fatalf("after the other joined: %+v %v", seen, err)
	}
	// The one who joined signs first; the other collects when she reads.
	if j, err = b.SignConsent(ctx, bilal, j.ID, false); err != nil || j.State != consentOpen || !j.Grantors[1].Signed {
		t.Fatalf("signed by one: %+v %v", j, err)
	}
	if seen, err = a.Consent(ctx, amina, d.ID); err != nil || seen.State != consentOpen || !seen.Grantors[1].Signed || seen.Grantors[0].Signed {
		t.Fatalf("collected by the other: %+v %v", seen, err)
	}
	_, err = a.Present(ctx, amina, Request{Child: hers.Child, Consent: d.ID})
	mustCode(t, err, "consent-state")
	if seen, err = a.SignConsent(ctx, amina, d.ID, false); err != nil || seen.State != consentSigned || !seen.Usable {
		t.Fatalf("signed by both: %+v %v", seen, err)
	}
	list, err := b.Consents(ctx, bilal)
	if err != nil || len(list) != 1 || list[0].State != consentSigned || !list[0].Usable {
		t.Fatalf("collected by the first: %+v %v", list, err)
	}
	ours, theirs := a.kept(t, amina, d.ID), b.kept(t, bilal, j.ID)
	if string(ours.Subject) != string(theirs.Subject) || len(ours.signs) != 2 {
		t.Error("they did not sign the same")
	}
	for i := range ours.signs {
		if string(ours.signs[i].Subject) != string(ours.Subject) || ours.Parties[i].Consent != theirs.Parties[i].Consent {
			t.Errorf("consent %d is another one", i)
		}
	}
	if ours.signs[0].Status[0].Index == ours.signs[1].Status[0].Index {
		t.Error("two grantors share a place in the status list")
	}
	p, err := a.Present(ctx, amina, Request{Child: hers.Child, Consent: d.ID})
	if err != nil {
		t.Fatal(err)
	}
	if shown := a.parts(t, p.Presentation); len(shown) != 5 { // birth, two guardianships, two consents
		t.Errorf("%d credentials", len(shown))
	}
	// Taken back by one, without a word to the other until the status is read.
	if err := b.WithdrawConsent(ctx, bilal, j.ID); err != nil {
		t.Fatal(err)
	}
	if seen, err = a.Consent(ctx, amina, d.ID); err != nil || seen.State != consentSigned {
		t.Errorf("%+v %v", seen, err)
	}
	if _, err := a.Renew(ctx, amina); err != nil {
		t.Fatal(err)
	}
	if seen, err = a.Consent(ctx, amina, d.ID); err != nil || seen.Usable || seen.State != consentSigned ||
		!slices.Contains(seen.Lines, "Not usable. Please contact the guardians or the office.") || strings.Contains(strings.Join(seen.Lines, " "), "took it back") {
		t.Errorf("after the status was read: %+v %v", seen, err)
	}
	_, err = a.Present(ctx, amina, Request{Child: hers.Child, Consent: d.ID})
	mustCode(t, err, "credential-not-usable")
}

// An invitation is good for one guardian of this child, and for nobody else.
func TestInvitationIsForOneGuardian(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		s.o.alter = jointly(3)
		ctx := t.Context()
		a := s.accept(t, amina, zainab)
		d := s.together(t, amina, a.Child)
		link := d.Invitation.Link
		// Who has no mandate does not spend it.
		_, err := s.JoinConsent(ctx, carla, link)
		mustCode(t, err, "consent-no-mandate")
		s.o.alter = func(c string, doc jsonObject) {
			jointly(3)(c, doc)
			if strings.HasPrefix(c, "Guardianship") {
				subject(doc)["powers"] = []string{"travelAccompany"}
			}
		}
		s.accept(t, carla, zainab)
		s.o.alter = jointly(3)
		_, err = s.JoinConsent(ctx, carla, link)
		mustCode(t, err, "consent-no-mandate")
		s.accept(t, bilal, zainab)
		if _, err := s.JoinConsent(ctx, bilal, link); err != nil {
			t.Fatal(err)
		}
		s.accept(t, carla, zainab)
		_, err = s.JoinConsent(ctx, carla, link)
		mustCode(t, err, "link-gone")
		// The third guardian gets an invitation of their own.
		now, err := s.Consent(ctx, amina, d.ID)
		if err != nil || now.Invitation == nil || now.Invitation.Link == link {
			t.Fatalf("%+v %v", now, err)
		}
		same, err := s.Consent(ctx, amina, d.ID)
		if err != nil || same.Invitation.Link != now.Invitation.Link {
			t.Error("an invitation that was not used is replaced")
		}
		// A guardian of another child spends it, and learns nothing.
		other := Guardian{ID: "token-other"}
		s.accept(t, other, tariq)
		_, err = s.JoinConsent(ctx, other, now.Invitation.Link)
		mustCode(t, err, "consent-no-mandate")
		if list, err := s.Consents(ctx, other); err != nil || len(list) != 0 {
			t.Errorf("%v %v", list, err)
		}
		if now, err = s.Consent(ctx, amina, d.ID); err != nil || now.Invitation == nil {
			t.Fatalf("%+v %v", now, err)
		}
		if _, err := s.JoinConsent(ctx, carla, now.Invitation.Link); err != nil {
			t.Fatal(err)
		}
		if now, err = s.Consent(ctx, amina, d.ID); err != nil || now.Invitation != nil || len(now.Grantors) != 3 {
			t.Errorf("all seats are taken: %+v %v", now, err)
		}
	})
}

func TestInvitationEnds(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	a := s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: json.RawMessage(withRita),
		Trip: json.RawMessage(`{"departFrom":"NPL","destinations":["IND"],"notBefore":"2027-03-01","notAfter":"2027-04-01"}`)})
	s.o.clock.add(7 * 24 * time.Hour)
	_, err := s.JoinConsent(t.Context(), bilal, d.Invitation.Link)
	mustCode(t, err, "link-gone")
	again, err := s.Consent(t.Context(), amina, d.ID)
	if err != nil || again.Invitation == nil || again.Invitation.Link == d.Invitation.Link {
		t.Fatalf("%+v %v", again, err)
	}
	// Signed, nobody can join any more, and the invitation is gone.
	if _, err := s.SignConsent(t.Context(), amina, d.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = s.JoinConsent(t.Context(), bilal, again.Invitation.Link)
	mustCode(t, err, "link-gone")
	// The same for one that was withdrawn.
	e := s.together(t, amina, a.Child)
	if err := s.WithdrawConsent(t.Context(), amina, e.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.JoinConsent(t.Context(), bilal, e.Invitation.Link)
	mustCode(t, err, "link-gone")
	if err := s.RenewAllForTest(t.Context(), 40*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s.db, "drops"); n != 0 {
		t.Errorf("%d drops are kept that are over", n)
	}
	// The wallet answers for what it signed until that is taken back.
	mustCode(t, s.Delete(t.Context(), amina), "consent-live")
	if err := s.WithdrawConsent(t.Context(), amina, d.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), amina); err != nil {
		t.Fatal(err)
	}
}

// RenewAllForTest lets time pass and does what the service does by itself.
func (s scene) RenewAllForTest(ctx context.Context, d time.Duration) error {
	s.o.clock.add(d)
	_, err := s.RenewAll(ctx)
	return err
}

// inRoom gives what is in the room of a consent, and puts something else there.
func (s scene) inRoom(t *testing.T, g Guardian, id string, change func(*folder)) {
	t.Helper()
	at := far{s.Wallet, s.kept(t, g, id).Room.Link}
	var f folder
	version, err := at.read(t.Context(), &f)
	if err != nil {
		t.Fatal(err)
	}
	change(&f)
	if err := at.write(t.Context(), version, f); err != nil {
		t.Fatal(err)
	}
}

// Whoever has the link can write anything into the room. Nothing of it is
// believed that is not signed, and the journey never changes.
func TestRoomIsNotBelieved(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	stranger := s.accept(t, carla, tariq)
	strangers := ""
	for _, id := range []string{borderOf(t, stranger, vc.TypeGuardianship)} {
		c, err := s.Credential(ctx, carla, id)
		if err != nil {
			t.Fatal(err)
		}
		strangers = c.JWT
	}
	edit := func(f *folder, change func(*vc.TravelConsent)) {
		var c vc.TravelConsent
		if err := json.Unmarshal(f.Subject, &c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		var err error
		if f.Subject, err = plainJSON(c); err != nil {
			t.Fatal(err)
		}
	}
	key, err := s.Key(ctx, carla)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		change func(*folder)
		code   string // of signing by the one who drafted
		join   string // of joining by the other guardian
	}{
		"another destination": {func(f *folder) { edit(f, func(c *vc.TravelConsent) { c.Trip.Destinations = []string{"BGD"} }) }, "consent-refused", "consent-refused"},
		"a move":              {func(f *folder) { edit(f, func(c *vc.TravelConsent) { c.RelocationAllowed = true }) }, "consent-refused", "consent-refused"},
		"another adult":       {func(f *folder) { edit(f, func(c *vc.TravelConsent) { c.Accompanying[0].Key = key }) }, "consent-refused", "consent-refused"},
		"another child":       {func(f *folder) { edit(f, func(c *vc.TravelConsent) { c.ChildRef = tariq.ref }) }, "consent-refused", "consent-refused"},
		"witnessed already":   {func(f *folder) { edit(f, func(c *vc.TravelConsent) { c.Assurance.Level = vc.LevelJudicial }) }, "consent-refused", "consent-refused"},
		"nobody left":         {func(f *folder) { f.Subject, f.Parties = json.RawMessage(`{}`), nil }, "consent-refused", "consent-refused"},
		"no subject":          {func(f *folder) { f.Subject = nil }, "consent-refused", "consent-refused"},
		"a stranger joins": {func(f *folder) {
			edit(f, func(c *vc.TravelConsent) {
				c.Grantors = append(c.Grantors, vc.Grantor{Guardianship: "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11", Key: key})
			})
			f.Parties = append(f.Parties, party{Guardianship: strangers})
		}, "consent-refused", "consent-refused"},
		"a stranger joins with her own": {func(f *folder) {
			s, _ := vc.SplitJWS(strangers)
			c, _ := vc.ParseCredential(s.PayloadUnverified())
			edit(f, func(t *vc.TravelConsent) { t.Grantors = append(t.Grantors, vc.Grantor{Guardianship: c.ID, Key: key}) })
			f.Parties = append(f.Parties, party{Guardianship: strangers})
		}, "consent-refused", "consent-refused"},
		"a court joins": {func(f *folder) {
			edit(f, func(c *vc.TravelConsent) { c.Grantors[0].Capacity = "court" })
		}, "consent-room", "consent-refused"},
		"somebody twice": {func(f *folder) {
			edit(f, func(c *vc.TravelConsent) { c.Grantors = append(c.Grantors, c.Grantors[0]) })
			f.Parties = append(f.Parties, f.Parties[0])
		}, "consent-refused", "consent-refused"},
		"another spelling": {func(f *folder) {
			f.Subject = json.RawMessage(strings.Replace(string(f.Subject), `"mode"`, ` "mode"`, 1))
		}, "", ""},
		"hidden text": {func(f *folder) {
			edit(f, func(c *vc.TravelConsent) { c.Accompanying[0].Names[0].Given[0] = "Ri\u202eta" })
		}, "consent-refused", "consent-refused"},
		"a false signature": {func(f *folder) { f.Frozen = true; f.Parties[0].Consent = strangers }, "consent-signers-missing", "consent-closed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := s.together(t, amina, a.Child)
			before := s.kept(t, amina, d.ID)
			s.inRoom(t, amina, d.ID, x.change)
			_, err := s.JoinConsent(ctx, bilal, d.Invitation.Link)
			if faultCode2(err) != x.join {
				t.Errorf("joining: %v", err)
			}
			if x.code != "" {
				if _, err := s.SignConsent(ctx, amina, d.ID, false); faultCode2(err) != x.code {
					t.Errorf("signing: %v", err)
				}
			}
			after := s.kept(t, amina, d.ID)
			if string(after.Subject) != string(before.Subject) && x.code != "" {
				t.Error("the journey changed")
			}
		})
	}
}

func faultCode2(err error) string {
	if err == nil {
		return ""
	}
	return faultCode(err)
}

// What the others sign is verified before it counts.
func TestOthersSignaturesAreVerified(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	d := s.together(t, amina, a.Child)
	j, err := s.JoinConsent(ctx, bilal, d.Invitation.Link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignConsent(ctx, bilal, j.ID, false); err != nil {
		t.Fatal(err)
	}
	good := s.kept(t, bilal, j.ID).Parties[1].Consent
	// Another consent of the same guardian, about another journey.
	e := s.draft(t, bilal, Draft{Child: j.Child, Mode: vc.ModeAlone, Receiving: json.RawMessage(`{"name":"Sita Rai","contact":"+977"}`)})
	if _, err := s.SignConsent(ctx, bilal, e.ID, true); err != nil {
		t.Fatal(err)
	}
	other := s.kept(t, bilal, e.ID).Parties[0].Consent
	h, err := s.holderFor(ctx, bilal)
	if err != nil {
		t.Fatal(err)
	}
	altered := func(change func(jsonObject)) string {
		var doc jsonObject
		if err := json.Unmarshal([]byte(decoded(t, good)), &doc); err != nil {
			t.Fatal(err)
		}
		change(doc)
		payload, err := plainJSON(doc)
		if err != nil {
			t.Fatal(err)
		}
		k, err := h.signer()
		if err != nil {
			t.Fatal(err)
		}
		out, err := vc.SignJWS(k, vc.TypCredential, "vc", payload)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	status := func(i int, member, value string) func(jsonObject) {
		return func(doc jsonObject) { doc["credentialStatus"].([]any)[i].(jsonObject)[member] = value }
	}
	for name, bad := range map[string]string{
		"nothing":           "x",
		"cut":               good[:len(good)-4],
		"changed":           tamper(1)("BirthCredential", good),
		"another journey":   other,
		"another guardian":  s.kept(t, amina, d.ID).Parties[0].Guardianship,
		"judicial":          altered(func(doc jsonObject) { subject(doc)["assurance"] = jsonObject{"level": "judicial"} }),
		"issued by another": altered(func(doc jsonObject) { doc["issuer"] = s.o.did }),
		"longer":            altered(func(doc jsonObject) { doc["validUntil"] = "2027-12-20T00:00:00Z" }),
		"over": altered(func(doc jsonObject) {
			doc["validUntil"] = "2026-11-20T09:30:00Z"
			doc["validFrom"] = "2026-11-01T00:00:00Z"
		}),
		"not yet":             altered(func(doc jsonObject) { doc["validFrom"] = "2026-11-30T00:00:00Z" }),
		"status elsewhere":    altered(status(0, "statusListCredential", "https://x.test/status/revocation/1")),
		"two indexes":         altered(status(0, "statusListIndex", "1")),
		"no suspension":       altered(status(1, "statusPurpose", "revocation")),
		"another schema":      altered(func(doc jsonObject) { doc["credentialSchema"].(jsonObject)["id"] = vc.SchemaGuardBorder }),
		"another type":        altered(func(doc jsonObject) { doc["type"] = []string{vc.TypeCredential, vc.TypeGuardianship} }),
		"another grantor":     altered(func(doc jsonObject) { subject(doc)["grantors"] = subject(doc)["grantors"].([]any)[:1] }),
		"crossings once more": altered(func(doc jsonObject) { subject(doc)["trip"].(jsonObject)["crossings"] = 3 }),
	} {
		s.inRoom(t, amina, d.ID, func(f *folder) { f.Parties[1].Consent = bad })
		c, err := s.Consent(ctx, amina, d.ID)
		if err != nil || c.Grantors[1].Signed {
			t.Errorf("%s counts as a signature: %v", name, err)
		}
	}
	s.inRoom(t, amina, d.ID, func(f *folder) { f.Parties[1].Consent = good })
	if c, err := s.Consent(ctx, amina, d.ID); err != nil || !c.Grantors[1].Signed {
		t.Errorf("the good one does not count: %v", err)
	}
}

func (w *Wallet) holderFor(ctx context.Context, g Guardian) (holder, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return holder{}, err
	}
	return w.holderOf(ctx, v)
}

// An older content of the room is not believed, nor one that was sealed for
// another room.
func TestRoomDoesNotGoBack(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	d := s.together(t, amina, a.Child)
	link := s.kept(t, amina, d.ID).Room.Link
	old, err := s.drop(ctx, link.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.JoinConsent(ctx, bilal, d.Invitation.Link); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Consent(ctx, amina, d.ID); err != nil {
		t.Fatal(err)
	}
	put := func(version int64, content []byte) {
		if _, err := s.db.Exec(`UPDATE drops SET version = $1, content = $2 WHERE id = $3`, version, content, link.ID); err != nil {
			t.Fatal(err)
		}
	}
	put(old.version, old.content)
	_, err = s.SignConsent(ctx, amina, d.ID, false)
	mustCode(t, err, "consent-room")
	put(9, old.content) // an older content under a newer number does not open
	_, err = s.SignConsent(ctx, amina, d.ID, false)
	mustCode(t, err, "link-gone")
	if c := s.kept(t, amina, d.ID); len(c.Parties) != 2 || c.Frozen {
		t.Error("something changed")
	}
}

// Three guardians who join and sign at once lose nothing.
func TestConsentAllAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		s.o.alter = jointly(3)
		ctx := t.Context()
		a := s.accept(t, amina, zainab)
		s.accept(t, bilal, zainab)
		s.accept(t, carla, zainab)
		d := s.together(t, amina, a.Child)
		// Two invitations: the second one as it is made once the first is used.
		var second string
		v, err := s.vault(ctx, amina.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.changeConsent(ctx, v, d.ID, func(c *consentHeld) error {
			i, err := s.newInvite(&c.consentKept)
			c.leave, second = []drop{i}, c.Invite.Link.String()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		ids := map[string]string{amina.ID: d.ID}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for g, link := range map[Guardian]string{bilal: d.Invitation.Link, carla: second} {
			wg.Go(func() {
				c, err := s.JoinConsent(ctx, g, link)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				ids[g.ID] = c.ID
				mu.Unlock()
			})
		}
		wg.Wait()
		for _, g := range []Guardian{amina, bilal, carla} {
			wg.Go(func() {
				for try := 0; ; try++ {
					_, err := s.SignConsent(ctx, g, ids[g.ID], false)
					if err == nil {
						return
					}
					if c := faultCode(err); c != "drop-version" || try == 20 {
						t.Errorf("signing: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		digests := map[string]bool{}
		for range 2 { // the first reading may leave a signature for the second
			for _, g := range []Guardian{amina, bilal, carla} {
				c, err := s.Consent(ctx, g, ids[g.ID])
				if err != nil {
					t.Fatal(err)
				}
				digests[c.Digest] = true
			}
		}
		for _, g := range []Guardian{amina, bilal, carla} {
			if c, err := s.Consent(ctx, g, ids[g.ID]); err != nil || c.State != consentSigned || len(c.Grantors) != 3 {
				t.Errorf("%+v %v", c, err)
			}
		}
		if len(digests) != 1 || len(s.o.reserved) != 3 {
			t.Errorf("%d journeys, %d places", len(digests), len(s.o.reserved))
		}
	})
}

// A service that is down, or answers nonsense, costs nothing but time.
func TestFarServiceMisbehaves(t *testing.T) {
	o := newOffice(t, newClock())
	o.alter = jointly(2)
	b := service(t, o, store.SQLite).hosting()
	b.accept(t, bilal, zainab)
	var answer http.HandlerFunc
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || !strings.HasPrefix(r.URL.Path, "/wallet/drops/") || len(r.Header.Get("Authorization")) != len("Bearer ")+43 {
			t.Errorf("asked %s", r.URL)
		}
		answer(w, r)
	}))
	defer bad.Close()
	link := newLink(bad.URL)
	for name, x := range map[string]struct {
		do   http.HandlerFunc
		code string
	}{
		"not there": {func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 404, jsonObject{}) }, "link-gone"},
		"down":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "link-unreachable"},
		"busy":      {func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 429, jsonObject{}) }, "link-unreachable"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, b.cfg.Base, http.StatusFound) }, "link-gone"},
		"no JSON":   {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "link-gone"},
		"empty":     {func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, jsonObject{}) }, "link-gone"},
		"not sealed": {func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, jsonObject{"version": 1, "content": "AAAA"})
		}, "link-gone"},
		"no base64": {func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, jsonObject{"version": 1, "content": "!"})
		}, "link-gone"},
		"other types": {func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, jsonObject{"version": "1", "content": 5})
		}, "link-gone"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, jsonObject{"version": 1, "content": strings.Repeat("A", 1<<20)})
		}, "link-gone"},
		"a room elsewhere": {func(w http.ResponseWriter, _ *http.Request) {
			sealed, err := link.seal(dropFirst, 1, invitation{ID: "../../../x", Secret: link.Secret})
			if err != nil {
				t.Error(err)
			}
			answerJSON(w, 200, jsonObject{"version": 1, "content": b64.EncodeToString(sealed)})
		}, "link-gone"},
		"for one key, without nonce": {func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, jsonObject{"version": 1}) }, "link-gone"},
	} {
		answer = x.do
		_, err := b.JoinConsent(t.Context(), bilal, link.String())
		if faultCode2(err) != x.code {
			t.Errorf("%s, joining: %v", name, err)
		}
		if _, err = b.Redeem(t.Context(), bilal, link.String()); faultCode2(err) != x.code {
			t.Errorf("%s, redeeming: %v", name, err)
		}
	}
	if n := count(t, b.db, "consents"); n != 0 {
		t.Errorf("%d consents were kept", n)
	}
}
