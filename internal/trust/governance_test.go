package trust

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

func until(years int) time.Time { return now.AddDate(years, 0, 0) }

func accredited(since, until time.Time, types ...string) vc.AccreditationTerm {
	return vc.AccreditationTerm{Since: since, Until: until, Types: types}
}

// step is one edit and what it must give.
type step struct {
	name string
	do   func() error
	want error
}

func play(t *testing.T, l *vc.TrustList, steps []step) {
	t.Helper()
	for _, s := range steps {
		before := asJSON(t, l)
		err := s.do()
		if !errors.Is(err, s.want) || err == nil != (s.want == nil) {
			t.Fatalf("%s: %v, want %v", s.name, err, s.want)
		}
		if s.want != nil && asJSON(t, l) != before {
			t.Fatalf("%s: a refused edit changed the list", s.name)
		}
		if err := Validate(l); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
}

func TestLedgersAndWitnesses(t *testing.T) {
	l, _ := sample(t)
	one, two, three := key(t, keys.EdDSA).Public(), key(t, keys.EdDSA).Public(), key(t, keys.EdDSA).Public()
	const other = "did:web:court.example"
	if err := AddIssuer(l, entry(t, other, map[string]*keys.Key{"k1": key(t, keys.EdDSA)})); err != nil {
		t.Fatal(err)
	}
	listed, err := vc.ParseJWK(l.Issuers[0].Keys[0].JWK)
	if err != nil {
		t.Fatal(err)
	}
	id := registry + "#k1"
	play(t, l, []step{
		{"a size without a cut-off", func() error { l := clone(l); l.Issuers[0].Keys[0].CutOffSize = 4; return Validate(l) }, ErrInvalid},
		{"a size without a ledger", func() error { return CutOff(l, id, now, 4) }, ErrInvalid},
		{"a P-256 key", func() error { return SetLedger(l, registry, "registry.example/ledger", key(t, keys.ES256).Public()) }, ErrInvalid},
		{"a key that signs credentials", func() error { return SetLedger(l, registry, "registry.example/ledger", listed) }, ErrInvalid},
		{"no name", func() error { return SetLedger(l, registry, "", one) }, ErrInvalid},
		{"a space in the name", func() error { return SetLedger(l, registry, "registry.example/ ledger", one) }, ErrInvalid},
		{"a plus in the name", func() error { return SetLedger(l, registry, "registry+example", one) }, ErrInvalid},
		{"a line end in the name", func() error { return SetLedger(l, registry, "registry\nexample", one) }, ErrInvalid},
		{"nobody's", func() error { return SetLedger(l, "did:web:nobody.example", "x", one) }, ErrNoSuchKey},
		{"a ledger", func() error { return SetLedger(l, registry, "registry.example/ledger", one) }, nil},
		{"the same again", func() error { return SetLedger(l, registry, "registry.example/ledger", one) }, nil},
		{"another key", func() error { return SetLedger(l, registry, "registry.example/ledger", two) }, ErrLedgerChanged},
		{"another name", func() error { return SetLedger(l, registry, "registry.example/ledger2", one) }, ErrLedgerChanged},
		{"the ledger of another", func() error { return SetLedger(l, other, "court.example/ledger", one) }, ErrInvalid},
		{"the name of another's", func() error { return SetLedger(l, other, "registry.example/ledger", two) }, ErrInvalid},

		{"a quorum of nobody", func() error { return SetQuorum(l, 1) }, ErrInvalid},
		{"a witness", func() error { return AddWitness(l, "w1.example", "University", two) }, nil},
		{"the name again", func() error { return AddWitness(l, "w1.example", "Other", three) }, ErrExists},
		{"the key again", func() error { return AddWitness(l, "w2.example", "Other", two) }, ErrInvalid},
		{"the ledger as its own witness", func() error { return AddWitness(l, "w2.example", "Registry", one) }, ErrInvalid},
		{"the ledger's name", func() error { return AddWitness(l, "registry.example/ledger", "Other", three) }, ErrInvalid},
		{"nobody's witness", func() error { return AddWitness(l, "w2.example", "", three) }, ErrInvalid},
		{"an operator of two lines", func() error { return AddWitness(l, "w2.example", "a\nb", three) }, ErrInvalid},
		{"another witness", func() error { return AddWitness(l, "w2.example", "Ombudsperson", three) }, nil},
		{"a quorum", func() error { return SetQuorum(l, 2) }, nil},
		{"too large a quorum", func() error { return SetQuorum(l, 3) }, ErrInvalid},
		{"a negative quorum", func() error { return SetQuorum(l, -1) }, ErrInvalid},
		{"a witness that is needed", func() error { return RemoveWitness(l, "w1.example") }, ErrInvalid},
		{"a lower quorum", func() error { return SetQuorum(l, 1) }, nil},
		{"a witness goes", func() error { return RemoveWitness(l, "w1.example") }, nil},
		{"it is gone", func() error { return RemoveWitness(l, "w1.example") }, ErrNoWitness},

		{"a negative size", func() error { return CutOff(l, id, now, -1) }, ErrInvalid},
		{"a cut-off with a size", func() error { return CutOff(l, id, now, 100) }, nil},
		{"a larger size", func() error { return CutOff(l, id, now, 101) }, ErrBackwards},
		{"a smaller size", func() error { return CutOff(l, id, now, 90) }, nil},
		{"a later time", func() error { return CutOff(l, id, now.Add(time.Second), 80) }, ErrBackwards},
		{"a hub's size", func() error { return CutOff(l, l.Hubs[0].ID, now, 1) }, ErrInvalid},
	})
	if _, err := l.LedgerPolicy(registry); err != nil {
		t.Error(err)
	}

	l.Sequence = 1
	jwk := func(k crypto.PublicKey) json.RawMessage {
		b, err := vc.PublicJWK(k, "", "")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		change func(*vc.TrustList)
		want   error
	}{
		"same":                    {func(*vc.TrustList) {}, nil},
		"issuer gone":             {func(l *vc.TrustList) { l.Issuers = l.Issuers[1:] }, nil},
		"quorum lower":            {func(l *vc.TrustList) { l.Quorum = 0 }, nil},
		"witness gone":            {func(l *vc.TrustList) { l.Witnesses, l.Quorum = nil, 0 }, nil},
		"size smaller":            {func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOffSize = 1 }, nil},
		"ledger gone":             {func(l *vc.TrustList) { l.Issuers[0].Ledger = nil }, ErrLedgerChanged},
		"ledger's key":            {func(l *vc.TrustList) { l.Issuers[0].Ledger.JWK = jwk(two) }, ErrLedgerChanged},
		"ledger's name":           {func(l *vc.TrustList) { l.Issuers[0].Ledger.Origin = "x" }, ErrLedgerChanged},
		"witness of another key":  {func(l *vc.TrustList) { l.Witnesses[0].JWK = jwk(two) }, ErrKeyReused},
		"size larger":             {func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOffSize = 91 }, ErrBackwards},
		"size kept, cut-off gone": {func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOff = time.Time{} }, ErrBackwards},
	} {
		next := clone(l)
		next.Sequence = 2
		c.change(next)
		if err := Follows(l, next); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err := Follows(l, clone(l)); !errors.Is(err, ErrBackwards) {
			t.Errorf("%s: the change reached the list that was cloned", name)
		}
	}
}

