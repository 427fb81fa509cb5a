package issuer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// named gives a child other names, one a script.
func named(names ...vc.Name) func(*vc.Birth) {
	return func(b *vc.Birth) { b.Names = names }
}

func latin(given, family string) vc.Name {
	return vc.Name{Kind: "legal", Script: "Latn", Given: []string{given}, Family: []string{family}}
}

// TestSearch: a record is found by its names in any script and order, by how
// they begin, by numbers in any writing and by dates as far as they are known;
// and not by anything else.
func TestSearch(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		amina := newBirth(named(latin("Amina", "Müller-Öztürk"), vc.Name{Kind: "legal", Script: "Arab", Lang: "ar", Given: []string{"أمينة"}, Family: []string{"مولر"}}),
			func(b *vc.Birth) {
				b.Registration.Number, b.BirthDate.Value, b.Registration.Date = "AM/2019-0007", "2019-04-30", "2019-05-04"
			})
		ivan := newBirth(named(vc.Name{Kind: "legal", Script: "Cyrl", Lang: "ru", Given: []string{"Иван"}, Family: []string{"Щукин"}}),
			func(b *vc.Birth) {
				b.BirthDate = vc.UncertainDate{Value: "2017", Precision: "year", Basis: "informant"}
				b.Registration.Date = "2017-12-30"
			})
		a, i := d.birth(StateIssued, amina), d.birth(StateIssued, ivan)
		g := d.guardianship(StateIssued, newGuardianship(amina, func(g *vc.Guardianship) { g.Guardian.Documents[0].Value = "P7654321" }))
		mother := amina.Parentage[0].Names[0].Given[0]
		for _, c := range []struct {
			q    Lookup
			want []string
		}{
			{Lookup{Name: "Amina"}, []string{a.ID}},
			{Lookup{Name: "  amina,  MULLER "}, []string{a.ID}},
			{Lookup{Name: "Mueller"}, []string{a.ID}},
			{Lookup{Name: "Müller"}, []string{a.ID}},
			{Lookup{Name: "ozturk ami"}, []string{a.ID}},
			{Lookup{Name: "أمينة"}, []string{a.ID}},
			{Lookup{Name: "امينه"}, []string{a.ID}}, // as many write it
			{Lookup{Name: "مول"}, []string{a.ID}},
			{Lookup{Name: "ивАн"}, []string{i.ID}},
			{Lookup{Name: "Ivan Shchukin"}, []string{i.ID}},
			{Lookup{Name: "Щук"}, []string{i.ID}},
			{Lookup{Name: mother}, []string{a.ID, g.ID}},
			{Lookup{Name: "Amina Ivan"}, nil},
			{Lookup{Name: "mina"}, nil},
			{Lookup{Number: "am 2019 0007"}, []string{a.ID}},
			{Lookup{Number: "AM/2019-000"}, nil},
			{Lookup{Number: "p7654321"}, []string{g.ID}},
			{Lookup{Number: amina.ChildRef}, []string{a.ID}},
			{Lookup{Name: "Amina", Born: "2019"}, []string{a.ID}},
			{Lookup{Name: "Amina", Born: "2019-04"}, []string{a.ID}},
			{Lookup{Name: "Amina", Born: "2019-04-30"}, []string{a.ID}},
			{Lookup{Name: "Amina", Born: "2019-04-03"}, nil},
			{Lookup{Name: "Ivan", Born: "2017-06-01"}, []string{i.ID}},
			{Lookup{Born: "2019-04-30"}, []string{a.ID}},
			{Lookup{Name: "%"}, []string{"!"}},
			{Lookup{Name: "a"}, []string{"!"}},
			{Lookup{}, []string{"!"}},
			{Lookup{Born: "30.4.2019"}, []string{"!"}},
			{Lookup{Born: "2019-13"}, []string{"!"}},
			{Lookup{Number: "--"}, []string{"!"}},
			{Lookup{Name: strings.Repeat("ab ", 9)}, []string{"!"}},
			{Lookup{Name: strings.Repeat("ab", 101)}, []string{"!"}},
			{Lookup{Name: "a\xff"}, []string{"!"}},
			{Lookup{Name: "' OR 1=1 --"}, nil},
		} {
			found, err := d.Search(ctx, clara, c.q)
			if len(c.want) == 1 && c.want[0] == "!" {
				wantFault(t, err, ErrLookup)
				continue
			}
			if err != nil {
				t.Errorf("%+v: %s", c.q, explain(err))
				continue
			}
			var got []string
			for _, r := range found.Records {
				got = append(got, r.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			}
		}
		for _, c := range []Caller{anna, {ID: "x", Name: "X", Role: RoleNotary}, {}} {
			_, err := d.Search(ctx, c, Lookup{Name: "Amina"})
			wantFault(t, err, ErrNotAllowed)
		}
	})
}

