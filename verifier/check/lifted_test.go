package check

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

func places(t testing.TB, members ...uint64) []byte {
	t.Helper()
	file, err := status.BuildPlaces(status.MinSize, members)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRevokedBefore: what the hub knows to have been revoked goes into the list,
// which says how much of it is its issuer's no more. Nothing else is touched.
func TestRevokedBefore(t *testing.T) {
	w := newWorld(t)
	w.set(vc.PurposeRevocation, 77)
	revocation, suspension := shelf(vc.RoleRegistrar)+"/status/revocation/1", shelf(vc.RoleRegistrar)+"/status/suspension/1"
	p := w.payload()
	p.Revoked = map[OwnList][]byte{{registrarDID, revocation}: places(t, 5, 77, 999), {registrarDID, suspension}: places(t, 8), {"did:web:other.example", revocation}: places(t, 9)}
	b := w.open(p)
	lifted := b.Lifted()
	if len(lifted) != 1 || lifted[0].Address != revocation || lifted[0].Lifted != 2 || lifted[0].Marked != 3 {
		t.Fatalf("%+v", lifted)
	}
	for place, want := range map[uint64]bool{5: true, 77: true, 999: true, 8: false, 9: false} {
		if in, err := lifted[0].Has(place); err != nil || in != want {
			t.Errorf("place %d is %v, %v", place, in, err)
		}
	}
	if c := b.Compare(registrarDID, p.StatusLists[:2]); fmt.Sprintf("%+v", c) != fmt.Sprintf("%+v", Comparison{Same: 2, Lifted: []string{revocation}, Evidence: true}) {
		t.Errorf("a hub that keeps what was revoked: %+v", c)
	}
	// What it does not own to is a lie.
	quiet, err := Open(w.repackOf(b, listed(t, func(d *directory) {
		for i := range d.Issuers {
			for j := range d.Issuers[i].Lists {
				d.Issuers[i].Lists[j].Lifted = min(d.Issuers[i].Lists[j].Lifted, 1)
			}
		}
	})), w.anchors())
	if err != nil {
		t.Fatal(err)
	}
	if c := quiet.Compare(registrarDID, p.StatusLists[:2]); !slices.Equal(c.Contradicted, []string{revocation}) {
		t.Errorf("a hub that calls something revoked: %+v", c)
	}
	for _, n := range []int64{-1, 4} {
		if _, err := Open(w.repackOf(b, listed(t, func(d *directory) {
			for i := range d.Issuers[0].Lists {
				d.Issuers[0].Lists[i].Lifted = n
			}
		})), w.anchors()); err == nil {
			t.Errorf("%d of 3 places lifted", n)
		}
	}
	p.Revoked = map[OwnList][]byte{{registrarDID, revocation}: []byte("rubbish")}
	if _, err := p.Sign(w.hub); err == nil {
		t.Error("signed with rubbish")
	}
	// The list that was there before had more places than the one of now.
	large, err := status.BuildPlaces(2*status.MinSize, []uint64{status.MinSize + 5})
	if err != nil {
		t.Fatal(err)
	}
	p.Revoked = map[OwnList][]byte{{registrarDID, revocation}: large}
	b = w.open(p)
	if l := b.Lifted(); len(l) != 1 || l[0].Size != 2*status.MinSize || l[0].Lifted != 1 {
		t.Errorf("%+v", l)
	}
	if c := b.Compare(registrarDID, p.StatusLists[:2]); c.Same != 2 || len(c.Lifted) != 1 {
		t.Errorf("%+v", c)
	}
}

// repackOf signs a bundle's parts anew after a change.
func (w *world) repackOf(b *Bundle, change func(*bundle.Header, []bundle.Part) []bundle.Part) []byte {
	w.t.Helper()
	h := b.File().Header
	var parts []bundle.Part
	for _, p := range b.File().Table {
		data, _ := b.File().Part(p.Name)
		parts = append(parts, bundle.Part{Name: p.Name, Bytes: slices.Clone(data)})
	}
	if more := change(&h, parts); more != nil {
		parts = more
	}
	data, err := bundle.Pack(h, parts, w.hub)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// TestTakesBack: which bundles are false beside the one in hand.
func TestTakesBack(t *testing.T) {
	address := shelf(vc.RoleRegistrar) + "/status/revocation/1"
	for _, c := range []struct {
		name   string
		change func(w *world, p *BundlePayload)
		want   uint64
	}{
		{"the same", func(*world, *BundlePayload) {}, 0},
		{"something else is revoked, too", func(w *world, p *BundlePayload) { w.set(vc.PurposeRevocation, 5); *p = w.payload() }, 0},
		{"a suspension ends", func(w *world, p *BundlePayload) {
			if err := w.lists[shelf(vc.RoleRegistrar)+"/status/suspension/1"].Clear(78); err != nil {
				w.t.Fatal(err)
			}
			*p = w.payload()
		}, 0},
		{"taken back", func(w *world, p *BundlePayload) {
			if err := w.lists[address].Clear(77); err != nil {
				w.t.Fatal(err)
			}
			*p = w.payload()
		}, 1},
		{"taken back, and another revoked", func(w *world, p *BundlePayload) {
			if err := w.lists[address].Clear(77); err != nil {
				w.t.Fatal(err)
			}
			w.set(vc.PurposeRevocation, 5)
			*p = w.payload()
		}, 1},
		{"kept by the hub", func(w *world, p *BundlePayload) {
			if err := w.lists[address].Clear(77); err != nil {
				w.t.Fatal(err)
			}
			*p = w.payload()
			p.Revoked = map[OwnList][]byte{{registrarDID, address}: places(w.t, 77)}
		}, 0},
		{"the list has ended", func(w *world, p *BundlePayload) { p.StatusLists = p.StatusLists[1:] }, 0},
		// The lists of a thief, from after the time that the authority found out.
		{"the issuer's key was cut off before the list", func(w *world, p *BundlePayload) {
			other := w.key(keys.EdDSA).Signer(registrarDID + "#key-2")
			w.trust.Issuers[0].Keys[0].CutOff = w.built.Add(-time.Hour)
			k := w.trustKey(other, vc.RoleRegistrar)
			k.Types = []string{vc.TypeBirth, vc.TypeGuardianship}
			w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, k)
			w.office[vc.RoleRegistrar] = other
			if err := w.lists[address].Clear(77); err != nil {
				w.t.Fatal(err)
			}
			*p = w.payload()
		}, 0},
		{"the hub's key was cut off", func(w *world, p *BundlePayload) {
			other := w.key(keys.EdDSA).Signer(w.hub.KID + "-2")
			w.trust.Hubs[0].CutOff = w.built
			w.trust.Hubs = append(w.trust.Hubs, w.trustKey(other, vc.RoleHub))
			w.hub = other
			if err := w.lists[address].Clear(77); err != nil {
				w.t.Fatal(err)
			}
			*p = w.payload()
		}, 0},
	} {
		w := newWorld(t)
		w.set(vc.PurposeRevocation, 77)
		w.set(vc.PurposeSuspension, 78)
		have, p := w.bundle(), w.payload()
		c.change(w, &p)
		l, n := have.TakesBack(w.open(p))
		if n != c.want || n > 0 && l.Address != address {
			t.Errorf("%s: %d on %q, want %d", c.name, n, l.Address, c.want)
		}
	}
}

// TestTakesBackAfterCutOff: what a hub had put into a list by itself may go when a key
// of that issuer is cut off, or earlier than it was: a thief had said it.
func TestTakesBackAfterCutOff(t *testing.T) {
	address := shelf(vc.RoleRegistrar) + "/status/revocation/1"
	cut := func(t *time.Time, hours int) { *t = now.Add(-time.Duration(hours) * time.Hour) }
	for _, c := range []struct {
		name   string
		change func(w *world, second, plain, other *vc.TrustKey)
		want   uint64
	}{
		{"no key is cut off", func(*world, *vc.TrustKey, *vc.TrustKey, *vc.TrustKey) {}, 2},
		{"the key that said it", func(_ *world, second, _, _ *vc.TrustKey) { cut(&second.CutOff, 9) }, 0},
		{"later than it was", func(_ *world, second, _, _ *vc.TrustKey) { cut(&second.CutOff, 7) }, 2},
		{"the issuer's own list takes back, too", func(w *world, second, _, _ *vc.TrustKey) {
			cut(&second.CutOff, 9)
			if err := w.lists[address].Clear(77); err != nil {
				w.t.Fatal(err)
			}
		}, 3},
		{"a key without lists", func(_ *world, _, plain, _ *vc.TrustKey) { cut(&plain.CutOff, 9) }, 2},
		{"another issuer's key", func(_ *world, _, _, other *vc.TrustKey) { cut(&other.CutOff, 9) }, 2},
	} {
		w := newWorld(t)
		second := w.trustKey(w.key(keys.EdDSA).Signer(registrarDID+"#key-8"), vc.RoleRegistrar)
		second.Types = []string{vc.TypeStatusList}
		cut(&second.CutOff, 8)
		plain := w.trustKey(w.key(keys.EdDSA).Signer(registrarDID+"#key-9"), vc.RoleRegistrar)
		plain.Types = []string{vc.TypeBirth}
		w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, second, plain)
		w.set(vc.PurposeRevocation, 77)
		p := w.payload()
		p.Revoked = map[OwnList][]byte{{registrarDID, address}: places(t, 5, 6)}
		have := w.open(p)
		n := len(w.trust.Issuers[0].Keys)
		c.change(w, &w.trust.Issuers[0].Keys[n-2], &w.trust.Issuers[0].Keys[n-1], &w.trust.Issuers[1].Keys[0])
		if l, n := have.TakesBack(w.bundle()); n != c.want || n > 0 && l.Address != address {
			t.Errorf("%s: %d on %q, want %d", c.name, n, l.Address, c.want)
		}
	}
}

