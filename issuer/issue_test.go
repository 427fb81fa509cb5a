package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

var ctx = context.Background()

func newHolder(t testing.TB) string {
	t.Helper()
	k, err := keys.New("holder", keys.UseCredentials, keys.EdDSA, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestRegisterIssuesPaper: registering issues the paper credentials at once,
// with everything a verifier relies on.
func TestRegisterIssuesPaper(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		if len(child.Credentials) != 1 || len(g.Credentials) != 1 || child.RecordVersion != 1 {
			t.Fatalf("outcomes %+v %+v", child, g)
		}
		bj, gj, err := d.Paper(ctx, rita, child.ID, g.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		bc, gc := d.checkJWT(bj), d.checkJWT(gj)
		var bs vc.Birth
		var gs vc.Guardianship
		if json.Unmarshal(bc.Subject, &bs) != nil || json.Unmarshal(gc.Subject, &gs) != nil {
			t.Fatal("subjects cannot be read")
		}
		switch {
		case bc.ID != "urn:uuid:"+child.Credentials[0].ID, gc.ID != "urn:uuid:"+g.Credentials[0].ID:
			t.Error("another credential than the outcome names")
		case bs.ChildRef != gs.Ward.ChildRef, len(bs.ChildRef) != 22:
			t.Error("the credentials do not join")
		case bs.ChildRef == b.ChildRef:
			t.Error("the join key of the registration is in the credential")
		case bs.ID != "" || gs.ID != "":
			t.Error("a paper credential names a holder")
		case bc.Issuer != "did:web:registry.example", !bc.ValidFrom.Equal(deskTime):
			t.Error("issuer or validFrom")
		case bc.ValidTo.Sub(bc.ValidFrom) > 180*24*time.Hour, !bc.ValidTo.Equal(child.Credentials[0].ValidUntil):
			t.Error("paper lives longer than 180 days")
		case bc.Schema.ID != vc.SchemaBirthBorder, gc.Schema.ID != vc.SchemaGuardBorder:
			t.Error("schema")
		case len(bc.Status) != 2 || bc.Status[0].Index != bc.Status[1].Index,
			!strings.HasPrefix(bc.Status[0].List, "https://registry.example/status/revocation/"),
			!strings.HasPrefix(bc.Status[1].List, "https://registry.example/status/suspension/"):
			t.Errorf("status %+v", bc.Status)
		case bc.Status[0].List == gc.Status[0].List:
			t.Error("two types share a list")
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`); n != 0 {
			t.Errorf("%d open reservations", n)
		}
		// The commitment binds the signed bytes.
		var salt, hash []byte
		if err := db.QueryRowContext(ctx, `SELECT salt, hash FROM commitments WHERE credential_id = $1`, child.Credentials[0].ID).Scan(&salt, &hash); err != nil {
			t.Fatal(err)
		}
		payload, err := vc.VerifyJWS(bj, vc.TypCredential, d.ring.Of(keys.UseCredentials)[0].Public())
		if err != nil || string(commitment(salt, payload)) != string(hash) || len(salt) != 32 {
			t.Error("the commitment is to other bytes")
		}
		again, _, err := d.Paper(ctx, rita, child.ID, g.ID)
		if err != nil || again != bj {
			t.Error("the paper was issued anew")
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		_, err := d.RegisterBirth(ctx, rita, raw(t, b), "")
		wantFault(t, err, ErrBirthExists)
		other := newBirth(func(x *vc.Birth) { x.ChildRef = b.ChildRef })
		_, err = d.RegisterBirth(ctx, rita, raw(t, other), "")
		wantFault(t, err, ErrBirthExists)
		g := newGuardianship(b)
		d.guardianship(StateIssued, g)
		_, err = d.RegisterGuardianship(ctx, rita, raw(t, g), "")
		wantFault(t, err, ErrGuardianshipExists)
		_, err = d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(newBirth())), "")
		wantFault(t, err, ErrNoSuchWard)
		for _, id := range []string{"", "none", "' OR 1=1 --"} {
			_, err = d.Birth(ctx, rita, id)
			wantFault(t, err, ErrNoSuchBirth)
			_, err = d.Guardianship(ctx, rita, id)
			wantFault(t, err, ErrNoSuchGuardianship)
			_, err = d.IssueCopies(ctx, id, newHolder(t))
			wantFault(t, err, ErrNoSuchGuardianship)
			_, err = d.Approve(ctx, rita, id, true)
			wantFault(t, err, ErrNoSuchApproval)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM births`); n != 1 {
			t.Errorf("%d births", n)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials`); n != 2 {
			t.Errorf("%d credentials", n)
		}
	})
}

// TestHeldDuplicate: a birth that repeats another is held with its
// guardianships until a second registrar decides.
func TestHeldDuplicate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		first := newBirth()
		d.birth(StateIssued, first)
		second := newBirth(twinOf(first))
		held := d.birth(StateHeld, second)
		if held.Rule == "" || len(held.Credentials) != 0 {
			t.Fatalf("held %+v", held)
		}
		g := d.guardianship(StateHeld, newGuardianship(second))
		if g.Rule != RuleWardHeld {
			t.Errorf("rule %s", g.Rule)
		}
		if list, err := d.Held(ctx, rita); err != nil || len(list) != 1 || list[0].ID != held.ID || list[0].Rule != held.Rule {
			t.Errorf("held %+v %v", list, err)
		}
		_, err := d.Held(ctx, anna)
		wantFault(t, err, ErrNotAllowed)
		_, _, err = d.Paper(ctx, rita, held.ID, g.ID)
		wantFault(t, err, ErrRecordState)
		_, err = d.IssueCopies(ctx, g.ID, newHolder(t))
		wantFault(t, err, ErrRecordState)
		if n := one(t, db, `SELECT COUNT(*) FROM credentials`); n != 1 {
			t.Fatalf("%d credentials", n)
		}
		_, err = d.Release(ctx, rita, held.ID, "perhaps", "")
		wantFault(t, err, ErrDecision)
		o, err := d.Release(ctx, rita, held.ID, "issue", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Release(ctx, rob, held.ID, "discard", "")
		wantFault(t, err, ErrWaiting)
		_, err = d.Approve(ctx, rita, o.Approval, true)
		wantFault(t, err, ErrSamePerson)
		if out := d.approve(o); out.State != StateIssued || len(out.Credentials) != 2 {
			t.Fatalf("released %+v", out)
		}
		if s := d.state(KindGuardianship, g.ID); s != "issued valid" {
			t.Errorf("guardianship %s", s)
		}
		bj, gj, err := d.Paper(ctx, rita, held.ID, g.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		d.checkJWT(bj)
		d.checkJWT(gj)
	})
}

// court makes a guardianship that takes a second person.
func court(g *vc.Guardianship) {
	g.Role = "legalGuardian"
	g.Guardian.PersonRef, g.Guardian.Names = token(), newBirth().Names
	g.LegalBasis = vc.LegalBasis{Type: "courtOrder", Law: "ZAF", Authority: "https://court.zaf.example", Reference: "12/2026", DecidedOn: "2026-01-10", Finality: "final"}
	g.Exercise = vc.Exercise{Mode: "sole"}
	g.Effective.From = "2026-01-10"
}

// TestHeldThenSecondPerson: the guardianship of a held child that itself takes a
// second person gets one after the child is released.
func TestHeldThenSecondPerson(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		first := newBirth()
		d.birth(StateIssued, first)
		second := newBirth(twinOf(first))
		held := d.birth(StateHeld, second)
		g := d.guardianship(StateHeld, newGuardianship(second, court))
		o, err := d.Release(ctx, rita, held.ID, "issue", "")
		if err != nil {
			t.Fatal(err)
		}
		if out := d.approve(o); len(out.Credentials) != 1 {
			t.Fatalf("%+v", out)
		}
		if s := d.state(KindGuardianship, g.ID); s != "pendingApproval valid" {
			t.Fatal(s)
		}
		as, err := d.Approvals(ctx, clara)
		if err != nil || len(as) != 1 || as[0].Record != g.ID {
			t.Fatalf("%+v %v", as, err)
		}
		_, err = d.Approve(ctx, rita, as[0].ID, true) // she registered it
		wantFault(t, err, ErrSamePerson)
		out, err := d.Approve(ctx, clara, as[0].ID, true)
		if err != nil || out.State != StateIssued || len(out.Credentials) != 1 {
			t.Fatalf("%+v %v", out, err)
		}
	})
}

// TestWardChanged: a guardianship that was checked against a birth that changed
// since is not stored, but checked again.
func TestWardChanged(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		m := &importer{Issuer: d.Issuer, out: json.NewEncoder(io.Discard), cfg: ImportConfig{Progress: func(int) {}},
			src: source{caller: rita, approver: "Axel", batch: "batch", at: d.now()}}
		list := []*line{{number: 1, raw: raw(t, newGuardianship(b))}}
		if err := m.check(ctx, KindGuardianship, list); err != nil || list[0].entry == nil {
			t.Fatal(err, list[0].fault)
		}
		if _, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, next(b, renamed("Changed"))), ""); err != nil {
			t.Fatal(explain(err))
		}
		before := list[0].entry
		drafts, err := m.add(ctx, "guardianships", KindGuardianship, list)
		if err != nil || len(drafts) != 1 || list[0].entry == before || m.sum.Accepted != 1 {
			t.Fatalf("%+v %v", m.sum, err)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM guardianships`); n != 1 {
			t.Errorf("%d guardianships", n)
		}
		// And one whose birth was revoked meanwhile is refused.
		list = []*line{{number: 2, raw: raw(t, newGuardianship(b))}}
		if err := m.check(ctx, KindGuardianship, list); err != nil || list[0].entry == nil {
			t.Fatal(err, list[0].fault)
		}
		o, err := d.Revoke(ctx, rita, child.Credentials[0].ID, "fraud", "")
		if err != nil {
			t.Fatal(explain(err))
		}
		d.approve(o)
		if drafts, err := m.add(ctx, "guardianships", KindGuardianship, list); err != nil || len(drafts) != 0 || m.sum.Refused != 1 {
			t.Fatalf("%+v %v", m.sum, err)
		}
	})
}

func TestDiscardForgets(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		first := newBirth()
		d.birth(StateIssued, first)
		second := newBirth(twinOf(first))
		held := d.birth(StateHeld, second)
		g := newGuardianship(second)
		heldG := d.guardianship(StateHeld, g)
		o, err := d.Release(ctx, rita, held.ID, "discard", "")
		if err != nil {
			t.Fatal(err)
		}
		if out := d.approve(o); out.State != StateDiscarded {
			t.Fatalf("%+v", out)
		}
		storetest.Scrubbed(t, db)
		if s := d.state(KindBirth, held.ID) + d.state(KindGuardianship, heldG.ID); s != "no-such-birthno-such-guardianship" {
			t.Error(s)
		}
		var record []byte
		if err := db.QueryRowContext(ctx, `SELECT record FROM births WHERE id = $1`, held.ID).Scan(&record); err != nil || len(record) != 0 {
			t.Errorf("the content of a discarded record is kept: %v", err)
		}
		// The same registration may come again, and is held again.
		d.birth(StateHeld, second)
		d.guardianship(StateHeld, g)
	})
}

