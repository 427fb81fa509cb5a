package issuer

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

var (
	nora = Caller{ID: "t-nora", Name: "Nora", Role: RoleNotary}
	nils = Caller{ID: "t-nils", Name: "Nils", Role: RoleNotary}
	hugo = Caller{ID: "t-hugo", Name: "Hugo", Role: RoleHumanitarian}
	hana = Caller{ID: "t-hana", Name: "Hana", Role: RoleHumanitarian}
	cleo = Caller{ID: "t-cleo", Name: "Cleo", Role: RoleCourt}
)

// onBasis makes of the mother's guardianship one on another legal basis, with
// another guardian, that the checks accept.
func onBasis(kind string) func(*vc.Guardianship) {
	return func(g *vc.Guardianship) {
		switch kind {
		case "parentalResponsibilityByBirth", "acknowledgement":
			g.LegalBasis.Type = kind
			return
		}
		g.Guardian.PersonRef, g.Guardian.Names, g.Role = token(), newBirth().Names, "legalGuardian"
		g.LegalBasis = vc.LegalBasis{Type: kind, Law: "ZAF", Authority: "https://office.zaf.example", Reference: "12/2026", DecidedOn: "2026-11-10"}
		g.Exercise = vc.Exercise{Mode: "sole"}
		g.Effective = vc.Effective{From: "2026-11-10"}
		g.Powers = []string{"healthRoutine", "education"}
		switch kind {
		case "adoptionSimple", "adoptionPlenary":
			g.Role = "mother"
		case "kafala":
			g.Role = "kafil"
		case "testamentary":
			g.Role = "testamentaryGuardian"
		case "publicAuthority", "customary":
			g.Effective.Until = "2027-01-30"
		case "humanitarianMandate":
			g.Role, g.Guardian.Kind, g.Guardian.BirthDate = "ngoGuardian", "institution", nil
			g.Guardian.Names = []vc.Name{{Kind: "legal", Script: "Latn", Full: "Relief House"}}
			g.Effective.Until = "2027-01-30"
		}
	}
}

// wardOn makes a birth whose child can have a guardian on a legal basis: a will
// waits for a death.
func wardOn(kind string) *vc.Birth {
	return newBirth(func(b *vc.Birth) {
		if kind == "testamentary" {
			b.Parentage[0].Status = "deceased"
		}
	})
}

// kidOf gives the name of the key that a copy is signed with.
func kidOf(t testing.TB, profile, text string) string {
	t.Helper()
	kid := ""
	if profile == ProfileLDP {
		var d struct {
			Proof struct {
				Method string `json:"verificationMethod"`
			} `json:"proof"`
		}
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		kid = d.Proof.Method
	} else {
		jwt, _, _ := strings.Cut(text, "~")
		j, err := vc.SplitJWS(jwt)
		if err != nil {
			t.Fatal(err)
		}
		kid = j.Header.Kid
	}
	_, name, _ := strings.Cut(kid, "#")
	return name
}

// keyNamed gives the name of the key that signs for a role in a profile.
func keyNamed(role, profile string) string {
	switch {
	case role == RoleRegistrar && profile == ProfileLDP:
		return "selective-1"
	case role == RoleRegistrar:
		return "key-1"
	case profile == ProfileLDP:
		return role + "-selective-1"
	}
	return role + "-1"
}