// TestOrphans: what was revoked on a list that is not there, because its key is cut
// off, answers by itself, and is no list of the issuer's.
func TestOrphans(t *testing.T) {
	revocation, suspension := shelf(vc.RoleRegistrar)+"/status/revocation/1", shelf(vc.RoleRegistrar)+"/status/suspension/1"
	w := newWorld(t)
	second := w.trustKey(w.key(keys.EdDSA).Signer(registrarDID+"#key-8"), vc.RoleRegistrar)
	second.Types = []string{vc.TypeStatusList}
	w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, second)
	p := w.payload()
	all := p.StatusLists
	p.StatusLists = slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		l := w.open(BundlePayload{ID: p.ID, Sequence: p.Sequence, CreatedAt: p.CreatedAt, TrustList: p.TrustList, StatusLists: []string{s}}).Lists()
		return len(l) == 1 && l[0].Address == revocation
	})
	p.Revoked = map[OwnList][]byte{{registrarDID, revocation}: places(t, 5, 6), {registrarDID, suspension}: places(t)}
	p.Orphans = []OwnList{{registrarDID, revocation}, {registrarDID, suspension}, {"did:web:other.example", revocation}}
	if len(p.StatusLists) != len(all)-1 || len(w.open(p).Lifted()) != 0 {
		t.Fatal("a list of no key")
	}
	last := len(w.trust.Issuers[0].Keys) - 1
	w.trust.Issuers[0].Keys[last].CutOff = now.Add(-time.Hour)
	p.TrustList = w.payload().TrustList
	b := w.open(p)
	lifted := b.Lifted()
	if len(lifted) != 1 || lifted[0].Address != revocation || lifted[0].Lifted != 2 || !lifted[0].Cut || !lifted[0].From.Before(now.Add(-time.Hour)) {
		t.Fatalf("%+v", lifted)
	}
	if c := b.Compare(registrarDID, p.StatusLists); !c.Evidence || c.Missing != 1 || len(c.Contradicted) > 0 {
		t.Errorf("%+v", c)
	}
}

