package trust

import (
	"crypto"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// three are anchors of which two must sign, with a list in force.
func three(t testing.TB) (Ceremony, []*keys.Key) {
	t.Helper()
	holders := []*keys.Key{key(t, keys.EdDSA), key(t, keys.ES256), key(t, keys.EdDSA)}
	var pubs []crypto.PublicKey
	for _, k := range holders {
		pubs = append(pubs, k.Public())
	}
	l, _ := sample(t)
	c := Ceremony{Anchors: vc.Anchors{Keys: pubs, Threshold: 2}}
	text, err := c.Propose(l, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Open(text)
	if err != nil {
		t.Fatal(err)
	}
	c.InForce = d.List
	return c, holders
}

func TestCeremony(t *testing.T) {
	c, holders := three(t)
	l := clone(c.InForce)
	if err := AddWitness(l, "w1.example", "University", key(t, keys.EdDSA).Public()); err != nil {
		t.Fatal(err)
	}
	text, err := c.Propose(l, now.Add(time.Minute), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if l.Sequence != c.InForce.Sequence {
		t.Error("a proposal numbered the list that is being edited")
	}
	var signed string
	for i, k := range []*keys.Key{holders[2], holders[1]} {
		d, err := c.Open(text)
		if err != nil || len(d.By) != i {
			t.Fatal(err, d)
		}
		if _, err := c.Publish(d); !errors.Is(err, vc.ErrThreshold) {
			t.Errorf("published with %d signatures: %v", i, err)
		}
		if got := c.Changes(d); !slices.Contains(got, "+ witness w1.example, run by: University") {
			t.Errorf("%q", got)
		}
		if _, err := c.Cosign(d, key(t, keys.EdDSA).Signer("x")); !errors.Is(err, vc.ErrNotAnchor) {
			t.Errorf("a stranger: %v", err)
		}
		if text, err = c.Cosign(d, k.Signer("anything")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Cosign(d, k.Signer("x")); !errors.Is(err, vc.ErrCosigned) {
			t.Errorf("twice: %v", err)
		}
		if i == 1 {
			if signed, err = c.Publish(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := vc.OpenTrustList(signed, c.Anchors); err != nil || got.Sequence != 2 {
		t.Fatal(got, err)
	}

	for name, change := range map[string]func(*vc.TrustList){
		"the same number": func(l *vc.TrustList) { l.Sequence-- },
		"a number ahead":  func(l *vc.TrustList) { l.Sequence++ },
		"an older date":   func(l *vc.TrustList) { l.IssuedAt = now.Add(-time.Hour) },
		"no date":         func(l *vc.TrustList) { l.IssuedAt = time.Time{} },
		"a broken rule":   func(l *vc.TrustList) { l.Quorum = 9 },
		"a hub's key":     func(l *vc.TrustList) { l.Hubs[0].JWK = l.Issuers[0].Keys[0].JWK },
	} {
		x := clone(l)
		x.Sequence, x.IssuedAt, x.Next = 2, now.Add(time.Minute), now.Add(time.Hour)
		change(x)
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		draft, err := vc.DraftTrustList(b)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := c.Open(draft); err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	// What a list does not have is nothing that anybody could show.
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{
		"an unknown member": strings.Replace(strings.Replace(string(b), `"sequence":1`, `"sequence":2`, 1), `{"id"`, `{"secret":1,"id"`, 1),
		"other spaces":      strings.Replace(strings.Replace(string(b), `"sequence":1`, `"sequence":2`, 1), `{"id"`, `{ "id"`, 1),
		"nothing":           "",
		"no list":           "[]",
	} {
		draft, err := vc.DraftTrustList([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Open(draft); !errors.Is(err, vc.ErrDraft) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "{}", "[]", "a.b.c", signed + "x", `{"payload":"e30","signatures":[{}]}`} {
		if _, err := c.Open(text); err == nil {
			t.Errorf("%.40q was opened", text)
		}
	}
}

// TestCeremonyKeepsThePast: no holder signs a draft, however it was made, that takes
// off what has a past or is gentler about a key that stays.
func TestCeremonyKeepsThePast(t *testing.T) {
	c, _ := three(t)
	if err := AddIssuer(c.InForce, entry(t, "did:web:court.example", map[string]*keys.Key{"k1": key(t, keys.EdDSA)})); err != nil {
		t.Fatal(err)
	}
	ended := c.InForce.Hubs[0].ID
	if err := End(c.InForce, ended, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		name   string
		past   func(*vc.TrustList) error
		change func(*vc.TrustList)
		want   error
	}{
		{"an issuer without a past", nil, func(l *vc.TrustList) { l.Issuers = l.Issuers[1:] }, nil},
		{"an accreditation", func(l *vc.TrustList) error {
			return Accredit(l, registry, accredited(now, until(1), vc.TypeBirth))
		}, func(l *vc.TrustList) { l.Issuers = l.Issuers[1:] }, ErrPastStays},
		{"a ledger", func(l *vc.TrustList) error {
			return SetLedger(l, registry, "registry.example/ledger", key(t, keys.EdDSA).Public())
		}, func(l *vc.TrustList) { l.Issuers = l.Issuers[1:] }, ErrPastStays},
		{"a cut-off", func(l *vc.TrustList) error { return CutOff(l, registry+"#k1", now, 0) }, func(l *vc.TrustList) { l.Issuers = l.Issuers[1:] }, ErrCutOffStays},
		{"a hub with an end", nil, func(l *vc.TrustList) { l.Hubs = nil }, ErrPastStays},
		{"an end put off", nil, func(l *vc.TrustList) { l.Hubs[0].NotAfter = now.Add(2 * time.Hour) }, ErrBackwards},
		{"a beginning brought forward", nil, func(l *vc.TrustList) {
			l.Issuers[0].Keys[0].NotBefore = l.Issuers[0].Keys[0].NotBefore.Add(-time.Second)
		}, ErrBackwards},
		{"a beginning put off", nil, func(l *vc.TrustList) {
			l.Issuers[0].Keys[0].NotBefore = l.Issuers[0].Keys[0].NotBefore.Add(time.Second)
		}, nil},
	} {
		x := Ceremony{Anchors: c.Anchors, InForce: clone(c.InForce)}
		if p.past != nil {
			if err := p.past(x.InForce); err != nil {
				t.Fatal(err)
			}
		}
		next := clone(x.InForce)
		p.change(next)
		if _, err := x.Propose(next, now.Add(time.Minute), time.Hour); !errors.Is(err, p.want) {
			t.Errorf("%s: %v, want %v", p.name, err, p.want)
		}
	}
}

// TestChangesHideNothing: whatever value of a list is changed, added or taken
// away, whoever signs is told.
func TestChangesHideNothing(t *testing.T) {
	l, _ := sample(t)
	l.Sequence, l.IssuedAt, l.Next = 1, now, now.Add(time.Hour)
	for _, err := range []error{
		SetLedger(l, registry, "registry.example/ledger", key(t, keys.EdDSA).Public()),
		AddWitness(l, "w1.example", "University", key(t, keys.EdDSA).Public()), SetQuorum(l, 1),
		Accredit(l, registry, vc.AccreditationTerm{Since: now, Until: until(1), Types: []string{vc.TypeBirth, vc.TypeGuardianship}, Bases: []string{"kafala"}}),
		Suspend(l, registry, now.Add(time.Hour)), Reinstate(l, registry, now.Add(2*time.Hour)),
		AddFinding(l, registry, vc.Finding{ID: "f1", At: now, Severity: vc.FindingMinor, Summary: "x"}), CloseFinding(l, registry, "f1", now.Add(time.Hour)),
		CutOff(l, registry+"#k1", now.Add(time.Hour), 7), End(l, registry+"#k1", now.AddDate(1, 0, 0)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l.Issuers[0].ConsentStatus, l.Issuers[0].MayRevoke = true, []string{"did:web:a.example", "did:web:b.example"}
	if got := Changes(l, clone(l)); len(got) != 0 {
		t.Errorf("nothing changed, and %q", got)
	}
	if got := Changes(nil, l); len(got) < 30 {
		t.Errorf("the first list says only %q", got)
	}
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	leaves := 0
	var walk func(path string, x any, put func(any))
	try := func(path string) {
		leaves++
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var next vc.TrustList
		if json.Unmarshal(b, &next) != nil {
			return // no list any more
		}
		if got := Changes(l, &next); len(got) == 0 && path != "/sequence" && path != "/issuedAt" {
			t.Errorf("%s was changed, and nobody is told", path)
		}
	}
	walk = func(path string, x any, put func(any)) {
		switch x := x.(type) {
		case map[string]any:
			for k := range x {
				old := x[k]
				walk(path+"/"+k, old, func(n any) { x[k] = n })
				if k != "use" && k != "kid" { // of a JWK: they decide nothing
					delete(x, k)
					try(path + "/" + k)
				}
				x[k] = old
			}
		case []any:
			for i := range x {
				old := x[i]
				walk(path+"/0", old, func(n any) { x[i] = n })
				x[i] = old
			}
			put(x[:len(x)-1])
			try(path + " shorter")
			put(x)
		case string:
			other := x + "x"
			if at, err := time.Parse(time.RFC3339, x); err == nil {
				other = at.Add(time.Second).Format(time.RFC3339)
			}
			if strings.HasSuffix(path, "/use") || strings.HasSuffix(path, "/kid") {
				return
			}
			put(other)
			try(path)
			put(x)
		case float64:
			put(x + 1)
			try(path)
			put(x)
		case bool:
			put(!x)
			try(path)
			put(x)
		}
	}
	walk("", v, func(any) {})
	if leaves < 60 {
		t.Errorf("only %d changes were tried", leaves)
	}
	// A name cannot forge a line or steer a terminal.
	evil := clone(l)
	evil.Issuers[0].Name = "Registry\n+ hub x\x1b[2J, key: y"
	for _, line := range Changes(l, evil) {
		if strings.ContainsAny(line, "\n\x1b") {
			t.Errorf("%q", line)
		}
	}
}

// FuzzOpenDraft: a draft that opens is a valid list which may follow, shown in
// full, and only anchors' signatures count.
func FuzzOpenDraft(f *testing.F) {
	c, holders := three(f)
	l := clone(c.InForce)
	text, err := c.Propose(l, now.Add(time.Minute), time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	d, err := c.Open(text)
	if err != nil {
		f.Fatal(err)
	}
	if text, err = c.Cosign(d, holders[0].Signer("")); err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := c.Open(text)
		if err != nil {
			if d != nil {
				t.Fatal("a refused draft was given back")
			}
			return
		}
		if Validate(d.List) != nil || Follows(c.InForce, d.List) != nil || len(d.By) > 1 {
			t.Fatalf("%+v", d)
		}
		if _, err := c.Publish(d); !errors.Is(err, vc.ErrThreshold) {
			t.Fatal("one anchor's signature was enough")
		}
	})
}