// TestSecondPersonDecides: late births wait; whoever proposed, in token or in name,
// cannot decide; what was decided stays so.
func TestSecondPersonDecides(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth(late)
		o := d.birth(StatePending, b)
		g := d.guardianship(StateHeld, newGuardianship(b))
		if n := one(t, db, `SELECT COUNT(*) FROM credentials`); n != 0 {
			t.Fatalf("%d credentials before the decision", n)
		}
		as, err := d.Approvals(ctx, rob)
		if err != nil || len(as) != 1 || as[0].ID != o.Approval || as[0].Record != o.ID || as[0].Proposer != "Rita" || len(as[0].Current) == 0 {
			t.Fatalf("%+v %v", as, err)
		}
		if as, err := d.Approvals(ctx, clara); err != nil || len(as) != 0 {
			t.Errorf("a court is shown a registrar's approval: %v", err)
		}
		for _, c := range []Caller{rita, {ID: "t-rita-2", Name: "Rita", Role: RoleRegistrar}, {ID: "t-rita", Name: "Other", Role: RoleRegistrar}} {
			for _, accept := range []bool{true, false} {
				_, err := d.Approve(ctx, c, o.Approval, accept)
				wantFault(t, err, ErrSamePerson)
			}
		}
		_, err = d.Approve(ctx, clara, o.Approval, true)
		wantFault(t, err, ErrNoSuchApproval)
		_, err = d.Approve(ctx, anna, o.Approval, true)
		wantFault(t, err, ErrNotAllowed)
		out := d.approve(o)
		if out.State != StateIssued || len(out.Credentials) != 2 {
			t.Fatalf("%+v", out)
		}
		if again := d.approve(o); again.State != StateIssued || again.Credentials[0].ID != out.Credentials[0].ID {
			t.Errorf("the same decision again: %+v", again)
		}
		_, err = d.Approve(ctx, rob, o.Approval, false)
		wantFault(t, err, ErrAlreadyDecided)
		_, err = d.Approve(ctx, Caller{ID: "t-rex", Name: "Rex", Role: RoleRegistrar}, o.Approval, true)
		wantFault(t, err, ErrAlreadyDecided)
		if s := d.statuses(KindBirth, o.ID) + ", " + d.statuses(KindGuardianship, g.ID); s != "1 valid 0 suspended 0 revoked, 1 valid 0 suspended 0 revoked" {
			t.Error(s)
		}
		var payload []byte
		if err := db.QueryRowContext(ctx, `SELECT payload FROM approvals WHERE id = $1`, o.Approval).Scan(&payload); err != nil || len(payload) != 0 {
			t.Error("a decided approval keeps its content")
		}
	})
}