func TestAccreditation(t *testing.T) {
	l, _ := sample(t)
	l.IssuedAt = now
	both := []string{vc.TypeBirth, vc.TypeGuardianship}
	day := 24 * time.Hour
	finding := vc.Finding{ID: "2026/14", At: now, Severity: vc.FindingMajor, Summary: "The second person approves without reading."}
	with := func(f func(*vc.Finding)) func() error {
		return func() error {
			x := finding
			f(&x)
			return AddFinding(l, registry, x)
		}
	}
	play(t, l, []step{
		{"a suspension of nothing", func() error { return Suspend(l, registry, now) }, ErrNotAccredited},
		{"a finding about nothing", func() error { return AddFinding(l, registry, finding) }, ErrNotAccredited},
		{"nobody", func() error { return Accredit(l, "did:web:nobody.example", accredited(now, until(1), both...)) }, ErrNoSuchKey},
		{"no end", func() error { return Accredit(l, registry, accredited(now, time.Time{}, both...)) }, ErrInvalid},
		{"an end before the start", func() error { return Accredit(l, registry, accredited(now, now.Add(-day), both...)) }, ErrInvalid},
		{"no types", func() error { return Accredit(l, registry, accredited(now, until(1))) }, ErrInvalid},
		{"status lists", func() error { return Accredit(l, registry, accredited(now, until(1), vc.TypeStatusList)) }, ErrInvalid},
		{"a type twice", func() error { return Accredit(l, registry, accredited(now, until(1), vc.TypeBirth, vc.TypeBirth)) }, ErrInvalid},
		{"an unknown basis", func() error {
			a := accredited(now, until(1), both...)
			a.Bases = []string{"ownership"}
			return Accredit(l, registry, a)
		}, ErrInvalid},
		{"bases without guardianships", func() error {
			a := accredited(now, until(1), vc.TypeBirth)
			a.Bases = []string{"adoptionSimple"}
			return Accredit(l, registry, a)
		}, ErrInvalid},
		{"accredited, backwards: it only forbids", func() error { return Accredit(l, registry, accredited(now.Add(-365*day), until(1), both...)) }, nil},
		{"the past anew", func() error { return Accredit(l, registry, accredited(now.Add(-10*day), until(3), both...)) }, nil},
		{"wider in the past", func() error {
			return Accredit(l, registry, accredited(now.Add(-5*day), until(3), vc.TypeBirth, vc.TypeGuardianship, vc.TypeConsent))
		}, ErrBackwards},
		{"wider from today", func() error {
			return Accredit(l, registry, accredited(now, until(3), vc.TypeBirth, vc.TypeGuardianship, vc.TypeConsent))
		}, nil},
		{"a term before the last", func() error { return Accredit(l, registry, accredited(now.Add(-day), until(3), both...)) }, ErrBackwards},

		{"a finding", func() error { return AddFinding(l, registry, finding) }, nil},
		{"the same finding", func() error { return AddFinding(l, registry, finding) }, ErrExists},
		{"no id", with(func(f *vc.Finding) { f.ID = "" }), ErrInvalid},
		{"a space in the id", with(func(f *vc.Finding) { f.ID = "a b" }), ErrInvalid},
		{"no time", with(func(f *vc.Finding) { f.ID, f.At = "x", time.Time{} }), ErrInvalid},
		{"severity", with(func(f *vc.Finding) { f.ID, f.Severity = "x", "dreadful" }), ErrInvalid},
		{"no summary", with(func(f *vc.Finding) { f.ID, f.Summary = "x", "" }), ErrInvalid},
		{"a long summary", with(func(f *vc.Finding) { f.ID, f.Summary = "x", strings.Repeat("n", 257) }), ErrInvalid},
		{"two lines", with(func(f *vc.Finding) { f.ID, f.Summary = "x", "a\nb" }), ErrInvalid},
		{"turned writing", with(func(f *vc.Finding) { f.ID, f.Summary = "x", "a\u202eb" }), ErrInvalid},
		{"a mail address", with(func(f *vc.Finding) { f.ID, f.Summary = "x", "Ask maria@example.org" }), ErrInvalid},
		{"a telephone number", with(func(f *vc.Finding) { f.ID, f.Summary = "x", "Ask 079 123 45 67" }), ErrInvalid},
		{"a register number", with(func(f *vc.Finding) { f.ID, f.Summary = "x", "Entry 2026-004711" }), ErrInvalid},
		{"small numbers", with(func(f *vc.Finding) { f.ID, f.Summary = "y", "3 of 40 files had one signature, in 2026 alone." }), nil},
		{"closed before it was found", func() error { return CloseFinding(l, registry, "2026/14", now.Add(-day)) }, ErrInvalid},
		{"closed", func() error { return CloseFinding(l, registry, "2026/14", now.Add(day)) }, nil},
		{"closed again", func() error { return CloseFinding(l, registry, "2026/14", now.Add(2*day)) }, ErrNoFinding},
		{"an unknown one closed", func() error { return CloseFinding(l, registry, "zzz", now) }, ErrNoFinding},

		{"reinstated though not suspended", func() error { return Reinstate(l, registry, now) }, ErrNotSuspended},
		{"suspended from tomorrow", func() error { return Suspend(l, registry, now.Add(day)) }, nil},
		{"suspended earlier", func() error { return Suspend(l, registry, now.Add(-3*day)) }, nil},
		{"suspended later: it is already", func() error { return Suspend(l, registry, now.Add(9*day)) }, nil},
		{"reinstated in the past", func() error { return Reinstate(l, registry, now.Add(-day)) }, ErrBackwards},
		{"reinstated after its end", func() error { return Reinstate(l, registry, until(4)) }, ErrNotSuspended},
		{"reinstated", func() error { return Reinstate(l, registry, now.Add(2*day)) }, nil},
		{"suspended from within the first suspension on", func() error { return Suspend(l, registry, now) }, nil},
	})
	a := l.Issuers[0].Accreditation
	if a.State != vc.Suspended || !a.Since.Equal(now.Add(-3*day)) || len(a.Earlier) != 2 {
		t.Errorf("%+v", a)
	}
	// What was issued when: good before the first term, in the terms, not while
	// suspended.
	for at, want := range map[time.Time]bool{
		now.Add(-400 * day): true, now.Add(-365 * day): true, now.Add(-4 * day): true, now.Add(-3 * day): false, now.Add(5 * day): false,
	} {
		if got := a.At(at).HoldsAt(at); got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
	if lapsed := (&vc.AccreditationTerm{State: vc.Accredited, Since: now, Until: until(1)}); lapsed.HoldsAt(until(1)) || !lapsed.HoldsAt(until(1).Add(-time.Second)) {
		t.Error("the end of a term counts wrongly")
	}
	if (&vc.AccreditationTerm{}).HoldsAt(now) || (&vc.AccreditationTerm{State: "x", Until: until(1)}).HoldsAt(now) || (&vc.AccreditationTerm{}).May(vc.TypeBirth) {
		t.Error("what is not said is a yes")
	}

	l.Sequence = 1
	for name, c := range map[string]struct {
		change func(*vc.Accreditation)
		want   error
	}{
		"same":                          {func(*vc.Accreditation) {}, nil},
		"suspended earlier":             {func(a *vc.Accreditation) { a.Since = a.Since.Add(-day) }, nil},
		"suspended later":               {func(a *vc.Accreditation) { a.Since = a.Since.Add(day) }, ErrBackwards},
		"an earlier term begins later":  {func(a *vc.Accreditation) { a.Earlier[0].Since = a.Earlier[0].Since.Add(day) }, ErrBackwards},
		"an earlier term begins before": {func(a *vc.Accreditation) { a.Earlier[0].Since = a.Earlier[0].Since.Add(-day) }, nil},
		"an earlier term for more":      {func(a *vc.Accreditation) { a.Earlier[0].Types = append(a.Earlier[0].Types, vc.TypeConsent) }, ErrBackwards},
		"an earlier term for less":      {func(a *vc.Accreditation) { a.Earlier[0].Types = a.Earlier[0].Types[:1] }, nil},
		"the terms forgotten":           {func(a *vc.Accreditation) { a.Earlier = nil }, ErrBackwards},
		"a finding forgotten":           {func(a *vc.Accreditation) { a.Findings = a.Findings[1:] }, ErrBackwards},
		"a finding reworded":            {func(a *vc.Accreditation) { a.Findings[1].Summary = "x" }, ErrBackwards},
		"a finding milder":              {func(a *vc.Accreditation) { a.Findings[1].Severity = vc.FindingMinor }, ErrBackwards},
		"a finding opened again":        {func(a *vc.Accreditation) { a.Findings[0].ClosedAt = time.Time{} }, ErrBackwards},
		"a finding closed":              {func(a *vc.Accreditation) { a.Findings[1].ClosedAt = now.Add(day) }, nil},
	} {
		next := clone(l)
		next.Sequence = 2
		c.change(next.Issuers[0].Accreditation)
		if err := Follows(l, next); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		same := clone(l)
		same.Sequence = 2
		if err := Follows(l, same); err != nil {
			t.Errorf("%s: the change reached the list that was cloned", name)
		}
	}
	gone := clone(l)
	gone.Sequence, gone.Issuers[0].Accreditation = 2, nil
	if err := Follows(l, gone); !errors.Is(err, ErrBackwards) {
		t.Errorf("without its accreditation: %v", err)
	}
}

// permitted is what a list lets an issuer sign at a time, asked without the
// code under test.
func permitted(a *vc.Accreditation, at time.Time, kind, basis string) bool {
	if a == nil {
		return true
	}
	var in *vc.AccreditationTerm
	for _, t := range append(append([]vc.AccreditationTerm{}, a.Earlier...), a.AccreditationTerm) {
		if !at.Before(t.Since) {
			in = &t
		}
	}
	if in == nil {
		return true
	}
	if in.State != vc.Accredited || !at.Before(in.Until) {
		return false
	}
	ok := false
	for _, x := range in.Types {
		ok = ok || x == kind
	}
	if kind == vc.TypeGuardianship && len(in.Bases) > 0 {
		based := false
		for _, x := range in.Bases {
			based = based || x == basis
		}
		ok = ok && based
	}
	return ok
}

// TestEditsNeverLoosenThePast: whatever edits are made in whatever order, each
// signed list follows the one before, and nothing that was not good when it was
// issued becomes good.
func TestEditsNeverLoosenThePast(t *testing.T) {
	types := []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeConsent}
	bases := []string{"courtOrder", "kafala", "customary"}
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 6))
		l, anchor := sample(t)
		clock := now
		if _, err := Sign(l, anchor.Signer("a"), clock, 90*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := SetLedger(l, registry, "registry.example/ledger", key(t, keys.EdDSA).Public()); err != nil {
			t.Fatal(err)
		}
		some := func(of []string) (out []string) {
			for _, x := range of {
				if r.IntN(2) == 0 {
					out = append(out, x)
				}
			}
			return out
		}
		made := 0
		for range 60 {
			old := clone(l)
			clock = clock.Add(time.Duration(r.IntN(72)) * time.Hour)
			near := clock.Add(time.Duration(r.IntN(400)-200) * time.Hour)
			if r.IntN(3) == 0 {
				near = clock
			}
			var err error
			switch r.IntN(6) {
			case 0:
				err = Accredit(l, registry, vc.AccreditationTerm{Since: near, Until: near.Add(time.Duration(r.IntN(3000)) * time.Hour), Types: some(types), Bases: some(bases)})
			case 1:
				err = Suspend(l, registry, near)
			case 2:
				err = Reinstate(l, registry, near)
			case 3:
				err = CutOff(l, registry+"#k1", near, int64(r.IntN(1000)))
			case 4:
				err = AddFinding(l, registry, vc.Finding{ID: fmt.Sprint(r.IntN(9)), At: clock, Severity: vc.FindingMinor, Summary: "x"})
			case 5:
				err = CloseFinding(l, registry, fmt.Sprint(r.IntN(9)), clock)
			}
			if err != nil {
				continue
			}
			if _, err := Sign(l, anchor.Signer("a"), clock, 90*24*time.Hour); err != nil {
				t.Fatal(err)
			}
			// An edit that speaks of the time since the last list may be refused
			// here, and is then not published.
			if err := Follows(old, l); err != nil {
				*l = *old
				continue
			}
			made++
			was, is := old.Issuers[0].Accreditation, l.Issuers[0].Accreditation
			for range 60 {
				at := clock.Add(-time.Duration(r.IntN(3000)) * time.Hour).Add(-time.Second)
				for _, kind := range types {
					for _, basis := range bases {
						if permitted(is, at, kind, basis) && !permitted(was, at, kind, basis) {
							t.Fatalf("seed %d: %s on %s at %s became good\n%+v\n%+v", seed, kind, basis, at, was, is)
						}
						term := is.At(at)
						if got := term.HoldsAt(at) && term.May(kind) && (kind != vc.TypeGuardianship || term.MayBase(basis)); got != permitted(is, at, kind, basis) {
							t.Fatalf("seed %d: %s at %s: %v", seed, kind, at, got)
						}
					}
				}
			}
			k, w := l.Issuers[0].Keys[0], old.Issuers[0].Keys[0]
			if !w.CutOff.IsZero() && (k.CutOff.After(w.CutOff) || k.CutOffSize > w.CutOffSize) {
				t.Fatalf("seed %d: a cut-off was loosened", seed)
			}
		}
		if made < 10 {
			t.Errorf("seed %d: only %d edits held", seed, made)
		}
	}
}

// TestNotesNeedEd25519: the key of a ledger on a list that was signed elsewhere
// is looked at, too.
func TestNotesNeedEd25519(t *testing.T) {
	l, _ := sample(t)
	if err := SetLedger(l, registry, "registry.example/ledger", key(t, keys.EdDSA).Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	l.Issuers[0].Ledger.JWK = json.RawMessage(`{"kty":"oct"}`)
	if err := Validate(l); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	l.Issuers[0].Ledger = nil
	l.Witnesses = make([]vc.TrustWitness, maxWitnesses+1)
	if err := Validate(l); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}