// TestBasisTable: for every legal basis and every role, who decides alone, who
// only proposes, who does neither, and whose key signs (domain handbook, section
// 2.2).
func TestBasisTable(t *testing.T) {
	if len(bases) != 11 {
		t.Fatalf("%d legal bases", len(bases))
	}
	callers := map[string][2]Caller{
		RoleRegistrar: {rita, rob}, RoleCourt: {clara, cleo}, RoleProtection: {peter, {ID: "t-pia", Name: "Pia", Role: RoleProtection}},
		RoleNotary: {nora, nils}, RoleHumanitarian: {hugo, hana},
	}
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		for kind := range bases {
			for role, c := range callers {
				b := wardOn(kind)
				d.birth(StateIssued, b)
				o, err := d.RegisterGuardianship(ctx, c[0], raw(t, newGuardianship(b, onBasis(kind))), "")
				if !slices.Contains(vc.RolesFor(kind), role) && !slices.Contains(keepsRegister, role) {
					if !errors.Is(err, ErrBasisRole) || fault.As(err).Fields[0].Path != "/legalBasis/type" {
						t.Errorf("%s by %s: %v", kind, role, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s by %s: %v", kind, role, explain(err))
					continue
				}
				signer := role
				if o.State == StatePending && decides(role, kind) {
					o = d.approveAs(c[1], o)
				} else if o.State == StatePending {
					// A colleague of the same office does not make it that office's to
					// decide; one of the office that decides does.
					d.needs(c[1], o.Approval, vc.RolesFor(kind)...)
					_, err := d.Approve(ctx, c[1], o.Approval, true)
					if !errors.Is(err, ErrBasisDecision) || fault.As(err).Fields[0].Path != "/legalBasis/type" {
						t.Errorf("%s by two of %s: %v", kind, role, err)
					}
					signer = vc.RolesFor(kind)[0]
					d.needs(callers[signer][1], o.Approval)
					o = d.approveAs(callers[signer][1], o)
				} else if !byRecord(newGuardianship(b, onBasis(kind))) || !decides(role, kind) {
					t.Errorf("%s by %s alone: %+v", kind, role, o)
				}
				if o.State != StateIssued || len(o.Credentials) != 1 {
					t.Fatalf("%s by %s: %+v", kind, role, o)
				}
				_, paper, err := d.Paper(ctx, rita, d.birthOf(o.ID), o.ID)
				if err != nil {
					t.Fatal(explain(err))
				}
				if kid := kidOf(t, ProfilePaper, paper); kid != keyNamed(signer, ProfilePaper) {
					t.Errorf("%s by %s: signed by %s", kind, role, kid)
				}
			}
		}
		if v, err := d.Verify(ctx); err != nil || v.Bad != 0 {
			t.Errorf("%+v %v", v, err)
		}
	})
}

// birthOf gives the id of the birth of a guardianship.
func (d *desk) birthOf(guardianship string) string {
	d.t.Helper()
	r, err := d.Guardianship(ctx, rita, guardianship)
	if err != nil {
		d.t.Fatal(err)
	}
	return r.Birth
}

// TestCourtOrderIsSignedByTheCourt: every copy of a court's order, in all
// formats, is signed with the court's keys; the birth beside it with the
// register's.
func TestCourtOrderIsSignedByTheCourt(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		o, err := d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b, court)), "")
		if err != nil || o.State != StatePending {
			t.Fatalf("%+v %v", o, err)
		}
		// Her colleague cannot make it the court's act, and what was tried changes
		// nothing.
		_, err = d.Approve(ctx, rob, o.Approval, true)
		wantFault(t, err, ErrBasisDecision)
		if s := d.state(KindGuardianship, o.ID); s != "pendingApproval valid" {
			t.Fatal(s)
		}
		d.approveAs(clara, o)
		copies, err := d.IssueCopies(ctx, o.ID, newHolder(t))
		if err != nil || len(copies) != 8 {
			t.Fatalf("%d copies, %v", len(copies), err)
		}
		for _, c := range copies {
			role := RoleRegistrar
			if c.Type == vc.TypeGuardianship {
				role = RoleCourt
			}
			if kid := kidOf(t, c.Profile, c.JWT); kid != keyNamed(role, c.Profile) {
				t.Errorf("%s %s: signed by %s", c.Type, c.Profile, kid)
			}
		}
		if v, err := d.Verify(ctx); err != nil || v.Bad != 0 || v.Checked != 10 {
			t.Errorf("%+v %v", v, err)
		}
		// What the register says of the key counts: a copy under another office's
		// key is not as it was issued.
		if _, err := d.db.ExecContext(ctx, `UPDATE credentials SET signed_as = $1 WHERE type = $2`, RoleNotary, vc.TypeGuardianship); err != nil {
			t.Fatal(err)
		}
		if v, err := d.Verify(ctx); err != nil || v.Bad != 5 {
			t.Errorf("under another role: %+v %v", v, err)
		}
	})
}

