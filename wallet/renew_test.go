package wallet

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

const oneDay = 24 * time.Hour

// redo lets the office issue anew when it is asked again.
func (o *office) redo(change func(*deal)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.offers {
		d.issued = nil
		if change != nil {
			change(d)
		}
	}
}

func TestRenew(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		n := s.o.count("/credential")
		s.o.redo(nil)
		s.o.clock.add(304 * oneDay) // 61 days before the end
		r, err := s.Renew(t.Context(), amina)
		if err != nil || r != (Renewed{Checked: 4}) {
			t.Fatalf("not due: %+v %v", r, err)
		}
		if s.o.count("/credential") != n || s.o.count("/token") != 1 {
			t.Error("something was fetched before it was due")
		}
		s.o.clock.add(oneDay)
		if r, err = s.Renew(t.Context(), amina); err != nil || r != (Renewed{Checked: 4, Renewed: 4}) {
			t.Fatalf("due: %+v %v", r, err)
		}
		list, err := s.Credentials(t.Context(), amina)
		if err != nil || len(list) != 4 {
			t.Fatalf("%d credentials, %v", len(list), err)
		}
		for i, c := range list {
			if c.ID != a.Credentials[i].ID && !hasID(a.Credentials, c.ID) {
				t.Error("a renewed credential has another id")
			}
			if c.Child != a.Child || !c.ValidUntil.After(s.o.clock.now().Add(360*oneDay)) {
				t.Errorf("credential %d was not renewed: %v", i, c.ValidUntil)
			}
		}
		if r, err = s.Renew(t.Context(), amina); err != nil || r.Renewed != 0 {
			t.Errorf("renewed again at once: %+v %v", r, err)
		}
		if r, err := s.Renew(t.Context(), bilal); err != nil || r != (Renewed{}) {
			t.Errorf("a guardian without a wallet: %+v %v", r, err)
		}
	})
}

func hasID(list []Credential, id string) bool {
	for _, c := range list {
		if c.ID == id {
			return true
		}
	}
	return false
}

// A corrected record comes by itself: the old copies are revoked, the new ones
// are fetched without a PIN.
func TestRenewAfterCorrection(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		s.o.set(func() {
			setAll(s.o, vc.PurposeRevocation)
			s.o.next = 9000
		})
		s.o.redo(func(d *deal) { d.child.given, d.version = "Zaynab", 2 })
		r, err := s.Renew(t.Context(), amina)
		if err != nil || r.Renewed != 4 {
			t.Fatalf("%+v %v", r, err)
		}
		kids, err := s.Children(t.Context(), amina)
		if err != nil || len(kids) != 1 || kids[0].ID != a.Child || kids[0].Names[0] != "Zaynab Okonkwo" || !kids[0].Ready {
			t.Errorf("child %+v %v", kids, err)
		}
	})
}

// At an epoch the child gets another childRef; for the guardian it stays the
// same child.
func TestRenewEpoch(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		s.o.clock.add(310 * oneDay)
		s.o.redo(func(d *deal) { d.child.ref = "ICEiIyQlJicoKSorLC0uLw" })
		if r, err := s.Renew(t.Context(), amina); err != nil || r.Renewed != 4 {
			t.Fatalf("%+v %v", r, err)
		}
		kids, err := s.Children(t.Context(), amina)
		if err != nil || len(kids) != 1 || kids[0].ID != a.Child || !kids[0].Ready {
			t.Errorf("child %+v %v", kids, err)
		}
		// A new offer with the new reference is for the same child as well.
		moved := zainab
		moved.ref = "ICEiIyQlJicoKSorLC0uLw"
		if b := s.accept(t, amina, moved); b.Child != a.Child {
			t.Error("another child")
		}
	})
}

