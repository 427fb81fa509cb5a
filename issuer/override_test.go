package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

const (
	theirs  = "https://office.example/status/"
	revokes = theirs + "revocation/3"
	pauses  = theirs + "suspension/3"
)

// over is a request about a place on another office's list.
func over(list, index, reason string) OverrideRequest {
	purpose := vc.PurposeSuspension
	if strings.Contains(list, vc.PurposeRevocation) {
		purpose = vc.PurposeRevocation
	}
	return OverrideRequest{List: list, Index: index, Purpose: purpose, Reason: reason}
}

// published reads every override list as a stranger does: the index, each list,
// its signature with the key that the DID document labels for the role. It gives
// the set places by the overridden address, and the role that signed.
func (d *booth) overridden() (places map[string][]int64, roles map[string]string) {
	d.t.Helper()
	places, roles = map[string][]int64{}, map[string]string{}
	p, err := d.OverrideIndex(ctx)
	if err != nil || p.Type != "application/json" {
		d.t.Fatal(p.Type, err)
	}
	var index struct {
		Lists []string `json:"lists"`
	}
	if err := json.Unmarshal(p.Body, &index); err != nil || index.Lists == nil {
		d.t.Fatalf("%s %v", p.Body, err)
	}
	for _, address := range index.Lists {
		var n int64
		if _, err := fmt.Sscanf(address, d.cfg.Base+"/overrides/%d", &n); err != nil {
			d.t.Fatal(address, err)
		}
		p, err := d.OverrideList(ctx, n)
		if err != nil || p.Type != "application/vc+jwt" {
			d.t.Fatal(p.Type, err)
		}
		j, err := vc.SplitJWS(string(p.Body))
		if err != nil {
			d.t.Fatal(err)
		}
		_, name, _ := strings.Cut(j.Header.Kid, "#")
		at := slices.IndexFunc(d.ring.Keys, func(k *keys.Key) bool { return k.Name == name })
		payload, err := j.Verify(d.ring.Keys[at].Public())
		if err != nil {
			d.t.Fatal(err)
		}
		c, err := vc.ParseCredential(payload)
		if err != nil || c.ID != address || c.Issuer != d.DID() || !c.Is(vc.TypeStatusList) || !c.ValidTo.After(d.now()) || c.ValidFrom.After(d.now()) {
			d.t.Fatalf("%s %v", payload, err)
		}
		var s struct {
			ID      string `json:"id"`
			Type    string `json:"type"`
			Purpose string `json:"statusPurpose"`
			Encoded string `json:"encodedList"`
		}
		if err := json.Unmarshal(c.Subject, &s); err != nil || s.Type != "BitstringStatusList" {
			d.t.Fatalf("%s %v", c.Subject, err)
		}
		bits, err := status.Decode(s.Encoded, 1<<24)
		if err != nil || bits.Len() < status.MinSize {
			d.t.Fatal(err)
		}
		about, ok := strings.CutSuffix(s.ID, "#list")
		if _, twice := roles[about]; !ok || twice || !strings.Contains(about, s.Purpose) {
			d.t.Fatalf("about %s for %s", s.ID, s.Purpose)
		}
		roles[about] = d.ring.Keys[at].Use
		for x := range bits.Len() {
			if on, _ := bits.Get(x); on {
				places[about] = append(places[about], x)
			}
		}
		if int64(len(places[about])) != bits.Count() {
			d.t.Fatal("bits not counted")
		}
	}
	return places, roles
}

// wantPlaces compares what is published with what should be.
func (d *booth) wantPlaces(list string, want ...int64) {
	d.t.Helper()
	got, _ := d.overridden()
	if !slices.Equal(got[list], want) {
		d.t.Errorf("%s: %v, want %v", list, got[list], want)
	}
}

func eachCourt(t *testing.T, fn func(t *testing.T, d *booth)) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) { fn(t, newBooth(t, db, newRing(t, keys.EdDSA))) })
}