// TestOfficeKeyMissing: without the key of an office that decides, a mandate is
// refused by field and rule, alone and in an import, and one without the
// office's selective key has all formats but that one.
func TestOfficeKeyMissing(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDeskWith(t, Config{DB: db, Ring: ringOf(t, RoleCourt)})
		d.ring.Keys = slices.DeleteFunc(d.ring.Keys, func(k *keys.Key) bool { return k.Use == keys.SelectiveOf(RoleCourt) })
		b := newBirth()
		d.birth(StateIssued, b)
		for _, c := range []Caller{rita, peter} {
			_, err := d.RegisterGuardianship(ctx, c, raw(t, newGuardianship(b, onBasis("publicAuthority"))), "")
			wantFault(t, err, ErrBasisKey)
			if f := fault.As(err).Fields; len(f) != 1 || f[0].Path != "/legalBasis/type" || !strings.Contains(f[0].Rule, RoleProtection) {
				t.Errorf("%+v", f)
			}
		}
		o, err := d.RegisterGuardianship(ctx, clara, raw(t, newGuardianship(b, court)), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		o = d.approve(o)
		copies, err := d.IssueCopies(ctx, o.ID, newHolder(t))
		if err != nil || len(copies) != 7 {
			t.Fatalf("%d copies, %v", len(copies), err)
		}
		offer, err := d.NewOffer(ctx, clara, o.ID)
		if err != nil || len(offer.Offer.Configurations) != 7 {
			t.Errorf("%+v %v", offer.Offer, err)
		}
		second := newBirth()
		s, refused := d.load(jsonl(t, second), jsonl(t, newGuardianship(second, onBasis("humanitarianMandate")), newGuardianship(second, court)))
		if s.Accepted != 2 || s.Refused != 1 || refused[0].Fields[0].Path != "/legalBasis/type" {
			t.Errorf("%+v %+v", s, refused)
		}
	})
}