func TestDeniedRegistration(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth(late)
		o := d.birth(StatePending, b)
		g := d.guardianship(StateHeld, newGuardianship(b))
		out, err := d.Approve(ctx, rob, o.Approval, false)
		if err != nil || out.State != StateDiscarded {
			t.Fatalf("%+v %v", out, err)
		}
		if s := d.state(KindBirth, o.ID) + d.state(KindGuardianship, g.ID); s != "no-such-birthno-such-guardianship" {
			t.Error(s)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials`); n != 0 {
			t.Errorf("%d credentials", n)
		}
		d.birth(StatePending, b)
	})
}

// TestApprovedOnce: many second persons at once cause one execution.
func TestApprovedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		o := d.birth(StatePending, newBirth(late))
		errs := make(chan error, 8)
		for n := range 8 {
			go func() {
				_, err := d.Approve(ctx, Caller{ID: fmt.Sprint("t", n), Name: fmt.Sprint("N", n), Role: RoleRegistrar}, o.Approval, true)
				errs <- err
			}()
		}
		done := 0
		for range 8 {
			if err := <-errs; err == nil {
				done++
			} else if !isAny(err, ErrAlreadyDecided, ErrRecordState) {
				t.Errorf("%s", explain(err))
			}
		}
		if done != 1 {
			t.Errorf("%d executed", done)
		}
		if s := d.statuses(KindBirth, o.ID); s != "1 valid 0 suspended 0 revoked" {
			t.Error(s)
		}
	})
}

func TestRepeatedRequest(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		first, err := d.RegisterBirth(ctx, rita, raw(t, b), "key-1")
		if err != nil {
			t.Fatal(explain(err))
		}
		again, err := d.RegisterBirth(ctx, rita, raw(t, b), "key-1")
		if err != nil || again.ID != first.ID || again.Credentials[0].ID != first.Credentials[0].ID {
			t.Fatalf("again: %+v %v", again, err)
		}
		_, err = d.RegisterBirth(ctx, rita, raw(t, newBirth()), "key-1")
		wantFault(t, err, ErrIdempotency)
		_, err = d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b)), "key-1")
		wantFault(t, err, ErrIdempotency)
		// Another caller's key is another key.
		if _, err := d.RegisterBirth(ctx, rob, raw(t, newBirth()), "key-1"); err != nil {
			t.Error(err)
		}
		// What was refused has no answer: the key is free.
		_, err = d.RegisterBirth(ctx, rita, raw(t, b), "key-2")
		wantFault(t, err, ErrBirthExists)
		if _, err := d.RegisterBirth(ctx, rita, raw(t, newBirth()), "key-2"); err != nil {
			t.Error(err)
		}
		for _, bad := range []string{strings.Repeat("k", 129), "a\nb", "ä"} {
			_, err = d.RegisterBirth(ctx, rita, raw(t, newBirth()), bad)
			wantFault(t, err, ErrIdempotencyKey)
		}
		g := newGuardianship(b)
		g1, err1 := d.RegisterGuardianship(ctx, rita, raw(t, g), "key-3")
		g2, err2 := d.RegisterGuardianship(ctx, rita, raw(t, g), "key-3")
		if err1 != nil || err2 != nil || g1.ID != g2.ID {
			t.Errorf("guardianship: %v %v", err1, err2)
		}
		// What was answered is answered again, also when it would be refused now.
		o, err := d.Revoke(ctx, rita, first.Credentials[0].ID, "duplicate", "")
		if err != nil {
			t.Fatal(explain(err))
		}
		d.approve(o)
		if g2, err = d.RegisterGuardianship(ctx, rita, raw(t, g), "key-3"); err != nil || g2.ID != g1.ID || g2.Credentials[0].ID != g1.Credentials[0].ID {
			t.Errorf("after its ward was revoked: %+v %v", g2, err)
		}
		_, err = d.RegisterGuardianship(ctx, rita, raw(t, g), "key-4")
		wantFault(t, err, ErrRevoked)
		// After a month the answer is forgotten.
		d.pass(32 * 24 * time.Hour)
		if _, err := d.Recover(ctx); err != nil {
			t.Fatal(err)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM idempotency`); n != 0 {
			t.Errorf("%d answers kept", n)
		}
	})
}

func TestRepeatedRequestAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		body := raw(t, newBirth())
		type res struct {
			o   Outcome
			err error
		}
		out := make(chan res, 16)
		for range 16 {
			go func() {
				o, err := d.RegisterBirth(ctx, rita, body, "same")
				out <- res{o, err}
			}()
		}
		ids := map[string]bool{}
		for range 16 {
			r := <-out
			if r.err != nil {
				t.Fatal(explain(r.err))
			}
			ids[r.o.ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("%d records", len(ids))
		}
	})
}

// TestCopies: a holder gets the same bytes until a correction or the last part
// of their life; another holder gets other credentials.
func TestCopies(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		holder := newHolder(t)
		copies, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil {
			t.Fatal(explain(err))
		}
		want, places := map[string]bool{}, map[string]bool{}
		for _, p := range []string{ProfileFull, ProfileBorder, ProfileSDJWT, ProfileLDP} {
			want[vc.TypeBirth+" "+p], want[vc.TypeGuardianship+" "+p] = true, true
		}
		for _, c := range copies {
			delete(want, c.Type+" "+c.Profile)
			x := d.checkCopy(c)
			places[x.place] = true
			named := ""
			if c.Type == vc.TypeGuardianship || c.Profile == ProfileSDJWT {
				named = holder
			}
			if x.holder != named {
				t.Errorf("%s %s: holder %q", c.Type, c.Profile, x.holder)
			}
			if !x.from.Equal(c.ValidFrom) || !x.until.Equal(c.ValidUntil) || x.until.Sub(x.from) > 365*24*time.Hour {
				t.Errorf("%s %s lives from %s to %s", c.Type, c.Profile, x.from, x.until)
			}
		}
		if len(want) != 0 || len(copies) != 8 || len(places) != 8 {
			t.Fatalf("missing %v, %d places", want, len(places))
		}
		same := func(a, b []IssuedCredential) bool {
			if len(a) != len(b) {
				return false
			}
			for n := range a {
				if a[n].JWT != b[n].JWT || a[n].ID != b[n].ID {
					return false
				}
			}
			return true
		}
		d.pass(200 * 24 * time.Hour)
		again, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil || !same(copies, again) {
			t.Fatalf("not the same: %v", err)
		}
		other, err := d.IssueCopies(ctx, g.ID, newHolder(t))
		if err != nil || same(copies, other) {
			t.Fatalf("another holder: %v", err)
		}
		d.pass(106 * 24 * time.Hour) // 59 days before the end
		renewed, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil || same(copies, renewed) || len(renewed) != 8 || !renewed[0].ValidUntil.After(copies[0].ValidUntil) {
			t.Fatalf("not renewed: %v", err)
		}
		if again, err := d.IssueCopies(ctx, g.ID, holder); err != nil || !same(renewed, again) {
			t.Fatalf("renewed twice: %v", err)
		}
		if _, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, next(b, renamed("Corrected"))), ""); err != nil {
			t.Fatal(explain(err))
		}
		after, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil || after[0].ID == renewed[0].ID || after[0].RecordVersion != 2 {
			t.Fatalf("after a correction: %v", err)
		}
		for n := range after {
			if after[n].Type == vc.TypeGuardianship && after[n].JWT != renewed[n].JWT {
				t.Error("the guardianship was issued anew")
			}
		}
		for _, bad := range []string{"", "did:web:x.example", "did:key:zzz", "rita"} {
			if _, err := d.IssueCopies(ctx, g.ID, bad); err == nil {
				t.Errorf("holder %q accepted", bad)
			}
		}
	})
}