// TestOverrideSuspends: an authority suspends at once what another issuer does
// not, signed by its own key, and it ends after three days unless confirmed.
func TestOverrideSuspends(t *testing.T) {
	eachCourt(t, func(t *testing.T, d *booth) {
		if got, _ := d.overridden(); len(got) != 0 {
			t.Fatalf("%v", got)
		}
		o, err := d.AddOverride(ctx, peter, over(pauses, "94567", "safety"), "k1")
		if err != nil || o.State != OverrideActive || o.Status != StatusSuspended || o.Approval != "" {
			t.Fatalf("%+v %v", o, err)
		}
		again, err := d.AddOverride(ctx, peter, over(pauses, "94567", "safety"), "k1")
		if err != nil || again.ID != o.ID {
			t.Errorf("%+v %v", again, err)
		}
		if _, err := d.AddOverride(ctx, peter, over(pauses, "94568", "safety"), "k1"); !errors.Is(err, ErrIdempotency) {
			t.Errorf("another place for the same key: %v", err)
		}
		// A place that is overridden stays as it is.
		same, err := d.AddOverride(ctx, peter, over(pauses, "94567", "disputed"), "")
		if err != nil || same.ID != o.ID {
			t.Errorf("%+v %v", same, err)
		}
		if _, err := d.AddOverride(ctx, peter, over(pauses, "0", "investigation"), ""); err != nil {
			t.Fatal(err)
		}
		d.wantPlaces(pauses, 0, 94567)
		if _, roles := d.overridden(); roles[pauses] != RoleProtection {
			t.Errorf("%v", roles)
		}
		list, err := d.Overrides(ctx, clara)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v %v", list, err)
		}
		if x := list[slices.IndexFunc(list, func(x Override) bool { return x.ID == o.ID })]; x.List != pauses || x.Index != "94567" || x.Role != RoleProtection ||
			x.By != peter.Name || x.Reason != "safety" || x.State != OverrideActive || !x.Until.Equal(d.now().Add(suspensionTerm)) {
			t.Errorf("%+v", x)
		}
		if _, err := d.ConfirmOverride(ctx, peter, o.ID, "upheld", ""); !errors.Is(err, ErrSamePerson) {
			t.Errorf("himself: %v", err)
		}
		pia := Caller{ID: "t-pia", Name: "Pia", Role: RoleProtection}
		for range 2 {
			if c, err := d.ConfirmOverride(ctx, pia, o.ID, "upheld", ""); err != nil || c.State != OverrideActive {
				t.Fatalf("%+v %v", c, err)
			}
		}
		d.pass(suspensionTerm - time.Microsecond)
		d.wantPlaces(pauses, 0, 94567)
		d.pass(time.Microsecond)
		d.wantPlaces(pauses, 94567)
		if _, err := d.AddOverride(ctx, peter, over(pauses, "0", "safety"), ""); !errors.Is(err, ErrSuspensionRepeated) {
			t.Errorf("repeated: %v", err)
		}
		if _, err := d.AddOverride(ctx, pia, over(pauses, "0", "safety"), ""); err != nil {
			t.Errorf("by a colleague: %v", err)
		}
		d.wantPlaces(pauses, 0, 94567)
		d.pass(10 * suspensionTerm)
		d.wantPlaces(pauses, 94567)
		// Lifted, the list stays and says so.
		if l, err := d.LiftOverride(ctx, pia, o.ID, "resolved", ""); err != nil || l.State != OverrideLifted || l.Status != "" {
			t.Fatalf("%+v %v", l, err)
		}
		d.wantPlaces(pauses)
		if _, roles := d.overridden(); roles[pauses] != RoleProtection {
			t.Error("the list went away")
		}
		if l, err := d.LiftOverride(ctx, pia, o.ID, "resolved", ""); err != nil || l.State != OverrideLifted {
			t.Errorf("lifted again: %+v %v", l, err)
		}
		if _, err := d.ConfirmOverride(ctx, clara, o.ID, "upheld", ""); !errors.Is(err, ErrNotSuspended) {
			t.Errorf("confirmed after it was lifted: %v", err)
		}
	})
}