// Credentials of two epochs are never shown together.
func TestNeverMixesEpochs(t *testing.T) {
	s := lite(t)
	a, b := s.accept(t, amina, zainab), s.accept(t, amina, zainab)
	if a.Child != b.Child {
		t.Fatal("two children")
	}
	// One grant is renewed into the new epoch, the other cannot be.
	s.o.clock.add(310 * oneDay)
	s.o.redo(func(d *deal) { d.child.ref = "ICEiIyQlJicoKSorLC0uLw" })
	v, err := s.vault(t.Context(), amina.ID)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := s.grants(t.Context(), v)
	if err != nil || len(grants) != 2 {
		t.Fatal(err)
	}
	old, renewed := a, b
	if !slices.Contains(grants[0].Credentials, a.Credentials[0].ID) {
		old, renewed = b, a
	}
	s.o.set(func() { delete(s.o.refresh, grants[0].Refresh) })
	if r, err := s.Renew(t.Context(), amina); err != nil || r.Renewed != 4 || r.Failed != 4 {
		t.Fatalf("%+v %v", r, err)
	}
	for _, mix := range [][]string{
		{borderOf(t, old, vc.TypeBirth), borderOf(t, renewed, vc.TypeGuardianship)},
		{borderOf(t, renewed, vc.TypeBirth), borderOf(t, old, vc.TypeGuardianship)},
		{borderOf(t, old, vc.TypeBirth), borderOf(t, old, vc.TypeGuardianship), borderOf(t, renewed, vc.TypeGuardianship)},
	} {
		_, err := s.Present(t.Context(), amina, Request{Child: a.Child, Credentials: mix})
		mustCode(t, err, "selection-invalid")
	}
	for _, whole := range []Accepted{old, renewed} {
		if _, err := s.Present(t.Context(), amina, Request{Child: a.Child, Credentials: []string{borderOf(t, whole, vc.TypeBirth), borderOf(t, whole, vc.TypeGuardianship)}}); err != nil {
			t.Error(err)
		}
	}
}

// borderOf finds the border credential of a type.
func borderOf(t *testing.T, a Accepted, kind string) string {
	t.Helper()
	for _, c := range a.Credentials {
		if c.Type == kind && c.Profile == profileBorder {
			return c.ID
		}
	}
	t.Fatal("no border credential")
	return ""
}

// When nothing new can be had, what there is stays.
func TestRenewRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(*office)
		failed int
		sends  bool // the token endpoint may be reached
	}{
		{"refresh token refused", func(o *office) { o.refresh = map[string]*deal{} }, 4, true},
		{"issuer down", func(o *office) {
			for _, p := range []string{"/token", "/status/revocation/1", "/status/suspension/1"} {
				o.override[p] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
			}
		}, 4, true},
		{"issuer not trusted any more", func(o *office) { o.trust.Issuers = nil }, 4, false},
		{"key stolen", func(o *office) { o.trust.Issuers[0].Keys[0].CutOff = o.clock.t }, 4, false},
		{"new credential is bad", func(o *office) { o.resign = tamper(1) }, 4, true},
		{"new credentials are for another child of the guardian", func(o *office) {
			for _, d := range o.offers {
				d.child.ref = tariq.ref
			}
		}, 4, true},
		{"new guardianship is missing", func(o *office) { o.denied = []string{"GuardianshipCredential", "GuardianshipCredentialBorder"} }, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lite(t)
			mine := s.accept(t, amina, zainab)
			if c.name == "new credentials are for another child of the guardian" {
				s.accept(t, amina, tariq)
			}
			before, err := s.held(t.Context(), amina)
			if err != nil {
				t.Fatal(err)
			}
			s.o.clock.add(310 * oneDay)
			s.o.redo(nil)
			tokens := s.o.count("/token")
			s.o.set(func() { c.do(s.o) })
			r, err := s.Renew(t.Context(), amina)
			if err != nil || r.Failed < c.failed || (len(before) == 4 && r.Renewed != 0) {
				t.Fatalf("%+v %v", r, err)
			}
			if !c.sends && s.o.count("/token") != tokens {
				t.Error("a token went to an issuer that is not trusted")
			}
			after, err := s.held(t.Context(), amina)
			if err != nil || len(after) != len(before) {
				t.Fatalf("%d credentials, were %d (%v)", len(after), len(before), err)
			}
			for i := range after {
				if after[i].Child == mine.Child && after[i].JWT != before[i].JWT {
					t.Error("a credential changed")
				}
			}
		})
	}
}

