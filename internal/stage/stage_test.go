package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newStage(t testing.TB) *Stage {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShippedPolicies plays every case of every shipped policy: real keys, real
// papers, the whole check.
func TestShippedPolicies(t *testing.T) {
	s := newStage(t)
	for _, p := range policy.Shipped() {
		outcomes, err := s.Test(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(outcomes) != len(p.Cases) || len(outcomes) < 8 {
			t.Errorf("%s: %d cases", p.ID, len(outcomes))
		}
		for _, o := range outcomes {
			if !o.OK {
				t.Errorf("%s, %s: %s %v, want %s %v", p.ID, o.Case, o.Colour, o.Codes, o.Expect.Colour, o.Expect.Codes)
			}
		}
	}
}

// TestMatrix holds what each shipped policy comes to at the counter against
// its golden file: go test ./internal/stage -update writes it anew.
func TestMatrix(t *testing.T) {
	s := newStage(t)
	for _, p := range policy.Shipped() {
		rows, err := s.Matrix(p)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Print(&b, rows); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("testdata", p.ID+".matrix.txt")
		if *update {
			if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b.Bytes(), want) {
			continue
		}
		got, old := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
		for i := range max(len(got), len(old)) {
			switch {
			case i >= len(got):
				t.Errorf("%s lost: %s", p.ID, old[i])
			case i >= len(old):
				t.Errorf("%s gained: %s", p.ID, got[i])
			case got[i] != old[i]:
				t.Errorf("%s changed:\n  %s\n  %s", p.ID, old[i], got[i])
			}
		}
	}
}

// TestCorruptPolicy: a post opens no bundle with a policy that it cannot use,
// so that a corrupt policy never stands beside whole ones, or leaves its
// country to a milder one.
func TestCorruptPolicy(t *testing.T) {
	s := newStage(t)
	payload := func(policies ...string) check.BundlePayload {
		p := check.BundlePayload{ID: "stage", Sequence: 1, CreatedAt: built, TrustList: s.trust, StatusLists: s.lists}
		for _, x := range policies {
			p.Policies = append(p.Policies, json.RawMessage(x))
		}
		return p
	}
	open := func(p check.BundlePayload) error {
		data, err := p.Sign(s.hub)
		if err != nil {
			return err
		}
		_, err = check.Open(data, vc.OneOf(s.anchor.Public()))
		return err
	}
	var bra *policy.Policy
	for _, p := range policy.Shipped() {
		if p.Country == "BRA" {
			bra = p
		}
	}
	good := string(bra.Raw())
	if err := open(payload(good)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]string{
		"another word":        {strings.Replace(good, "oneParent", "noParent", 1)},
		"nothing missing":     {strings.Replace(good, `"RED"`, `"GREEN"`, 1)},
		"a rule less":         {strings.Replace(good, `"if":"oneParent"`, `"if":"oneParent && relocation"`, 1)},
		"a member more":       {strings.Replace(good, `"version"`, `"optional":true,"version"`, 1)},
		"a list":              {`[]`},
		"empty":               {`{}`},
		"the second of three": {good, `{}`, string(policy.Generic().Raw())},
		"twice":               {good, good},
	} {
		if len(bad) == 1 && bad[0] == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if err := open(payload(bad...)); !errors.Is(err, check.ErrBundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was signed cannot be changed afterwards.
	data, err := payload(good).Sign(s.hub)
	if err != nil {
		t.Fatal(err)
	}
	softer := bytes.Replace(data, []byte(`"onMissing":"RED"`), []byte(`"onMissing":"BLU"`), 1)
	if bytes.Equal(softer, data) {
		t.Fatal("nothing changed")
	}
	if _, err := check.Open(softer, vc.OneOf(s.anchor.Public())); !errors.Is(err, check.ErrBundle) {
		t.Errorf("a policy that was changed after signing: %v", err)
	}
}

// TestBothSides: the policies of both countries are asked, the stricter counts,
// and the officer sees both.
func TestBothSides(t *testing.T) {
	s := newStage(t)
	p := check.BundlePayload{ID: "stage", Sequence: 1, CreatedAt: built, TrustList: s.trust, StatusLists: s.lists}
	for _, x := range policy.Shipped() {
		p.Policies = append(p.Policies, x.Raw())
	}
	data, err := p.Sign(s.hub)
	if err != nil {
		t.Fatal(err)
	}
	b, err := check.Open(data, vc.OneOf(s.anchor.Public()))
	if err != nil {
		t.Fatal(err)
	}
	agreed := func(months int) policy.Case {
		return policy.Case{Travels: []string{"mother"}, Child: policy.CaseChild{Nationality: "BRA", Residence: "BRA"},
			Consents: []policy.CaseConsent{{By: []string{"father"}, MonthsAgo: months}}}
	}
	alone := agreed(2)
	alone.Consents = nil
	for _, x := range []struct {
		c           policy.Case
		exit, entry string
		colour      string
		said        []string // by policy
	}{
		{agreed(2), "BRA", "ZAF", "green", []string{"BRA-131-2011 green", "ZAF-6-12 green"}},
		{agreed(4), "BRA", "ZAF", "amber", []string{"BRA-131-2011 green", "ZAF-6-12 amber CONSENT_OLD"}},
		{agreed(4), "BRA", "PRT", "green", []string{"BRA-131-2011 green", "GENERIC green"}},
		{alone, "BRA", "PRT", "red", []string{"BRA-131-2011 red CONSENT_MISSING_CO", "GENERIC amber CONSENT_MISSING_CO"}},
		{alone, "PRT", "BRA", "amber", []string{"Schengen-exit amber CONSENT_MISSING_CO", "GENERIC amber CONSENT_MISSING_CO"}},
		{alone, "PRT", "ZAF", "red", []string{"Schengen-exit amber CONSENT_MISSING_CO", "ZAF-6-12 red CONSENT_MISSING_CO"}},
	} {
		j := &journey{Stage: s, c: &x.c, exit: x.exit, entry: x.entry, mandates: map[string]mandate{}}
		if err := j.issue(); err != nil {
			t.Fatal(err)
		}
		e := &Encounter{j: j}
		if err := j.present(e); err != nil {
			t.Fatal(err)
		}
		d, _, err := check.Check(e.Shown[0], b, j.facts(policy.Exit), check.History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, a := range d.Policies {
			said = append(said, strings.TrimSpace(a.ID+" "+a.Colour.String()+" "+strings.Join(a.Codes, " ")))
		}
		if d.Colour.String() != x.colour || !slices.Equal(said, x.said) {
			t.Errorf("%s to %s: %s %v, %q, want %s, %q", x.exit, x.entry, d.Colour, d.Codes(), said, x.colour, x.said)
		}
	}
}