// TestOverrideRevokes: a court's revocation takes two persons, as does taking it
// back, and both are signed by the court.
func TestOverrideRevokes(t *testing.T) {
	eachCourt(t, func(t *testing.T, d *booth) {
		o, err := d.AddOverride(ctx, clara, over(revokes, "7", "courtDecision"), "")
		if err != nil || o.State != StatePending || o.Approval == "" {
			t.Fatalf("%+v %v", o, err)
		}
		if got, roles := d.overridden(); len(got) != 0 || len(roles) != 0 {
			t.Fatalf("a proposal is published: %v", got)
		}
		if again, err := d.AddOverride(ctx, judy, over(revokes, "7", "fraud"), ""); err != nil || again.Approval != o.Approval {
			t.Errorf("%+v %v", again, err)
		}
		if _, err := d.LiftOverride(ctx, judy, o.ID, "resolved", ""); !errors.Is(err, ErrWaiting) {
			t.Errorf("lifting what waits: %v", err)
		}
		for name, c := range map[string]struct {
			by   Caller
			want error
		}{
			"herself": {clara, ErrSamePerson}, "a registrar": {rita, ErrNoSuchApproval}, "the authority": {peter, ErrNoSuchApproval},
			"a notary": {nora, ErrNoSuchApproval}, "the auditor": {anna, ErrNotAllowed},
		} {
			if _, err := d.Approve(ctx, c.by, o.Approval, true); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		list, err := d.Approvals(ctx, judy)
		if err != nil || len(list) != 1 || list[0].Kind != actOverride || !strings.Contains(string(list[0].Proposal), revokes) {
			t.Fatalf("%+v %v", list, err)
		}
		if list, err := d.Approvals(ctx, rita); err != nil || len(list) != 0 {
			t.Errorf("a registrar sees %+v %v", list, err)
		}
		done, err := d.Approve(ctx, judy, o.Approval, true)
		if err != nil || done.State != OverrideActive || done.Status != StatusRevoked {
			t.Fatalf("%+v %v", done, err)
		}
		if same, err := d.Approve(ctx, judy, o.Approval, true); err != nil || same.ID != done.ID {
			t.Errorf("%+v %v", same, err)
		}
		d.wantPlaces(revokes, 7)
		d.pass(100 * suspensionTerm)
		d.wantPlaces(revokes, 7)
		if _, roles := d.overridden(); roles[revokes] != RoleCourt {
			t.Errorf("%v", roles)
		}

		for _, accept := range []bool{false, true} {
			l, err := d.LiftOverride(ctx, judy, o.ID, "suspendedInError", "")
			if err != nil || l.State != StatePending {
				t.Fatalf("%+v %v", l, err)
			}
			d.wantPlaces(revokes, 7)
			if _, err := d.Approve(ctx, judy, l.Approval, true); !errors.Is(err, ErrSamePerson) {
				t.Errorf("herself: %v", err)
			}
			if _, err := d.Approve(ctx, clara, l.Approval, accept); err != nil {
				t.Fatal(err)
			}
			if !accept {
				d.wantPlaces(revokes, 7)
			}
		}
		d.wantPlaces(revokes)

		// Denied, nothing was ever published for that place, and it can be proposed
		// anew.
		o, err = d.AddOverride(ctx, clara, over(revokes, "8", "fraud"), "")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := d.Approve(ctx, judy, o.Approval, false); err != nil || out.State != OverrideDenied {
			t.Fatalf("%+v %v", out, err)
		}
		d.wantPlaces(revokes)
		if next, err := d.AddOverride(ctx, judy, over(revokes, "8", "fraud"), ""); err != nil || next.ID == o.ID || next.State != StatePending {
			t.Errorf("%+v %v", next, err)
		}
		if n := d.total(`SELECT COUNT(*) FROM override_acts WHERE act = 'active' AND caller_id = 't-clara' AND approver_id = 't-judy'`); n != 1 {
			t.Errorf("%d rows of the audit name both", n)
		}
	})
}

// TestCourtTakesOver: a court takes over what the authority ordered; the list is
// the court's from then on, and the authority does not lift it.
func TestCourtTakesOver(t *testing.T) {
	eachCourt(t, func(t *testing.T, d *booth) {
		first, err := d.AddOverride(ctx, peter, over(pauses, "5", "safety"), "")
		if err != nil {
			t.Fatal(err)
		}
		taken, err := d.AddOverride(ctx, clara, over(pauses, "5", "courtDecision"), "")
		if err != nil || taken.ID == first.ID {
			t.Fatalf("%+v %v", taken, err)
		}
		if _, roles := d.overridden(); roles[pauses] != RoleCourt {
			t.Errorf("%v", roles)
		}
		d.pass(2 * suspensionTerm) // an order stands
		d.wantPlaces(pauses, 5)
		if _, err := d.LiftOverride(ctx, peter, taken.ID, "resolved", ""); !errors.Is(err, ErrHigherAuthority) {
			t.Errorf("lifted by the authority: %v", err)
		}
		if lower, err := d.AddOverride(ctx, peter, over(pauses, "5", "safety"), ""); err != nil || lower.ID != taken.ID {
			t.Errorf("%+v %v", lower, err)
		}
		if _, err := d.LiftOverride(ctx, judy, taken.ID, "courtDecision", ""); err != nil {
			t.Error(err)
		}
		d.wantPlaces(pauses)
		if _, roles := d.overridden(); roles[pauses] != RoleCourt {
			t.Errorf("afterwards: %v", roles)
		}
		// What a court confirms it stands behind too.
		upheld, err := d.AddOverride(ctx, peter, over(pauses, "6", "safety"), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.ConfirmOverride(ctx, clara, upheld.ID, "upheld", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.LiftOverride(ctx, peter, upheld.ID, "resolved", ""); !errors.Is(err, ErrHigherAuthority) {
			t.Errorf("lifted what the court confirmed: %v", err)
		}
	})
}

// TestOverrideRoles: who may do what, and that nobody signs without the key.
func TestOverrideRoles(t *testing.T) {
	eachCourt(t, func(t *testing.T, d *booth) {
		o, err := d.AddOverride(ctx, clara, over(pauses, "5", "courtDecision"), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Caller{rita, nora, hugo, anna, thief, {}} {
			for name, act := range map[string]func() error{
				"add":     func() error { _, err := d.AddOverride(ctx, c, over(pauses, "6", "safety"), ""); return err },
				"list":    func() error { _, err := d.Overrides(ctx, c); return err },
				"confirm": func() error { _, err := d.ConfirmOverride(ctx, c, o.ID, "upheld", ""); return err },
				"lift":    func() error { _, err := d.LiftOverride(ctx, c, o.ID, "resolved", ""); return err },
			} {
				if err := act(); !errors.Is(err, ErrNotAllowed) {
					t.Errorf("%q %s: %v", c.Role, name, err)
				}
			}
		}
		if _, err := d.AddOverride(ctx, peter, over(revokes, "6", "fraud"), ""); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("the authority revoked: %v", err)
		}
		for _, id := range []string{"", "x", "urn:uuid:" + o.ID, "' OR 1=1 --", strings.Repeat("x", 5000)} {
			if _, err := d.LiftOverride(ctx, clara, id, "resolved", ""); !errors.Is(err, ErrNoSuchOverride) {
				t.Errorf("%.20q: %v", id, err)
			}
			if _, err := d.ConfirmOverride(ctx, clara, id, "upheld", ""); !errors.Is(err, ErrNoSuchOverride) {
				t.Errorf("%.20q: %v", id, err)
			}
		}
		if _, err := d.LiftOverride(ctx, clara, o.ID, "because", ""); !errors.Is(err, ErrReason) {
			t.Errorf("free text: %v", err)
		}
		d.wantPlaces(pauses, 5)
	})
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), ringOf(t, RoleCourt))
	if _, err := d.AddOverride(ctx, peter, over(pauses, "6", "safety"), ""); !errors.Is(err, ErrNoRoleKey) {
		t.Errorf("without a key: %v", err)
	}
	if got, _ := d.overridden(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestOverrideInput: what is no place on another issuer's list is refused by
// field, and comes back in no message.
func TestOverrideInput(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	good := over(pauses, "5", "safety")
	for name, c := range map[string]struct {
		edit func(*OverrideRequest)
		path string
	}{
		"no index":            {func(q *OverrideRequest) { q.Index = "" }, "/statusListIndex"},
		"negative":            {func(q *OverrideRequest) { q.Index = "-1" }, "/statusListIndex"},
		"leading zero":        {func(q *OverrideRequest) { q.Index = "05" }, "/statusListIndex"},
		"signed":              {func(q *OverrideRequest) { q.Index = "+5" }, "/statusListIndex"},
		"spaced":              {func(q *OverrideRequest) { q.Index = " 5" }, "/statusListIndex"},
		"exponent":            {func(q *OverrideRequest) { q.Index = "1e3" }, "/statusListIndex"},
		"too high":            {func(q *OverrideRequest) { q.Index = "16777216" }, "/statusListIndex"},
		"far too high":        {func(q *OverrideRequest) { q.Index = strings.Repeat("9", 40) }, "/statusListIndex"},
		"no list":             {func(q *OverrideRequest) { q.List = "" }, "/statusListCredential"},
		"http":                {func(q *OverrideRequest) { q.List = "http://office.example/status/suspension/3" }, "/statusListCredential"},
		"a file":              {func(q *OverrideRequest) { q.List = "file:///etc/passwd" }, "/statusListCredential"},
		"a script":            {func(q *OverrideRequest) { q.List = "javascript:alert(1)" }, "/statusListCredential"},
		"with a user":         {func(q *OverrideRequest) { q.List = "https://mila@office.example/status/suspension/3" }, "/statusListCredential"},
		"with a query":        {func(q *OverrideRequest) { q.List = pauses + "?child=Mila" }, "/statusListCredential"},
		"with an empty query": {func(q *OverrideRequest) { q.List = pauses + "?" }, "/statusListCredential"},
		"with a fragment":     {func(q *OverrideRequest) { q.List = pauses + "#list" }, "/statusListCredential"},
		"not as written":      {func(q *OverrideRequest) { q.List = "https://office.example/status/sus pension/3" }, "/statusListCredential"},
		"long":                {func(q *OverrideRequest) { q.List = pauses + strings.Repeat("x", 600) }, "/statusListCredential"},
		"the own list":        {func(q *OverrideRequest) { q.List = d.cfg.Base + "/status/suspension/1" }, "/statusListCredential"},
		"no purpose":          {func(q *OverrideRequest) { q.Purpose = "" }, "/statusPurpose"},
		"another purpose":     {func(q *OverrideRequest) { q.Purpose = "message" }, "/statusPurpose"},
		"a story":             {func(q *OverrideRequest) { q.Reason = "Mila lives with her aunt" }, "/reason"},
		"another's reason":    {func(q *OverrideRequest) { q.Reason = "recordedInError" }, "/reason"},
	} {
		q := good
		c.edit(&q)
		_, err := d.AddOverride(ctx, clara, q, "")
		if !errors.Is(err, ErrOverride) || !slices.ContainsFunc(fault.As(err).Fields, func(f fault.Field) bool { return f.Path == c.path }) {
			t.Errorf("%s: %v %+v", name, err, fault.As(err).Fields)
		}
		if text := fmt.Sprintf("%+v %+v", err, fault.As(err).Fields); strings.Contains(strings.ToLower(text), "mila") || strings.Contains(text, "xxxx") {
			t.Errorf("%s: repeated: %s", name, text)
		}
	}
	for _, list := range []string{"http://localhost:8080/status/suspension/1", "http://127.0.0.1:9/s/1", "https://registry.example.org/status/suspension/1"} {
		if _, err := d.AddOverride(ctx, clara, over(list, "16777215", "courtDecision"), ""); err != nil && list != d.cfg.Base {
			t.Errorf("%s: %v", list, err)
		}
	}
	if n := d.total(`SELECT COUNT(*) FROM override_lists`); n != 3 {
		t.Errorf("%d lists", n)
	}
	for _, n := range []int64{-1, 0, 4, 1 << 40} {
		if _, err := d.OverrideList(ctx, n); !errors.Is(err, ErrNoSuchStatusList) {
			t.Errorf("list %d: %v", n, err)
		}
	}
	// A list whose only override waits is not there yet.
	if _, err := d.AddOverride(ctx, clara, over(revokes, "7", "fraud"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.OverrideList(ctx, 4); !errors.Is(err, ErrNoSuchStatusList) {
		t.Errorf("a list of proposals: %v", err)
	}
}

// TestOverrideListGrows: a higher index makes a list longer, in powers of two,
// and shorter never.
func TestOverrideListGrows(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	size := int64(0)
	for _, c := range []struct {
		index string
		want  int64
	}{{"131071", 131072}, {"131072", 262144}, {"1000000", 1 << 20}, {"3", 1 << 20}, {"16777215", 1 << 24}} {
		if _, err := d.AddOverride(ctx, clara, over(pauses, c.index, "courtDecision"), ""); err != nil {
			t.Fatal(err)
		}
		if err := d.db.QueryRow(`SELECT size FROM override_lists`).Scan(&size); err != nil || size != c.want {
			t.Errorf("index %s: %d entries, want %d, %v", c.index, size, c.want, err)
		}
	}
	d.wantPlaces(pauses, 3, 131071, 131072, 1000000, 16777215)
}

// TestOverrideListIsKept: the same bytes until something changes or they are due
// for renewal, and the last ones while the database does not answer.
func TestOverrideListIsKept(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	if _, err := d.AddOverride(ctx, clara, over(pauses, "5", "courtDecision"), ""); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		t.Helper()
		p, err := d.OverrideList(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		return string(p.Body)
	}
	first := read()
	d.pass(d.cfg.Refresh - time.Second)
	if read() != first {
		t.Error("signed anew without need")
	}
	d.pass(2 * time.Second)
	second := read()
	if second == first {
		t.Error("not signed anew")
	}
	if _, err := d.AddOverride(ctx, clara, over(pauses, "6", "courtDecision"), ""); err != nil {
		t.Fatal(err)
	}
	if read() == second {
		t.Error("a change waits for the renewal")
	}
	d.wantPlaces(pauses, 5, 6)
	third := read()
	d.db.Close()
	d.pass(listLife - time.Hour)
	if read() != third {
		t.Error("another list without a database")
	}
	d.pass(2 * time.Hour)
	if _, err := d.OverrideList(ctx, 1); err == nil {
		t.Error("a list that is over is given out")
	}
}

// TestOverridesAtOnce: the same place ordered, confirmed and ended at once on
// several replicas has one override in the end and one end of it.
func TestOverridesAtOnce(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := newBooth(t, db, ring)
		var replicas []*Issuer
		for range 3 {
			r, err := New(Config{Base: d.cfg.Base, DB: db, Ring: ring, Now: d.clock, ListSize: d.cfg.ListSize})
			if err != nil {
				t.Fatal(err)
			}
			replicas = append(replicas, r)
		}
		at := func(fn func(r *Issuer, k int) error) {
			var wg sync.WaitGroup
			for k := range 9 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					if err := fn(replicas[k%3], k); err != nil {
						t.Error(explain(err))
					}
				}()
			}
			wg.Wait()
		}
		callers := []Caller{peter, {ID: "t-pia", Name: "Pia", Role: RoleProtection}, {ID: "t-pam", Name: "Pam", Role: RoleProtection}}
		at(func(r *Issuer, k int) error {
			_, err := r.AddOverride(context.Background(), callers[k/3], over(pauses, "5", "safety"), "")
			return err
		})
		at(func(r *Issuer, k int) error {
			_, err := r.AddOverride(context.Background(), []Caller{clara, judy, cleo}[k/3], over(revokes, "5", "fraud"), "")
			return err
		})
		if n := d.total(`SELECT COUNT(*) FROM overrides`); n != 2 {
			t.Errorf("%d overrides of two places", n)
		}
		if n := d.total(`SELECT COUNT(*) FROM approvals WHERE state = 'pending'`); n != 1 {
			t.Errorf("%d approvals", n)
		}
		d.wantPlaces(pauses, 5)
		d.pass(suspensionTerm)
		at(func(r *Issuer, k int) error {
			if k%2 == 0 {
				_, err := r.OverrideList(context.Background(), 1)
				return err
			}
			return r.store.expireOverrides(context.Background())
		})
		if n := d.total(`SELECT COUNT(*) FROM override_acts WHERE act = 'expired'`); n != 1 {
			t.Errorf("%d ends of one suspension", n)
		}
		d.wantPlaces(pauses)
	})
}