// TestSearchFollowsTheRecord: what a record does not say any more does not find
// it, at once; what was discarded is not found at all.
func TestSearchFollowsTheRecord(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		found := func(name string) int {
			t.Helper()
			f, err := d.Search(ctx, rita, Lookup{Name: name})
			if err != nil {
				t.Fatal(explain(err))
			}
			return len(f.Records)
		}
		b := newBirth(named(latin("Before", "Correction")))
		o := d.birth(StateIssued, b)
		if found("Before") != 1 {
			t.Fatal("the record is not found")
		}
		p, err := d.CorrectBirth(ctx, rita, o.ID, raw(t, next(b, named(latin("After", "Correction")), func(b *vc.Birth) { b.Amendment.Reason = "nameChange" })), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if p.State == StatePending {
			d.approve(p)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM search_words WHERE record = $1`, o.ID); n != 0 {
			t.Error("what the record said is still written down")
		}
		if found("Before") != 0 || found("After") != 1 {
			t.Error("the correction is not followed")
		}
		waits := d.birth(StatePending, newBirth(late, named(latin("Doubtful", "Story"))))
		if found("Doubtful") != 1 {
			t.Error("what waits is not found")
		}
		if _, err := d.Approve(ctx, rob, waits.Approval, false); err != nil {
			t.Fatal(explain(err))
		}
		if found("Doubtful") != 0 || one(t, db, `SELECT COUNT(*) FROM search_words WHERE record = $1`, waits.ID) != 0 {
			t.Error("what was discarded is found")
		}
	})
}

// TestSearchIsBounded: nobody lists the register, and what an import brought is
// told to be missing until it can be found.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		var lines []any
		for n := range maxFound + 5 {
			lines = append(lines, newBirth(named(latin("Many"+letters(n), "Same")), func(b *vc.Birth) { b.Parentage[0].Names[0] = latin("Mo"+letters(n), "Other") }))
		}
		d.load(jsonl(t, lines...), nil)
		f, err := d.Search(ctx, rita, Lookup{Name: "Same"})
		if err != nil || len(f.Records) != maxFound || !f.More || f.Waiting != 0 {
			t.Errorf("%d found, more %v, waiting %d: %v", len(f.Records), f.More, f.Waiting, err)
		}
		d.birth(StateIssued, newBirth())
		if n, err := d.store.unsearchable(ctx); err != nil || n != 1 {
			t.Errorf("%d wait: %v", n, err)
		}
		d.keepSearchable(ctx)
		if n, err := d.store.unsearchable(ctx); err != nil || n != 0 {
			t.Errorf("%d wait: %v", n, err)
		}
	})
}

// TestStanding: what somebody may do to a record follows from their role, the
// record and what others did.
func TestStanding(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		o := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		acts := func(c Caller, kind, id string) string {
			t.Helper()
			s, err := d.Standing(ctx, c, kind, id)
			if err != nil {
				t.Fatal(explain(err))
			}
			var out []string
			for _, p := range s.Possible {
				out = append(out, fmt.Sprintf("%s%d%v", p.Act, len(p.Reasons), p.Second))
			}
			return strings.Join(out, " ")
		}
		change := func(c Caller, act, reason string) Outcome {
			t.Helper()
			out, err := d.ChangeStatus(ctx, c, StatusChange{Act: act, Kind: KindBirth, Record: o.ID, Reason: reason})
			if err != nil {
				t.Fatal(explain(err))
			}
			return out
		}
		for _, c := range []struct {
			by   Caller
			kind string
			id   string
			want string
		}{
			{rita, KindBirth, o.ID, "correct0false suspend6false revoke9true"},
			{clara, KindBirth, o.ID, "suspend6false revoke9true"},
			{peter, KindBirth, o.ID, "suspend6false"},
			{rita, KindGuardianship, g.ID, "correct0true suspend6false revoke9true"},
		} {
			if got := acts(c.by, c.kind, c.id); got != c.want {
				t.Errorf("%s on a %s: %s, want %s", c.by.Role, c.kind, got, c.want)
			}
		}
		change(rita, ActSuspend, "safety")
		if got := acts(rita, KindBirth, o.ID); got != "correct0false reinstate3false revoke9true" {
			t.Errorf("who suspended: %s", got)
		}
		if got := acts(rob, KindBirth, o.ID); got != "correct0false confirm2false reinstate3false revoke9true" {
			t.Errorf("a colleague: %s", got)
		}
		if s, err := d.Standing(ctx, rita, KindBirth, o.ID); err != nil || !s.Other || s.Suspension == nil || s.Suspension.By != "Rita" {
			t.Errorf("%+v %v", s, err)
		}
		d.pass(73 * time.Hour)
		if s, err := d.Standing(ctx, rob, KindBirth, o.ID); err != nil || s.Suspension != nil {
			t.Errorf("a suspension that nobody confirmed is still told: %v", err)
		}
		p := change(rita, ActRevoke, "fraud")
		if p.State != StatePending || p.Approval == "" {
			t.Fatalf("%+v", p)
		}
		if s, err := d.Standing(ctx, rob, KindBirth, o.ID); err != nil || len(s.Waiting) != 1 || s.Waiting[0].ID != p.Approval {
			t.Errorf("%+v %v", s, err)
		}
		a, err := d.Approval(ctx, rita, p.Approval)
		if err != nil || !a.Own || a.State != StateIssued {
			t.Errorf("%+v %v", a, err)
		}
		d.approve(p)
		_, err = d.Approval(ctx, rob, p.Approval)
		wantFault(t, err, ErrNoSuchApproval)
		if got := acts(rita, KindBirth, o.ID); got != "" {
			t.Errorf("on a revoked record: %s", got)
		}
		_, err = d.ChangeStatus(ctx, rita, StatusChange{Act: ActSuspend, Kind: KindBirth, Record: o.ID, Reason: "safety"})
		wantFault(t, err, ErrRevoked)
		for _, kind := range []string{KindBirth, KindGuardianship} {
			_, err = d.Standing(ctx, rita, kind, "none")
			wantFault(t, err, tables[kind].missing)
			_, err = d.History(ctx, rita, kind, "none")
			wantFault(t, err, tables[kind].missing)
			_, err = d.ChangeStatus(ctx, rita, StatusChange{Act: ActSuspend, Kind: kind, Record: "none", Reason: "safety"})
			wantFault(t, err, tables[kind].missing)
		}
		_, err = d.ChangeStatus(ctx, rita, StatusChange{Act: "erase", Kind: KindBirth, Record: o.ID, Reason: "safety"})
		wantFault(t, err, ErrNotAllowed)
		_, err = d.ChangeStatus(ctx, rita, StatusChange{Act: ActSuspend, Kind: KindBirth, Record: o.ID, Reason: "<b>"})
		wantFault(t, err, ErrReason)

		events, err := d.History(ctx, rob, KindBirth, o.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		var got []string
		for _, e := range events {
			got = append(got, e.What)
		}
		slices.Sort(got)
		if want := "approved expired issued proposed registered revoked suspended"; strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
		for n := 1; n < len(events); n++ {
			if events[n].At.After(events[n-1].At) {
				t.Error("not the last one first")
			}
		}
		_, err = d.History(ctx, anna, KindBirth, o.ID)
		wantFault(t, err, ErrNotAllowed)
	})
}

// TestStatusOfWhatHasNoCopies: a record without copies can be revoked, one that
// is not in force cannot.
func TestStatusOfWhatHasNoCopies(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		nameless := d.birth(StateIssued, newBirth(named(vc.Name{Kind: "legal", Script: "Ethi", Given: []string{"አበበ"}, Family: []string{"በላይ"}})))
		if len(nameless.Credentials) != 0 {
			t.Fatal("it has a copy")
		}
		q := StatusChange{Act: ActRevoke, Kind: KindBirth, Record: nameless.ID, Reason: "fraud", Idem: "once"}
		p, err := d.ChangeStatus(ctx, rita, q)
		if err != nil {
			t.Fatal(explain(err))
		}
		again, err := d.ChangeStatus(ctx, rita, q)
		if err != nil || again.Approval != p.Approval {
			t.Errorf("a form that is sent twice proposes twice: %v", err)
		}
		if o := d.approve(p); o.Status != StatusRevoked {
			t.Errorf("%+v", o)
		}
		waits := d.birth(StatePending, newBirth(late))
		q.Record, q.Idem = waits.ID, ""
		_, err = d.ChangeStatus(ctx, rita, q)
		wantFault(t, err, ErrRecordState)
	})
}

// TestWeeks: what an office did is counted in its week, guardianships and copies
// with the birth's office, and nobody is named.
func TestWeeks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		o := d.birth(StateIssued, b)
		d.guardianship(StateIssued, newGuardianship(b))
		d.pass(8 * 24 * time.Hour)
		d.birth(StateIssued, newBirth(func(b *vc.Birth) { b.Registration.Office = "Another" }))
		p, err := d.ChangeStatus(ctx, rita, StatusChange{Act: ActRevoke, Kind: KindBirth, Record: o.ID, Reason: "fraud"})
		if err != nil {
			t.Fatal(explain(err))
		}
		d.approve(p)
		for _, c := range []struct {
			weeks int
			want  string
		}{
			{12, "Another 1 1 0, ZAF-1 2 2 0, ZAF-1 0 0 2"},
			{1, "Another 1 1 0, ZAF-1 0 0 2"},
		} {
			weeks, err := d.Weeks(ctx, anna, c.weeks)
			if err != nil {
				t.Fatal(explain(err))
			}
			var got []string
			for _, w := range weeks {
				if w.From.Weekday() != time.Monday || w.From.Hour() != 0 {
					t.Errorf("a week from %v", w.From)
				}
				got = append(got, fmt.Sprint(w.Office, " ", w.Registrations, " ", w.Issuances, " ", w.Revocations))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%d weeks: %v, want %s", c.weeks, got, c.want)
			}
		}
		_, err = d.Weeks(ctx, Caller{ID: "x", Name: "X", Role: RoleNotary}, 12)
		wantFault(t, err, ErrNotAllowed)
		keys, _, err := d.KeyStates(ctx, anna)
		if err != nil || len(keys) == 0 || !keys[0].Current || keys[0].Listed {
			t.Errorf("%+v %v", keys, err)
		}
		_, _, err = d.KeyStates(ctx, Caller{})
		wantFault(t, err, ErrNotAllowed)
	})
}