// TestImportSignsForTheFirstOffice: a batch has its two persons, and each line is
// signed by the first office that may and whose key is here.
func TestImportSignsForTheFirstOffice(t *testing.T) {
	for name, c := range map[string]struct {
		offices []string
		want    map[string]string
	}{
		"all":           {[]string{RoleCourt, RoleProtection, RoleNotary, RoleHumanitarian}, map[string]string{"courtOrder": "court-1", "kafala": "notary-1", "acknowledgement": "key-1", "customary": "key-1"}},
		"without notar": {[]string{RoleCourt}, map[string]string{"courtOrder": "court-1", "kafala": "court-1", "acknowledgement": "key-1", "testamentary": "court-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDeskWith(t, Config{DB: storetest.Open(t, store.SQLite, "issuer"), Ring: ringOf(t, c.offices...)})
			for kind, want := range c.want {
				b := wardOn(kind)
				if s, refused := d.load(jsonl(t, b), jsonl(t, newGuardianship(b, onBasis(kind)))); s.Accepted != 2 {
					t.Fatalf("%s: %+v %+v", kind, s, refused)
				}
				var text string
				if err := d.db.QueryRowContext(ctx, `SELECT jwt FROM credentials WHERE type = $1 ORDER BY created DESC, id LIMIT 1`, vc.TypeGuardianship).Scan(&text); err != nil {
					t.Fatal(err)
				}
				if kid := kidOf(t, ProfilePaper, text); kid != want {
					t.Errorf("%s: signed by %s", kind, kid)
				}
				if _, err := d.db.ExecContext(ctx, `UPDATE credentials SET created = 0`); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCrashKeepsTheOffice: what was reserved for a court is signed by the court,
// whoever finishes it.
func TestCrashKeepsTheOffice(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		o, err := d.RegisterGuardianship(ctx, clara, raw(t, newGuardianship(b, court)), "")
		if err != nil {
			t.Fatal(err)
		}
		o = d.approve(o)
		_, before, err := d.Paper(ctx, rita, d.birthOf(o.ID), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		// As a crash between reserving and sealing leaves it.
		payload, err := d.unsecure(form{ProfilePaper, RoleCourt}, before, d.now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(ctx, `UPDATE credentials SET state = 'reserved', jwt = '', payload = $1 WHERE id = $2`, payload, o.Credentials[0].ID); err != nil {
			t.Fatal(err)
		}
		r, err := d.Recover(ctx)
		if err != nil || r.Sealed != 1 {
			t.Fatalf("%+v %v", r, err)
		}
		_, after, err := d.Paper(ctx, rita, d.birthOf(o.ID), o.ID)
		if err != nil || kidOf(t, ProfilePaper, after) != "court-1" {
			t.Errorf("%s %v", after, err)
		}
		if v, err := d.Verify(ctx); err != nil || v.Bad != 0 {
			t.Errorf("%+v %v", v, err)
		}
	})
}

// TestCorrectionKeepsToTheBasis: nobody puts a court's order aside by correcting
// it into something that the own office decides, nor the other way round.
func TestCorrectionKeepsToTheBasis(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		ordered := newGuardianship(b, court)
		o, err := d.RegisterGuardianship(ctx, clara, raw(t, ordered), "")
		if err != nil {
			t.Fatal(err)
		}
		o = d.approve(o)
		agreed := *ordered
		agreed.LegalBasis.Type = "parentalAgreement"
		for name, c := range map[string]struct {
			g    *vc.Guardianship
			by   [2]Caller
			want error
		}{
			"two registrars, the order":          {ordered, [2]Caller{rita, rob}, ErrBasisDecision},
			"two registrars, another basis":      {&agreed, [2]Caller{rita, rob}, ErrBasisDecision},
			"two of the court, another basis":    {&agreed, [2]Caller{clara, cleo}, ErrBasisDecision},
			"registrar and court, the order":     {ordered, [2]Caller{rita, clara}, nil},
			"court and registrar, another basis": {&agreed, [2]Caller{clara, rob}, nil},
		} {
			if c.want == nil {
				continue
			}
			p, err := d.CorrectGuardianship(ctx, c.by[0], o.ID, raw(t, c.g), "")
			if err != nil {
				t.Fatalf("%s: %v", name, explain(err))
			}
			if a, err := d.Approval(ctx, c.by[1], p.Approval); err != nil || a.Needs == nil {
				t.Errorf("%s: nobody is said to be needed, %v", name, err)
			}
			if _, err := d.Approve(ctx, c.by[1], p.Approval, true); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := d.Approve(ctx, c.by[1], p.Approval, false); err != nil {
				t.Fatalf("%s: denying: %v", name, err)
			}
		}
		for _, c := range []struct {
			g      *vc.Guardianship
			by     [2]Caller
			signed string
		}{{ordered, [2]Caller{rita, clara}, "court-1"}, {&agreed, [2]Caller{clara, rob}, "key-1"}} {
			p, err := d.CorrectGuardianship(ctx, c.by[0], o.ID, raw(t, c.g), "")
			if err != nil {
				t.Fatal(explain(err))
			}
			d.needs(c.by[1], p.Approval)
			d.approveAs(c.by[1], p)
			_, text, err := d.Paper(ctx, rita, d.birthOf(o.ID), o.ID)
			if err != nil || kidOf(t, ProfilePaper, text) != c.signed {
				t.Errorf("signed by %s, %v", kidOf(t, ProfilePaper, text), err)
			}
		}
	})
}

// needs looks whom somebody is told that a proposal needs beside them.
func (d *desk) needs(c Caller, id string, roles ...string) {
	d.t.Helper()
	a, err := d.Approval(ctx, c, id)
	if err != nil || !slices.Equal(a.Needs, roles) {
		d.t.Errorf("%s is told that %s needs %v, want %v; %v", c.Name, a.Kind, a.Needs, roles, err)
	}
}

// TestCountersignatureIsAStates: an organisation does not give itself what only
// a State adds, by naming an office that countersigned: one of the two persons is
// of a State's office, at registration and in a correction.
func TestCountersignatureIsAStates(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		countersign := func(g *vc.Guardianship) {
			g.LegalBasis.CountersignedBy = d.DID()
			g.Powers = []string{"travelAccompany", "travelConsent", "relocate"}
		}
		for n, c := range []struct {
			by   [2]Caller
			want error
		}{
			{[2]Caller{hugo, hana}, ErrBasisDecision},
			{[2]Caller{hugo, rita}, nil},
			{[2]Caller{peter, hana}, nil},
			{[2]Caller{hugo, clara}, nil},
		} {
			b := newBirth()
			d.birth(StateIssued, b)
			o, err := d.RegisterGuardianship(ctx, c.by[0], raw(t, newGuardianship(b, onBasis("humanitarianMandate"), countersign)), "")
			if err != nil {
				t.Fatal(n, explain(err))
			}
			if _, err = d.Approve(ctx, c.by[1], o.Approval, true); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%d: %v", n, explain(err))
			}
		}
		b := newBirth()
		d.birth(StateIssued, b)
		own := newGuardianship(b, onBasis("humanitarianMandate"))
		o, err := d.RegisterGuardianship(ctx, hugo, raw(t, own), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		d.approveAs(hana, o)
		countersign(own)
		for _, c := range []struct {
			second Caller
			want   error
		}{{hana, ErrBasisDecision}, {rita, nil}} {
			p, err := d.CorrectGuardianship(ctx, hugo, o.ID, raw(t, own), "")
			if err != nil {
				t.Fatal(explain(err))
			}
			if _, err := d.Approve(ctx, c.second, p.Approval, true); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("corrected with %s: %v", c.second.Name, explain(err))
			}
			if c.want != nil {
				if _, err := d.Approve(ctx, c.second, p.Approval, false); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestOtherOfficesSeeTheirOwn: a notary and an organisation see, decide, correct
// and offer what is on a legal basis of theirs, and nothing else is there for
// them.
func TestOtherOfficesSeeTheirOwn(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		order, err := d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b, court)), "")
		if err != nil {
			t.Fatal(err)
		}
		second := newBirth()
		d.birth(StateIssued, second)
		kafala, err := d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(second, onBasis("kafala"))), "")
		if err != nil {
			t.Fatal(err)
		}
		for c, want := range map[Caller][]string{nora: {kafala.ID}, hugo: nil, clara: {order.ID, kafala.ID}} {
			list, err := d.Approvals(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range list {
				got = append(got, a.Record)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s sees %v, want %v", c.Name, got, want)
			}
		}
		for _, c := range []Caller{nora, hugo} {
			for _, accept := range []bool{true, false} {
				_, err := d.Approve(ctx, c, order.Approval, accept)
				wantFault(t, err, ErrNoSuchApproval)
			}
		}
		_, err = d.Approve(ctx, hugo, kafala.Approval, false)
		wantFault(t, err, ErrNoSuchApproval)
		d.approveAs(nora, kafala)
		d.approveAs(clara, order)
		for _, c := range []Caller{nora, hugo} {
			_, err := d.NewOffer(ctx, c, order.ID)
			wantFault(t, err, ErrNoSuchGuardianship)
			_, err = d.CorrectGuardianship(ctx, c, order.ID, raw(t, newGuardianship(b, court)), "")
			wantFault(t, err, ErrNoSuchGuardianship)
			_, err = d.ReleaseGuardianship(ctx, c, order.ID, "discard", "")
			wantFault(t, err, ErrNotAllowed)
			_, err = d.Guardianship(ctx, c, order.ID)
			wantFault(t, err, ErrNotAllowed)
		}
		if _, err := d.NewOffer(ctx, nora, kafala.ID); err != nil {
			t.Error(err)
		}
		_, err = d.NewOffer(ctx, hugo, kafala.ID)
		wantFault(t, err, ErrNoSuchGuardianship)
	})
}