// TestCopiesAtOnce: one holder who asks many times at once gets one set.
func TestCopiesAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		holder := newHolder(t)
		type res struct {
			c   []IssuedCredential
			err error
		}
		out := make(chan res, 8)
		for range 8 {
			go func() {
				c, err := d.IssueCopies(ctx, g.ID, holder)
				out <- res{c, err}
			}()
		}
		jwts := map[string]bool{}
		for range 8 {
			r := <-out
			if r.err != nil {
				t.Fatal(explain(r.err))
			}
			for _, c := range r.c {
				jwts[c.JWT] = true
			}
		}
		if len(jwts) != 8 {
			t.Errorf("%d credentials for one holder", len(jwts))
		}
	})
}

// TestShortLives: a credential that cannot live longer is not renewed again and
// again, and never outlives the mandate or the ward's majority.
func TestShortLives(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b, func(g *vc.Guardianship) { g.Effective.Until = "2026-12-10" }))
		holder := newHolder(t)
		first, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil {
			t.Fatal(explain(err))
		}
		end := time.Date(2026, 12, 11, 0, 0, 0, 0, time.UTC)
		for _, c := range first {
			if c.Type == vc.TypeGuardianship && c.ValidUntil.After(end) {
				t.Errorf("valid until %s", c.ValidUntil)
			}
		}
		d.pass(15 * 24 * time.Hour)
		second, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil || first[1].JWT != second[1].JWT {
			t.Errorf("issued anew without need: %v", err)
		}
		d.pass(10 * 24 * time.Hour)
		_, err = d.IssueCopies(ctx, g.ID, holder)
		wantFault(t, err, ErrNotIssuable)
	})
}