// TestRevokedStaysOnline: a younger list of an issuer takes nothing back either.
func TestRevokedStaysOnline(t *testing.T) {
	w := newWorld(t)
	text := w.present("mother", w.issue(w.birth()), w.issue(w.mandate("mother")))
	w.set(vc.PurposeRevocation, w.serial)
	b := w.bundle()
	if err := w.lists[shelf(vc.RoleRegistrar)+"/status/revocation/1"].Clear(int64(w.serial)); err != nil {
		t.Fatal(err)
	}
	p := w.payload()
	for i, l := range p.StatusLists[:2] {
		address := shelf(vc.RoleRegistrar) + []string{"/status/revocation/1", "/status/suspension/1"}[i]
		if p.StatusLists[i] = w.list(address, w.lists[address], w.built.Add(time.Minute)); l == p.StatusLists[i] {
			t.Fatal("no younger list")
		}
	}
	younger := w.open(p)
	for name, of := range map[string]*Bundle{"before": b, "with the younger list": b.With(younger)} {
		d, _, err := Check(text, of, Facts{}, History{}, now)
		if err != nil || !d.Has(CodeStatusRevoked) {
			t.Errorf("%s: %v %v", name, d.Codes(), err)
		}
	}
	if d, _, err := Check(text, younger, Facts{}, History{}, now); err != nil || d.Has(CodeStatusRevoked) {
		t.Errorf("the younger list has it still: %v %v", d.Codes(), err)
	}
}

// BenchmarkTakesBack: what a device does with a new bundle of a nation with a
// million revoked places.
func BenchmarkTakesBack(b *testing.B) {
	n := newNation(b, 96)
	n.mark(vc.PurposeRevocation, 1_000_000)
	before := n.open(n.payload(1, n.built))
	n.mark(vc.PurposeRevocation, 2740)
	after := n.open(n.payload(2, n.built.Add(time.Hour)))
	for b.Loop() {
		if l, count := before.TakesBack(after); count > 0 {
			b.Fatal(l.Address, count)
		}
	}
}