// A lost answer during a renewal does no harm.
func TestRenewLostAnswers(t *testing.T) {
	for _, path := range []string{"/token", "/credential", "/nonce"} {
		t.Run(path, func(t *testing.T) {
			s := lite(t)
			s.accept(t, amina, zainab)
			s.o.clock.add(310 * oneDay)
			s.o.redo(nil)
			s.o.set(func() { s.o.drop[path] = 1 })
			if r, err := s.Renew(t.Context(), amina); err != nil || r.Renewed != 0 || r.Failed != 4 {
				t.Fatalf("%+v %v", r, err)
			}
			if r, err := s.Renew(t.Context(), amina); err != nil || r.Renewed != 4 {
				t.Fatalf("%+v %v", r, err)
			}
			if n := count(t, s.db, "credentials"); n != 4 {
				t.Errorf("%d credentials", n)
			}
		})
	}
}

// A suspension is learned, shown without a reason, and lifted again.
func TestSuspension(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		s.o.set(func() { setAll(s.o, vc.PurposeSuspension) })
		if r, err := s.Renew(t.Context(), amina); err != nil || r != (Renewed{Checked: 4}) {
			t.Fatalf("%+v %v", r, err)
		}
		list, err := s.Credentials(t.Context(), amina)
		if err != nil {
			t.Fatal(err)
		}
		revoked := suspendedText(t, list)
		_, err = s.Present(t.Context(), amina, Request{Child: a.Child})
		mustCode(t, err, "credential-not-usable")
		s.o.set(func() {
			s.o.lists[vc.PurposeSuspension], _ = status.New(status.MinSize)
			setAll(s.o, vc.PurposeRevocation)
			s.o.refresh = map[string]*deal{}
		})
		if _, err := s.Renew(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		if list, err = s.Credentials(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		if got := suspendedText(t, list); got != revoked {
			t.Errorf("suspension and revocation read differently: %q, %q", revoked, got)
		}
		s.o.set(func() { s.o.lists[vc.PurposeRevocation], _ = status.New(status.MinSize) })
		if _, err := s.Renew(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Present(t.Context(), amina, Request{Child: a.Child}); err != nil {
			t.Errorf("after the suspension was lifted: %v", err)
		}
	})
}

func suspendedText(t *testing.T, list []Credential) string {
	t.Helper()
	out := ""
	for _, c := range list {
		if c.State != "notUsable" {
			t.Errorf("state %s", c.State)
		}
		out += c.Summary[len(c.Summary)-1]
	}
	return out
}

// The service finishes a rotation of its key by itself and ends when told to.
func TestRun(t *testing.T) {
	s := lite(t)
	s.accept(t, amina, zainab)
	rotated := newRing(t)
	rotated.Secrets[SecretWrapPrevious] = s.ring.Secret(SecretWrap)
	w := newWallet(t, s.db, rotated, s.o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	for i := 0; ; i++ {
		n := 0
		if err := s.db.QueryRow(`SELECT COUNT(*) FROM guardians WHERE wrap_id = $1`, w.wraps[0].id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			break
		}
		if i == 500 {
			t.Fatal("not rewrapped")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("does not end")
	}
}

// A round reads each list of an issuer once, however many guardians there are,
// and asks an issuer that is down for nothing more.
func TestRenewAllReadsListsOnce(t *testing.T) {
	s := lite(t)
	s.accept(t, amina, zainab)
	s.accept(t, bilal, tariq)
	s.o.clock.add(310 * oneDay)
	n := s.o.count("/status/revocation/1")
	s.o.redo(nil)
	s.o.set(func() { s.o.denied = allConfigs }) // no new ones, whose lists would be read as well
	if _, err := s.RenewAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.o.count("/status/revocation/1") - n; got != 1 {
		t.Errorf("the list was read %d times", got)
	}
	tokens := s.o.count("/token")
	s.o.set(func() {
		s.o.override["/status/revocation/1"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	})
	n = s.o.count("/status/revocation/1")
	if r, err := s.RenewAll(t.Context()); err != nil || r != (Renewed{Failed: 8}) {
		t.Errorf("%+v %v", r, err)
	}
	if got := s.o.count("/status/revocation/1") - n; got != 1 || s.o.count("/token") != tokens {
		t.Errorf("an issuer that is down was asked %d times", got)
	}
}

func TestRenewAll(t *testing.T) {
	s := lite(t)
	s.accept(t, amina, zainab)
	s.accept(t, bilal, tariq)
	s.o.clock.add(310 * oneDay)
	s.o.redo(nil)
	if r, err := s.RenewAll(t.Context()); err != nil || r.Renewed != 8 || r.Failed != 0 {
		t.Errorf("%+v %v", r, err)
	}
}