// given checks a registration that leaves something to its legal basis.
func given(t *testing.T, kind string, edit func(map[string]any)) (*vc.Guardianship, error) {
	t.Helper()
	b := newBirth()
	var m map[string]any
	if err := json.Unmarshal(raw(t, newGuardianship(b, onBasis(kind))), &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	return CheckGuardianship(raw(t, m), deskTime)
}

// TestExerciseDefaults: what no law and no order says is joint, but for mandates
// that one guardian has by their nature.
func TestExerciseDefaults(t *testing.T) {
	for kind := range bases {
		want := "joint"
		switch kind {
		case "kafala", "publicAuthority", "humanitarianMandate":
			want = "sole"
		}
		g, err := given(t, kind, func(m map[string]any) { delete(m, "exercise") })
		if err != nil || g.Exercise.Mode != want {
			t.Errorf("%s: %+v %v", kind, g, err)
		}
		// What is said stays.
		g, err = given(t, kind, func(m map[string]any) { m["exercise"] = map[string]any{"mode": "independent"} })
		if err != nil || g.Exercise.Mode != "independent" {
			t.Errorf("%s: %+v %v", kind, g, err)
		}
		// Half said is no default.
		for _, bad := range []any{map[string]any{}, map[string]any{"mode": "shared"}, map[string]any{"quorum": 1}, nil, "joint"} {
			if _, err := given(t, kind, func(m map[string]any) { m["exercise"] = bad }); !errors.Is(err, ErrRegistration) {
				t.Errorf("%s with %v: %v", kind, bad, err)
			}
		}
	}
}

// TestReviewDefaults: an authority's mandate is reviewed within thirty days of
// its start, or of the last time that it was looked at.
func TestReviewDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		kind, from, until, review string
		want                      string // "" if refused
	}{
		"from its start":             {"publicAuthority", "2026-11-20", "2027-02-10", "", "2026-12-20"},
		"from today":                 {"publicAuthority", "2026-09-01", "2027-02-10", "", "2026-12-20"},
		"not after its end":          {"publicAuthority", "2026-11-10", "2026-12-01", "", "2026-12-01"},
		"as given":                   {"publicAuthority", "2026-11-20", "2027-02-10", "2026-12-01", "2026-12-01"},
		"at the latest":              {"publicAuthority", "2026-11-20", "2027-02-10", "2026-12-20", "2026-12-20"},
		"too late":                   {"publicAuthority", "2026-11-20", "2027-02-10", "2026-12-21", ""},
		"a review that is past":      {"publicAuthority", "2026-09-01", "2027-02-10", "2026-10-01", "2026-10-01"},
		"none on another basis":      {"customary", "2026-11-20", "2027-02-10", "", "-"},
		"later on another basis":     {"customary", "2026-11-20", "2027-02-10", "2027-01-20", "2027-01-20"},
		"none for an organisation's": {"humanitarianMandate", "2026-11-20", "2027-02-10", "", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := given(t, c.kind, func(m map[string]any) {
				e := map[string]any{"from": c.from, "until": c.until}
				if c.review != "" {
					e["reviewBy"] = c.review
				}
				m["effective"] = e
				m["legalBasis"].(map[string]any)["decidedOn"] = c.from
			})
			switch {
			case c.want == "":
				if err == nil || fault.As(err).Fields[0].Path != "/effective/reviewBy" {
					t.Errorf("%+v %v", g, err)
				}
			case err != nil:
				t.Error(err)
			case c.want == "-" && g.Effective.ReviewBy != "", c.want != "-" && g.Effective.ReviewBy != c.want:
				t.Errorf("%+v", g.Effective)
			}
		})
	}
}