// TestNotIssued: a mandate that is over, or a ward of age, is recorded and not
// issued.
func TestNotIssued(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth()
	d.birth(StateIssued, b)
	adult := newBirth(func(b *vc.Birth) { b.BirthDate.Value, b.Registration.Date = "2001-03-05", "2001-03-09" })
	d.birth(StateIssued, adult)
	for name, g := range map[string]*vc.Guardianship{
		"over":   newGuardianship(b, func(g *vc.Guardianship) { g.Effective.Until = "2025-01-01" }),
		"of age": newGuardianship(adult),
	} {
		o := d.guardianship(StateNotIssued, g)
		if o.Rule == "" || len(o.Credentials) != 0 {
			t.Errorf("%s: %+v", name, o)
		}
		_, err := d.IssueCopies(ctx, o.ID, newHolder(t))
		wantFault(t, err, ErrRecordState)
	}
}

// TestCorrectBirth: the new version takes the place of the old in one
// transaction, keeps the childRef, and revokes every copy.
func TestCorrectBirth(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		if _, err := d.IssueCopies(ctx, g.ID, newHolder(t)); err != nil {
			t.Fatal(err)
		}
		old, _, err := d.Paper(ctx, rita, child.ID, g.ID)
		if err != nil {
			t.Fatal(err)
		}
		fixed := next(b, renamed("Corrected"))
		for name, edit := range map[string]func(*vc.Birth){
			"same version":  func(b *vc.Birth) { b.RecordVersion = 1 },
			"skipped":       func(b *vc.Birth) { b.RecordVersion = 3 },
			"another child": func(b *vc.Birth) { b.ChildRef = token() },
			"bad sex":       func(b *vc.Birth) { b.Sex = 5 },
			"no amendment":  func(b *vc.Birth) { b.Amendment = nil },
		} {
			bad := *fixed
			edit(&bad)
			if _, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, &bad), ""); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if s := d.statuses(KindBirth, child.ID); s != "5 valid 0 suspended 0 revoked" {
			t.Fatal(s)
		}
		o, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, fixed), "fix")
		if err != nil {
			t.Fatal(explain(err))
		}
		if o.State != StateIssued || o.RecordVersion != 2 || len(o.Credentials) != 1 {
			t.Fatalf("%+v", o)
		}
		again, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, fixed), "fix")
		if err != nil || again.Credentials[0].ID != o.Credentials[0].ID {
			t.Errorf("the same request again: %v", err)
		}
		if s := d.statuses(KindBirth, child.ID); s != "1 valid 0 suspended 5 revoked" {
			t.Error(s)
		}
		if s := d.statuses(KindGuardianship, g.ID); s != "5 valid 0 suspended 0 revoked" {
			t.Error(s)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM status_changes WHERE purpose = 'revocation' AND value = 1`); n != 5 {
			t.Errorf("%d changes", n)
		}
		fresh, _, err := d.Paper(ctx, rita, child.ID, g.ID)
		if err != nil {
			t.Fatal(err)
		}
		var was, is vc.Birth
		if json.Unmarshal(d.checkJWT(old).Subject, &was) != nil || json.Unmarshal(d.checkJWT(fresh).Subject, &is) != nil {
			t.Fatal("subjects")
		}
		if was.ChildRef != is.ChildRef || is.RecordVersion != 2 || is.Names[0].MRZ.Secondary != "CORRECTED" {
			t.Errorf("corrected subject %+v", is)
		}
		_, err = d.CorrectBirth(ctx, rita, "none", raw(t, fixed), "")
		wantFault(t, err, ErrNoSuchBirth)
	})
}

// TestCorrectionIsAtomic: when the new version cannot be stored, the old copies
// stay valid.
func TestCorrectionIsAtomic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		other := newBirth()
		d.birth(StateIssued, other)
		b := newBirth()
		child := d.birth(StateIssued, b)
		clash := next(b, func(b *vc.Birth) { b.Registration.Number = other.Registration.Number })
		_, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, clash), "")
		wantFault(t, err, ErrDuplicate)
		if s := d.state(KindBirth, child.ID) + ", " + d.statuses(KindBirth, child.ID); s != "issued valid, 1 valid 0 suspended 0 revoked" {
			t.Error(s)
		}
		if d.unsorted(child.ID)+d.sorted(child.ID) == 0 {
			t.Error("the search keys are gone")
		}
		// Two corrections at once: one wins, the other is told.
		errs := make(chan error, 2)
		for _, name := range []string{"Anna", "Berta"} {
			body := raw(t, next(b, renamed(name)))
			go func() {
				_, err := d.CorrectBirth(ctx, rita, child.ID, body, "")
				errs <- err
			}()
		}
		won := 0
		for range 2 {
			if err := <-errs; err == nil {
				won++
			}
		}
		if s := d.statuses(KindBirth, child.ID); won != 1 || s != "1 valid 0 suspended 1 revoked" {
			t.Errorf("%d won: %s", won, s)
		}
	})
}

// TestSealedCorrection: a sealed amendment cuts the child from what was before.
func TestSealedCorrection(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		before, beforeG, err := d.Paper(ctx, rita, child.ID, g.ID)
		if err != nil {
			t.Fatal(err)
		}
		hidden := next(b, func(b *vc.Birth) {
			other := newBirth()
			b.RecordVersion, b.Names, b.Registration = 1, other.Names, other.Registration
			b.Amendment = &vc.Amendment{Reason: "protectionIdentity", Effective: "2026-11-01", Sealed: true}
		})
		o, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, hidden), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if o.State == StatePending {
			o = d.approve(o)
		}
		after, afterG, err := d.Paper(ctx, rita, child.ID, g.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		refs := map[string]int{}
		for _, j := range []string{before, after} {
			var s vc.Birth
			if err := json.Unmarshal(d.checkJWT(j).Subject, &s); err != nil {
				t.Fatal(err)
			}
			refs[s.ChildRef]++
		}
		for _, j := range []string{beforeG, afterG} {
			var s vc.Guardianship
			if err := json.Unmarshal(d.checkJWT(j).Subject, &s); err != nil {
				t.Fatal(err)
			}
			refs[s.Ward.ChildRef]++
		}
		if len(refs) != 2 {
			t.Errorf("%d references", len(refs))
		}
		if s := d.statuses(KindGuardianship, g.ID); s != "1 valid 0 suspended 1 revoked" {
			t.Error(s)
		}
		// The line of the old identity does not come back as a new child.
		if s, _ := d.load(jsonl(t, b), nil); s.Seen != 1 {
			t.Errorf("the old line: %s", counts(s))
		}
		if o := d.guardianship(StateHeld, newGuardianship(hidden)); o.Rule != RuleGuardianHasMandate {
			t.Errorf("a second mandate after the cut: %+v", o)
		}
	})
}

// TestCorrectGuardianship always takes a second person; a late birth's
// correction does too.
func TestCorrectGuardianship(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := newGuardianship(b)
		old := d.guardianship(StateIssued, g)
		if _, err := d.IssueCopies(ctx, old.ID, newHolder(t)); err != nil {
			t.Fatal(err)
		}
		change := *g
		change.Powers = []string{"travelAccompany"}
		_, err := d.CorrectGuardianship(ctx, rita, old.ID, raw(t, newGuardianship(newBirth())), "")
		if err == nil {
			t.Error("another child accepted")
		}
		o, err := d.CorrectGuardianship(ctx, rita, old.ID, raw(t, &change), "k")
		if err != nil || o.State != StatePending {
			t.Fatalf("%+v %v", o, err)
		}
		if again, err := d.CorrectGuardianship(ctx, rita, old.ID, raw(t, &change), "k"); err != nil || again.Approval != o.Approval {
			t.Errorf("the same request again: %+v %v", again, err)
		}
		_, err = d.CorrectGuardianship(ctx, clara, old.ID, raw(t, &change), "")
		wantFault(t, err, ErrWaiting)
		if s := d.statuses(KindGuardianship, old.ID); s != "5 valid 0 suspended 0 revoked" {
			t.Fatalf("before the decision: %s", s)
		}
		_, err = d.Approve(ctx, rita, o.Approval, true)
		wantFault(t, err, ErrSamePerson)
		out, err := d.Approve(ctx, clara, o.Approval, true)
		if err != nil || out.RecordVersion != 2 {
			t.Fatalf("%+v %v", out, err)
		}
		if s := d.statuses(KindGuardianship, old.ID); s != "1 valid 0 suspended 5 revoked" {
			t.Error(s)
		}
		_, gj, err := d.Paper(ctx, rita, child.ID, old.ID)
		if err != nil {
			t.Fatal(err)
		}
		var s vc.Guardianship
		if err := json.Unmarshal(d.checkJWT(gj).Subject, &s); err != nil || len(s.Powers) != 1 {
			t.Errorf("powers %v", s.Powers)
		}
		// A denied one changes nothing.
		change.Powers = []string{"travelConsent"}
		o, err = d.CorrectGuardianship(ctx, rita, old.ID, raw(t, &change), "")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := d.Approve(ctx, rob, o.Approval, false); err != nil || out.State != StateIssued || out.RecordVersion != 2 {
			t.Errorf("denied: %+v %v", out, err)
		}
	})
}

// TestSuspendedOrRevoked: nothing is issued for such a record, and the
// correction of a suspended one stays suspended.
func TestSuspendedOrRevoked(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		if _, err := d.Suspend(ctx, peter, child.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(explain(err))
		}
		_, err := d.IssueCopies(ctx, g.ID, newHolder(t))
		wantFault(t, err, ErrSuspended)
		_, _, err = d.Paper(ctx, rita, child.ID, g.ID)
		wantFault(t, err, ErrSuspended)
		_, err = d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b)), "")
		wantFault(t, err, ErrSuspended)
		second := next(b, func(b *vc.Birth) { b.Sex = 1 })
		if _, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, second), ""); err != nil {
			t.Fatal(explain(err))
		}
		if s := d.state(KindBirth, child.ID) + ", " + d.statuses(KindBirth, child.ID); s != "issued suspended, 0 valid 1 suspended 1 revoked" {
			t.Error(s)
		}
		if _, err := d.Reinstate(ctx, peter, child.Credentials[0].ID, "resolved", ""); err != nil {
			t.Fatal(explain(err))
		}
		if _, _, err := d.Paper(ctx, rita, child.ID, g.ID); err != nil {
			t.Fatal(explain(err))
		}
		o, err := d.Revoke(ctx, rita, child.Credentials[0].ID, "fraud", "")
		if err != nil {
			t.Fatal(explain(err))
		}
		d.approve(o)
		_, err = d.IssueCopies(ctx, g.ID, newHolder(t))
		wantFault(t, err, ErrRevoked)
		_, err = d.CorrectBirth(ctx, rita, child.ID, raw(t, next(second)), "")
		wantFault(t, err, ErrRevoked)
	})
}

// TestMRZNeeded: a child without a name in Latin letters is registered and gets
// full credentials only.
func TestMRZNeeded(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	b := newBirth(func(b *vc.Birth) {
		b.Names = []vc.Name{{Kind: "legal", Script: "Hang", Full: "홍길동"}}
	})
	o := d.birth(StateIssued, b)
	if o.Rule != RuleMRZNeeded || len(o.Credentials) != 0 {
		t.Fatalf("%+v", o)
	}
	g := d.guardianship(StateIssued, newGuardianship(b))
	_, _, err := d.Paper(ctx, rita, o.ID, g.ID)
	wantFault(t, err, ErrMRZNeeded)
	copies, err := d.IssueCopies(ctx, g.ID, newHolder(t))
	if err != nil || len(copies) != 7 {
		t.Fatalf("%d copies: %v", len(copies), err)
	}
	for _, c := range copies {
		if c.Type == vc.TypeBirth && c.Profile == ProfileBorder {
			t.Error("a border birth credential without a machine-readable name")
		}
	}
}

func isAny(err error, of ...error) bool {
	for _, e := range of {
		if f, ok := e.(interface{ Is(error) bool }); ok && f.Is(err) {
			return true
		}
	}
	return false
}