// TestPowersOfTheBasis: an organisation's mandate gives what the child needs from
// day to day, and a journey for good only with the State; kafala gives what it
// states.
func TestPowersOfTheBasis(t *testing.T) {
	every := []string{"travelAccompany", "travelConsent", "relocate", "passportApply", "healthRoutine", "healthMajor", "education",
		"legalRepresentation", "residence", "property", "delegate", "walletManage"}
	for _, power := range every {
		for _, signed := range []bool{false, true} {
			g, err := given(t, "humanitarianMandate", func(m map[string]any) {
				m["powers"] = []string{"education", power}
				if power == "education" {
					m["powers"] = []string{power}
				}
				if signed {
					m["legalBasis"].(map[string]any)["countersignedBy"] = "did:web:ministry.example"
				}
			})
			b := bases["humanitarianMandate"]
			want := slices.Contains(b.powers, power) || signed && slices.Contains(b.countersigned, power)
			switch {
			case want && err != nil:
				t.Errorf("%s, countersigned %v: %v", power, signed, err)
			case !want && (err == nil || !strings.HasPrefix(fault.As(err).Fields[0].Path, "/powers/")):
				t.Errorf("%s, countersigned %v: %+v %v", power, signed, g, err)
			}
		}
	}
	for kind := range bases {
		if kind == "humanitarianMandate" {
			continue
		}
		if _, err := given(t, kind, func(m map[string]any) { m["powers"] = every }); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	// Kafala without relocate gives no relocation.
	g, err := given(t, "kafala", func(map[string]any) {})
	if err != nil || slices.Contains(g.Powers, "relocate") {
		t.Errorf("%+v %v", g, err)
	}
}

// TestDelegates: a person delegates by power, an institution through its named
// officers, and a border copy names those delegates who can prove a key.
func TestDelegates(t *testing.T) {
	officer := newHolder(t)
	person := func(powers ...string) (*vc.Guardianship, error) {
		return given(t, "courtOrder", func(m map[string]any) {
			m["guardian"].(map[string]any)["delegates"] = []string{officer}
			m["powers"] = powers
		})
	}
	if _, err := person("education"); err == nil || fault.As(err).Fields[0].Path != "/guardian/delegates" {
		t.Errorf("without the power: %v", err)
	}
	if _, err := person("education", "delegate"); err != nil {
		t.Errorf("with the power: %v", err)
	}
	g, err := given(t, "humanitarianMandate", func(m map[string]any) {
		m["guardian"].(map[string]any)["delegates"] = []string{officer, "hwx-JEpdWbbtNCwXIYFgsV10M2oZ4J2HaIKu1i2yfIA"}
	})
	if err != nil {
		t.Fatal(err)
	}
	held, err := BorderGuardianship(g, token(), newHolder(t))
	if err != nil || !slices.Equal(held.Guardian.Delegates, []string{officer}) {
		t.Errorf("%+v %v", held.Guardian, err)
	}
	paper, err := BorderGuardianship(g, token(), "")
	if err != nil || len(paper.Guardian.Delegates) != 0 {
		t.Errorf("%+v %v", paper.Guardian, err)
	}
}

// TestDelegatesFitTheCode: a border copy with a delegate is read back from a
// code as it was signed.
func TestDelegatesFitTheCode(t *testing.T) {
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth()
	d.birth(StateIssued, b)
	officer := newHolder(t)
	o, err := d.RegisterGuardianship(ctx, hugo, raw(t, newGuardianship(b, onBasis("humanitarianMandate"), func(g *vc.Guardianship) { g.Guardian.Delegates = []string{officer} })), "")
	if err != nil {
		t.Fatal(explain(err))
	}
	o = d.approveAs(hana, o)
	copies, err := d.IssueCopies(ctx, o.ID, newHolder(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range copies {
		if c.Type != vc.TypeGuardianship || c.Profile != ProfileBorder {
			continue
		}
		text, err := qr.Pack(qr.Packet{Credentials: []string{c.JWT}})
		if err != nil {
			t.Fatal(err)
		}
		back, err := qr.Unpack(text)
		if err != nil || len(back.Credentials) != 1 || back.Credentials[0] != c.JWT {
			t.Errorf("%+v %v", back, err)
		}
		payload, err := d.unsecure(form{c.Profile, RoleHumanitarian}, c.JWT, d.now())
		if err != nil || !strings.Contains(string(payload), officer) {
			t.Errorf("%s %v", payload, err)
		}
	}
}

// TestValidityByBasis: a holder's copy lives no longer than its legal basis
// allows.
func TestValidityByBasis(t *testing.T) {
	b := newBirth()
	for kind := range bases {
		want := 365
		switch kind {
		case "publicAuthority", "humanitarianMandate", "customary":
			want = 90
		}
		g := newGuardianship(b, onBasis(kind))
		g.Effective.Until = ""
		from, until := Validity(ProfileFull, b, g, deskTime)
		if days := int(until.Sub(from).Hours()) / 24; days != want {
			t.Errorf("%s: %d days, want %d", kind, days, want)
		}
		if from, until := Validity(ProfilePaper, b, g, deskTime); until.Sub(from) > 180*24*time.Hour || until.Sub(from) > time.Duration(want)*24*time.Hour {
			t.Errorf("%s: paper until %s", kind, until)
		}
	}
	// What nobody knows lives the shorter life.
	g := newGuardianship(b)
	g.LegalBasis.Type = "decree"
	if from, until := Validity(ProfileFull, b, g, deskTime); until.Sub(from) != 90*24*time.Hour {
		t.Errorf("unknown: until %s", until)
	}
}

// TestMigratedMandates: guardianships from before the register kept whose act
// they are go on with the key of who registered them where that may, else with
// the register's own: nobody becomes a court's who was not one's.
func TestMigratedMandates(t *testing.T) {
	for name, c := range map[string]struct {
		by   Caller
		kind string
		want string
	}{
		"a court's":               {clara, "courtOrder", RoleCourt},
		"a registrar's by birth":  {rita, "acknowledgement", RoleRegistrar},
		"an order by a registrar": {rita, "courtOrder", RoleRegistrar},
	} {
		g := &vc.Guardianship{LegalBasis: vc.LegalBasis{Type: c.kind}}
		if got := (row{Proposer: c.by}).signedAs(g); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := (row{Proposer: rita, SignedAs: RoleNotary}).signedAs(&vc.Guardianship{}); got != RoleNotary {
		t.Errorf("kept: %s", got)
	}
}

// TestCredentialHasExercise: a registration may leave the exercise to its legal
// basis, a credential never.
func TestCredentialHasExercise(t *testing.T) {
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth()
	d.birth(StateIssued, b)
	o := d.guardianship(StateIssued, newGuardianship(b))
	copies, err := d.IssueCopies(ctx, o.ID, newHolder(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range copies {
		if c.Type != vc.TypeGuardianship || c.Profile != ProfileFull && c.Profile != ProfileBorder {
			continue
		}
		payload := mustUnsecure(t, d, c)
		if _, err := vc.Prepare(payload); err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(payload, &m); err != nil {
			t.Fatal(err)
		}
		delete(m["credentialSubject"].(map[string]any), "exercise")
		if _, err := vc.Prepare(raw(t, m)); !errors.Is(err, vc.ErrSchema) {
			t.Errorf("%s without exercise: %v", c.Profile, err)
		}
	}
}
